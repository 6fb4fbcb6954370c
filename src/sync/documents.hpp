// Documents on their way through the pipeline: the links of an event become uses, a use that is settled lets its result
// through, and after the log nobody reads a link any more. Decision 0022.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/vault.hpp"
#include "store/event_log.hpp"
#include "store/network.hpp"
#include "store/views.hpp"
#include "sync/apply.hpp"

namespace resultsync::sync {

// The member of a use that stands for the order itself: its event was thin, and what it means is to be read (decision
// 0031). It belongs to no ordered test, and no result waits for it.
inline constexpr std::string_view kWholeOrder = "order";
// Notes that the order of a thin event, which was just applied, is to be read. Part of the same transaction.
void note_order_to_read(store::ViewsTransaction& transaction, const store::EventRow& event);

// Notes every link of an event that was just applied, to be fetched. Part of the same transaction.
void note_links(store::ViewsTransaction& transaction, const store::EventRow& event, std::string_view body);

// More is known of the documents of the event in `record` (its uses have been saved in this transaction): the results
// that waited for them take their places in the history and are told. The number of feed items it issued; errors: those
// of the log.
Result<std::size_t> documents_settled(store::ViewsTransaction& transaction, const store::EventLog& log, Sequence record,
                                      const ApplyOptions& options, Timestamp now);

// The event log as everybody after sync reads it: bodies in the common form, and the documents themselves where links
// stood (text where HL7 or other text came, `document:sha256:…` where another file came, `document:missing`,
// `document:pending`). Raw bytes are asked of the log beneath.
//
// Looks the documents up in a snapshot of its own for each body that has links. Thread-safe.
class ReadableLog final : public store::EventLog {
 public:
  ReadableLog(store::EventLog& log, store::Views& views, const runtime::Vault& documents, CommonForm common_form);

  void append(store::Record record, Committed committed) override {
    log_.append(std::move(record), std::move(committed));
  }
  [[nodiscard]] Result<std::vector<store::StoredRecord>> read(Sequence after, store::ReadLimits limits) const override;
  [[nodiscard]] Result<store::StoredRecord> at(Sequence sequence) const override;
  [[nodiscard]] std::vector<store::StoredRecord> some_of(std::span<const Sequence> records,
                                                         std::size_t bytes_max) const override;
  [[nodiscard]] Sequence end() const override { return log_.end(); }
  [[nodiscard]] std::string id() const override { return log_.id(); }
  void on_commit(std::function<void(Sequence)> listener) override { log_.on_commit(std::move(listener)); }

 private:
  [[nodiscard]] std::string readable(const store::StoredRecord& stored) const;

  store::EventLog& log_;
  store::Views& views_;
  const runtime::Vault& documents_;
  const CommonForm common_form_;
};

// `body` (in the common form) with what its uses led to in place of its links. `unsealed` gives a document's bytes;
// nothing where it cannot be read.
using Unsealed = std::function<std::optional<std::string>(const Sha256&)>;
std::string with_documents_of(std::string_view body, const std::vector<store::DocumentUse>& uses,
                              const Unsealed& unsealed);

}  // namespace resultsync::sync
