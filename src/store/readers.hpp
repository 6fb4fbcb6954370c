// Those who read feeds, and what they said of it: consumers with an offset that we keep for them, and acknowledgements.
// Durable facts, a facet of the views: reached by readers() of a snapshot or a transaction, and part of it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/reach.hpp"
#include "store/views.hpp"

namespace resultsync::store {

// A named reader of one practitioner's feed.
struct ConsumerRow {
  std::string name;
  std::int64_t position = 0;  // the last item that it has committed; 0 before the first
  Timestamp created_at;
  Timestamp committed_at;
};

// An item of a feed that the application has not acknowledged. Only what its practitioner may still see (S5).
struct UnacknowledgedRow {
  PractitionerKey practitioner_key;
  AppPractitionerId practitioner;
  std::int64_t position = 0;
  bool is_result = false;
  SourceId source;
  OrderId order;
  OrderedTestId test;  // of a result
  std::int64_t version = 0;
  Timestamp issued_at;
};
struct UnacknowledgedFilter {
  std::optional<PractitionerKey> practitioner;
  Timestamp issued_until;  // items of that moment or before
};
struct FeedPlace {  // where a page ended
  PractitionerKey practitioner;
  std::int64_t position = 0;
};
// Of the practitioners for whom anything was acknowledged ever: who never acknowledges does not mean to.
struct UnacknowledgedTotals {
  std::int64_t items = 0;
  std::optional<Timestamp> oldest_issued_at;
};

struct FeedEnd {
  AppPractitionerId practitioner;
  std::int64_t last_position = 0;
};

class ReaderReads {
 public:
  virtual ~ReaderReads() = default;
  virtual std::optional<ConsumerRow> consumer(PractitionerKey practitioner, const std::string& name) = 0;
  virtual std::vector<ConsumerRow> consumers(PractitionerKey practitioner) = 0;  // by name

  // Where the feeds of these practitioners end. Who is not connected is left out.
  virtual std::vector<FeedEnd> feed_ends(std::span<const AppPractitionerId> practitioners) = 0;

  // Everything up to this position was acknowledged; 0 if nothing was.
  virtual std::int64_t acknowledged_through(PractitionerKey practitioner) = 0;
  virtual std::vector<UnacknowledgedRow> unacknowledged(const UnacknowledgedFilter& filter, FeedPlace after,
                                                        std::size_t limit, Reach reach) = 0;
  virtual UnacknowledgedTotals unacknowledged_totals() = 0;
};

class ReaderWrites {
 public:
  virtual ~ReaderWrites() = default;
  virtual void save_consumer(PractitionerKey practitioner, const ConsumerRow& consumer) = 0;  // adds or replaces
  virtual void forget_consumer(PractitionerKey practitioner, const std::string& name) = 0;

  // Never takes back what was acknowledged before.
  virtual void acknowledge_through(PractitionerKey practitioner, std::int64_t position, Timestamp now) = 0;
  virtual void acknowledge(PractitionerKey practitioner, const std::vector<std::int64_t>& positions, Timestamp now) = 0;
};

}  // namespace resultsync::store
