#include "sync/index_results.hpp"

#include <algorithm>
#include <memory>
#include <set>

#include "orders/decode.hpp"
#include "results/result_file.hpp"
#include "runtime/vault.hpp"
#include "store/document_bytes.hpp"
#include "store/network.hpp"
#include "sync/critical.hpp"
#include "sync/documents.hpp"
#include "sync/result_names.hpp"

namespace resultsync::sync {
namespace {

using orders::Notice;
using results::ResultFile;

constexpr std::string_view kMember = "results_hl7";

// The news of one ordered test: the version that is current, and the content of this event if it was not seen before.
struct TestNews {
  const orders::TestHistory* test = nullptr;
  bool new_content = false;
  bool current_changed = false;
};

// Whether no other event showed the content of the one of that record. (Versions do not tell: while a rebuild reads,
// all of them are known from the start.)
bool is_new_content(const orders::TestHistory& test, Sequence record) {
  const auto point = std::ranges::find(test.points, record, &orders::TestPoint::record);
  return point != test.points.end() && point->has_content &&
         std::ranges::count(test.points, point->content, &orders::TestPoint::content) == 1;
}

std::vector<TestNews> news_in(const IndexInput& input) {
  std::vector<TestNews> all;
  for (const orders::TestHistory& test : input.order.history.tests) {
    TestNews news{&test, is_new_content(test, input.record), false};
    for (const Notice& notice : input.change.notices)
      news.current_changed |= notice.kind == Notice::Kind::kResult && notice.test == test.id && notice.current;
    if (news.new_content || news.current_changed) all.push_back(news);
  }
  return all;
}

// The patient that the event names, if no other of the order's events did.
void index_patient(store::ViewsTransaction& transaction, const IndexInput& input) {
  const auto& points = input.order.history.points;
  const auto point = std::ranges::find(points, input.record, &orders::OrderPoint::record);
  if (point == points.end() || point->patient.empty()) return;
  if (std::ranges::count(points, point->patient, &orders::OrderPoint::patient) > 1) return;
  transaction.results().add_patient(input.order.row.source, point->patient);
}

// The file that the event shows; one that stood behind a link is read where it is kept.
ResultFile file_of(store::ViewsTransaction& transaction, const IndexInput& input, const OrderedTestId& test,
                   const DocumentBytes& document_bytes) {
  ResultFile file = results::read_result_file(orders::attribute_of(input.body, test, kMember));
  if (file.form != ResultFile::Form::link || !document_bytes) return file;
  auto& views = transaction.read();
  const std::string body = with_documents_of(input.body, views.network().uses_of(input.record),
                                             [&](const Sha256& sha256) { return document_bytes(views, sha256); });
  return results::read_result_file(orders::attribute_of(body, test, kMember));
}

void index_test(store::ViewsTransaction& transaction, const IndexInput& input, const TestNews& news,
                const ResultIndex& index) {
  const orders::TestPoint& latest = news.test->points.back();
  const bool shows_current = latest.record == input.record && latest.has_content;
  ResultFile file;
  ResultNames names;
  if (news.new_content || (news.current_changed && shows_current)) {
    file = file_of(transaction, input, news.test->id, index.document_bytes);
    if (news.new_content) names = names_in(file.content);
  }

  store::ResultWrites::Change change;
  change.order = input.order.row.key;
  change.source = input.order.row.source;
  change.order_id = input.order.row.id;
  change.clinic = input.order.row.clinic;
  change.test = news.test->id;
  change.version = news.test->current();
  if (news.current_changed) change.status = shows_current ? status_of(file) : kWithdrawn;
  change.changed_at = input.received_at;
  change.taken = names.taken;
  transaction.results().save(change);
  if (input.is_live) {
    note_critical(transaction, {.order = input.order,
                                .test = *news.test,
                                .record = input.record,
                                .received_at = input.received_at,
                                .new_content = news.new_content,
                                .current_changed = news.current_changed,
                                .shows_current = shows_current,
                                .file = file,
                                .panic_flags = index.panic_flags});
  }
  if (!news.new_content) return;
  const store::TestName test{change.order, change.test};
  if (!names.codes.empty()) {
    transaction.results().add_codes(test, index.key.set(names.codes), [&] {
      std::vector<store::Term> terms;
      for (const std::string& code : names.codes) terms.push_back(index.key.code(code));
      return terms;
    });
  }
  for (const std::string& value : names.identifiers)
    transaction.results().add_identifier(test, index.key.identifier(value));
  std::size_t documents = 0;
  for (const results::Document& document : file.content.documents) {
    if (++documents > kIndexDocumentsMax) break;
    transaction.results().add_document(test, document.digest(), input.record);
  }
}

}  // namespace

void ResultIndex::add(store::ViewsTransaction& transaction, const IndexInput& input) const {
  index_patient(transaction, input);
  for (const TestNews& news : news_in(input)) index_test(transaction, input, news, *this);
}

ResultIndex result_index(const runtime::MasterKey& master) {
  const auto vault = std::make_shared<const runtime::Vault>(master, "documents");  // shared by the copies of the index
  return {IndexKey(master.derived(IndexKey::kPurpose)),
          [vault](store::ViewsSnapshot& views, const Sha256& sha256) -> std::optional<std::string> {
            const auto row = views.network().document(sha256);
            if (!row) return std::nullopt;
            auto bytes = store::open_document(*vault, sha256, row->sealed);
            return bytes ? std::optional(std::move(*bytes)) : std::nullopt;
          }};
}

// What has come least far speaks for what is not final yet; of what is final, that something was changed.
std::string_view status_of(const ResultFile& file) {
  using results::Status;
  std::set<Status> seen;
  for (const results::Report& report : file.content.reports) seen.insert(report.status->status);
  if (seen.size() > 1) {
    for (const Status taken_back : {Status::entered_in_error, Status::cancelled, Status::unknown}) {
      if (seen.size() > 1) seen.erase(taken_back);
    }
  }
  const auto has = [&](Status status) { return seen.contains(status); };
  const bool waits = has(Status::registered) || has(Status::partial) || has(Status::preliminary);
  const bool is_done = has(Status::final) || has(Status::amended) || has(Status::corrected);
  if (waits && is_done) return results::status_name(Status::partial);
  for (const Status status : {Status::registered, Status::partial, Status::preliminary, Status::corrected,
                              Status::amended, Status::final, Status::cancelled, Status::entered_in_error}) {
    if (has(status)) return results::status_name(status);
  }
  return results::status_name(Status::unknown);
}

}  // namespace resultsync::sync
