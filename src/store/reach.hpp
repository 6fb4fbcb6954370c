// What of the house somebody may see (S5). An API key may be limited to practitioners, whose clinics it then reaches,
// or to clinics; the limits are rows beside the key (visible_clinics in sqlite/migrations/0002_reach.up.sql), so that
// every query limits itself:
//
//   ... WHERE (?9 = 0 OR EXISTS (SELECT 1 FROM visible_clinics v
//                                WHERE v.reach = ?9 AND v.source = o.source AND v.clinic_id = o.clinic_id))
#pragma once

#include <cstdint>

namespace resultsync::store {

struct Reach {
  std::int64_t value = 0;  // the number of the key that is limited; 0: everything
  auto operator<=>(const Reach&) const = default;
  [[nodiscard]] bool is_everything() const { return value == 0; }
};

// Of the house's own steps, which work for everybody.
inline constexpr Reach kEverything{};

}  // namespace resultsync::store
