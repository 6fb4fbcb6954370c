// Whether a commit on this server means what I1 needs it to mean. Read from the server's own settings, by whoever opens
// the store (which refuses), by readiness, and by the operator's commands.
#pragma once

#include <string>
#include <vector>

#include "base/timestamp.hpp"
#include "store/postgres/database.hpp"

namespace resultsync::store::postgres {

struct DurabilityWish {
  bool standby = false;  // a commit must be on a standby too, so that losing the primary loses nothing
};

struct DurabilityFinding {
  std::string_view name;  // "fsync", "synchronous_commit" …
  bool ok = true;
  std::string detail;  // the setting as it is
};

struct Durability {
  std::vector<DurabilityFinding> findings;
  [[nodiscard]] bool sound() const;
  [[nodiscard]] std::string faults() const;  // "fsync = off, …"; empty if it is sound
};

// Errors stay on the connection. `now` is this machine's clock, compared with the server's.
Durability examine_durability(Database& database, DurabilityWish wish, Timestamp now);

}  // namespace resultsync::store::postgres
