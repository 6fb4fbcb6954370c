// The leases of the sync step's slots in PostgreSQL, by the server's clock (decision 0036).
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "runtime/clock.hpp"
#include "store/postgres/database.hpp"
#include "store/slots.hpp"

namespace resultsync::store::postgres {

struct SlotOptions {
  std::chrono::milliseconds lease{10'000};  // who is silent for longer loses what they held
  std::chrono::milliseconds look_every{1'000};
};

inline constexpr std::size_t kSlots = 16;            // rows of `slots`: as many instances can share the work
inline constexpr std::int64_t kDispatcher = kSlots;  // the lease of whoever gives records their slots

class PostgresSlots final : public SlotLeases {
 public:
  // The tables must be there (open_postgres_views()). The clock must outlive this.
  PostgresSlots(ConnectOptions connect, const runtime::Clock& clock, SlotOptions options = {});
  ~PostgresSlots() override;  // give_back()

  Result<HeldSlots> hold() override;
  void ask_again() override { looked_at_.reset(); }
  void give_back() override;
  Result<std::vector<Dispatch>> dispatched(Sequence after, std::size_t records) override;
  Result<void> dispatch(const Dispatch& dispatch) override;

 private:
  Result<Database*> connection();
  Result<HeldSlots> look(Database& database);

  const ConnectOptions connect_;
  const SlotOptions options_;
  const runtime::Clock& clock_;
  const std::string member_;
  std::unique_ptr<Database> database_;
  HeldSlots held_;
  bool takes_part_ = false;                                         // others know of it
  std::optional<std::chrono::steady_clock::time_point> looked_at_;  // empty: look now
};

// Adds what is missing of the rows of `slots`, as after a move: each is as far as the one that is least far.
void complete_slots(Database& database);

// What was dispatched behind `after`, in order; all of about so many records.
std::vector<Dispatch> dispatches(Database& database, Sequence after, std::size_t records);

// Inside a transaction: locks the leases that `owner` has to its end, and says how far every slot is.
struct LockedSlots {
  std::vector<SlotProgress> progress;  // of every slot, ascending
  bool gives_slots = false;
};
LockedSlots lock_slots(Database& database, const std::string& owner);

}  // namespace resultsync::store::postgres
