// What the sync step applies next: the records of this process's slots, in the order of the line, read and decoded
// before their transaction begins. As the dispatcher it also gives records their slots (store/slots.hpp).
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "store/event_log.hpp"
#include "store/slots.hpp"
#include "store/views.hpp"
#include "sync/apply.hpp"

namespace resultsync::sync {

struct NextRecord {
  store::StoredRecord stored;
  std::optional<Reading> reading;   // as read_record() gives it
  std::optional<store::Slot> slot;  // nothing: it was never given one; all slots are as far as each other there
};

// Used by one thread.
class ReadAhead {
 public:
  // The log, the leases and the options must outlive it.
  ReadAhead(const store::EventLog& log, store::SlotLeases& leases, const ApplyOptions& options)
      : log_(log), leases_(leases), options_(options) {}

  // Begins anew with these slots, behind what is applied in all of them.
  Result<void> restart(const store::HeldSlots& held, const std::vector<store::SlotProgress>& progress);

  // Reads the next records, and makes those of our slots pending. False: there are none now. `all_applied`: as far as
  // every slot is. Errors: those of the log; kUnavailable and kNotHeld, after which it has to be restarted.
  Result<bool> read_on(store::ReadLimits limits, Sequence all_applied);

  [[nodiscard]] const std::deque<NextRecord>& pending() const { return pending_; }  // in order
  [[nodiscard]] std::size_t pending_bytes() const { return bytes_; }                // of their bodies
  void drop(std::size_t records);  // the first of them: they were applied
  // Every record of our slots up to here was made pending.
  [[nodiscard]] Sequence through() const { return through_; }

 private:
  // What is known of records that may not be applied yet: an event that comes again, with whatever body, goes where it
  // went before, since the first of them in the line has to be applied first (I2).
  class Recent {
   public:
    void clear() { *this = {}; }
    void forget_through(Sequence applied);
    void add(Sequence record, std::string event, store::Slot slot);
    [[nodiscard]] std::optional<store::Slot> slot_of_event(const std::string& event) const;
    [[nodiscard]] std::optional<store::Slot> slot_of_record(Sequence record) const;
    [[nodiscard]] std::size_t size() const { return order_.size(); }

   private:
    std::deque<std::pair<Sequence, std::string>> order_;
    std::unordered_map<std::uint64_t, store::Slot> records_;
    std::unordered_map<std::string, store::Slot> events_;
  };

  Result<bool> read_everything(store::ReadLimits limits);
  Result<bool> read_dispatched(store::ReadLimits limits);
  Result<bool> dispatch(store::ReadLimits limits);
  [[nodiscard]] bool is_ours(store::Slot slot) const;
  [[nodiscard]] std::optional<store::Slot> known_slot(Sequence record) const;
  Result<store::Slot> slot_for(const store::StoredRecord& stored, const std::optional<Reading>& reading) const;
  void take(store::StoredRecord stored, std::optional<Reading> reading, std::optional<store::Slot> slot);

  const store::EventLog& log_;
  store::SlotLeases& leases_;
  const ApplyOptions& options_;
  store::HeldSlots held_;
  std::deque<NextRecord> pending_;
  std::size_t bytes_ = 0;
  Sequence through_;
  std::deque<store::Dispatch> dispatches_;  // behind through_, as far as they were asked for
  std::optional<Sequence> gap_after_;       // where slots were missing once
  Recent recent_;                           // of the dispatcher
};

// The name by which an event is known again, and the slot of a record by what it says.
std::string name_of_event(const SourceId& source, const EventId& id);
store::Slot slot_of_reading(const store::Record& record, const Reading& reading, std::size_t slots);

}  // namespace resultsync::sync
