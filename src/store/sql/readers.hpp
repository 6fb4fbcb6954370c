// The queries of readers.hpp on one connection.
#pragma once

#include "store/readers.hpp"
#include "store/sql/database.hpp"

namespace resultsync::store::sql {

class SqlReaderReads final : public ReaderReads {
 public:
  explicit SqlReaderReads(Database& database) : database_(database) {}
  std::optional<ConsumerRow> consumer(PractitionerKey practitioner, const std::string& name) override;
  std::vector<ConsumerRow> consumers(PractitionerKey practitioner) override;
  std::vector<FeedEnd> feed_ends(std::span<const AppPractitionerId> practitioners) override;
  std::int64_t acknowledged_through(PractitionerKey practitioner) override;
  std::vector<UnacknowledgedRow> unacknowledged(const UnacknowledgedFilter& filter, FeedPlace after, std::size_t limit,
                                                Reach reach) override;
  UnacknowledgedTotals unacknowledged_totals() override;

 private:
  std::vector<FeedPlace> unacknowledged_feeds(const UnacknowledgedFilter& filter, FeedPlace after, Reach reach);
  void add_unacknowledged(std::vector<UnacknowledgedRow>& rows, FeedPlace after, Timestamp issued_until,
                          std::size_t limit, Reach reach);

  Database& database_;
};

class SqlReaderWrites final : public ReaderWrites {
 public:
  explicit SqlReaderWrites(Database& database) : database_(database) {}
  void save_consumer(PractitionerKey practitioner, const ConsumerRow& consumer) override;
  void forget_consumer(PractitionerKey practitioner, const std::string& name) override;
  void acknowledge_through(PractitionerKey practitioner, std::int64_t position, Timestamp now) override;
  void acknowledge(PractitionerKey practitioner, const std::vector<std::int64_t>& positions, Timestamp now) override;

 private:
  void set_through(PractitionerKey practitioner, std::int64_t through, Timestamp now);
  Database& database_;
};

}  // namespace resultsync::store::sql
