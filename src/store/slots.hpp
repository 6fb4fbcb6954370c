// The work of the sync step, shared out over the instances of an installation. All events of an order are of one slot;
// who holds a slot applies its records, in the order of the line, and nobody else does meanwhile. Where one process
// does all the work there is one slot, and it is always that process's.
//
// Which slot a record is of is written down once, by whoever holds the lease for that (the dispatcher), and is the same
// for everybody from then on: instances may differ in version and configuration, and must not differ in this. Whoever
// holds everything needs no such note: all slots advance together.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/sequence.hpp"

namespace resultsync::store {

using Slot = std::uint8_t;

// The slot of an order, or of whatever else is known by that name. The same on every machine.
Slot slot_of(const SourceId& source, std::string_view name, std::size_t slots);

// What a process may apply until it asks again.
struct HeldSlots {
  std::string owner;          // as the leases name this process
  std::vector<Slot> slots;    // ascending
  std::size_t of = 1;         // how many there are
  bool gives_slots = true;    // holds the lease of the dispatcher
  std::uint64_t takings = 0;  // how often something was taken: what was held before may have been another's meanwhile
  [[nodiscard]] bool is_everything() const { return gives_slots && slots.size() == of; }
  bool operator==(const HeldSlots&) const = default;
};

// How far one slot is.
struct SlotProgress {
  Slot slot = 0;
  Sequence applied;
  bool held = true;  // by the transaction that says so, to its end
};

// The slots of records that follow one another: slots[0] is that of `first`.
struct Dispatch {
  Sequence first;
  std::vector<Slot> slots;
  [[nodiscard]] Sequence last() const { return {first.value + slots.size() - 1}; }
};

// The leases, as one process sees them. Used by one thread.
class SlotLeases {
 public:
  virtual ~SlotLeases() = default;

  // Renews what is held, takes what is this process's share, gives back what is beyond it. Asks seldom: what it says
  // may be a second old, and a transaction that was begun with it says what still holds. Error: kUnavailable.
  virtual Result<HeldSlots> hold() = 0;
  // What was said does not hold any more, it seems: the next hold() asks.
  virtual void ask_again() = 0;
  // Before a process ends: others need not wait until its leases are over. What cannot be given back runs out.
  virtual void give_back() = 0;

  // What was dispatched behind `after`, in order; at most about `records` of them. Nothing at the end.
  virtual Result<std::vector<Dispatch>> dispatched(Sequence after, std::size_t records) = 0;
  // Of the dispatcher: what follows all that was dispatched and applied. Errors: `not_held` (the lease is another's
  // now), kUnavailable: read what became of it.
  virtual Result<void> dispatch(const Dispatch& dispatch) = 0;
};

inline constexpr std::string_view kNotHeld = "not_held";

// Of a store that one process has for itself: one slot, always held.
class OneSlot final : public SlotLeases {
 public:
  Result<HeldSlots> hold() override { return HeldSlots{.owner = {}, .slots = {0}}; }
  void ask_again() override {}
  void give_back() override {}
  Result<std::vector<Dispatch>> dispatched(Sequence, std::size_t) override { return std::vector<Dispatch>{}; }
  Result<void> dispatch(const Dispatch&) override { return {}; }
};

}  // namespace resultsync::store
