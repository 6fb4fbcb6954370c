// Which connected clinics are quieter than their own history: a clinic that sends nothing any more looks like one that
// has nothing to send. Used by one thread.
#pragma once

#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include "store/network.hpp"

namespace resultsync::network {

struct SilentClinic {
  SourceId source;
  ClinicId clinic;
  Timestamp last_event_at;
  std::chrono::seconds usual_gap{0};  // between its events, in the mean
};

class Silence {
 public:
  explicit Silence(std::uint64_t records_at_once = 20'000) : records_at_once_(records_at_once) {}

  // Takes up the events that were applied since the time before, of `records_at_once` records at most: a history of
  // millions takes some minutes of calls, and none of them keeps the database busy. An event counts for the clinic that
  // its order has when it is read, and not at all if the order has none.
  // False: there is more to read. Errors: the store's; what was read before stays.
  Result<bool> read_on(store::ViewsSnapshot& snapshot);

  // Of those that are connected now. Ordered by source and clinic.
  [[nodiscard]] Result<std::vector<SilentClinic>> clinics(store::ViewsSnapshot& snapshot, Timestamp now) const;

 private:
  struct History {
    std::int64_t events = 0;
    Timestamp first_at;
    Timestamp last_at;
  };
  const std::uint64_t records_at_once_;
  std::map<std::pair<SourceId, ClinicId>, History> histories_;
  Sequence read_to_;
};

}  // namespace resultsync::network
