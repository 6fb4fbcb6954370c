// The queries of reviews.hpp on one connection.
#pragma once

#include "store/reviews.hpp"
#include "store/sql/asked.hpp"
#include "store/sql/database.hpp"

namespace resultsync::store::sql {

// The questions of SqlReviewReads::last_said(), so that they can be asked together with others.
class AskedLastSaid {
 public:
  AskedLastSaid(Database& database, const AskedNumbers& orders);
  void ask_ahead();
  void read(LastSaid& said);

 private:
  Query signatures_;
  Query criticals_;
};

class SqlReviewReads final : public ReviewReads {
 public:
  explicit SqlReviewReads(Database& database) : database_(database) {}
  std::vector<SignatureRow> signatures(OrderKey order, const OrderedTestId& test, SignatureKey before,
                                       std::size_t limit) override;
  LastSaid last_said(std::span<const OrderKey> orders) override;
  std::optional<SignatureRow> last_signature_of(OrderKey order, const OrderedTestId& test, int version) override;
  std::vector<CriticalRow> critical(const CriticalFilter& filter, CriticalKey after, std::size_t limit) override;
  std::optional<CriticalRow> last_critical(OrderKey order, const OrderedTestId& test) override;
  std::optional<CriticalRow> critical_version(OrderKey order, const OrderedTestId& test, int version) override;
  std::optional<CriticalRow> critical_row(CriticalKey key) override;
  std::vector<CriticalAcknowledgement> acknowledgements(CriticalKey key) override;
  CriticalTotals critical_totals() override;
  std::vector<CriticalRow> critical_work(Timestamp now, CriticalKey after, std::size_t limit) override;
  std::optional<Timestamp> next_critical_step(Timestamp now) override;

 private:
  Database& database_;
};

class SqlReviewWrites final : public ReviewWrites {
 public:
  explicit SqlReviewWrites(Database& database) : database_(database) {}
  SignatureKey add_signature(const SignatureRow& signature) override;
  void set_review(OrderKey order, const OrderedTestId& test, Review review) override;
  CriticalKey add_critical(const CriticalRow& row) override;
  void save_critical(const CriticalRow& row) override;
  void reconsider(OrderKey order, const OrderedTestId& test) override;
  void add_acknowledgement(const CriticalAcknowledgement& acknowledgement) override;

 private:
  Database& database_;
};

}  // namespace resultsync::store::sql
