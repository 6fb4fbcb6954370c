// Giving entries to the practitioners who are connected to an order's clinic (S5, S6).
#pragma once

#include <vector>

#include "store/views.hpp"

namespace resultsync::sync {

struct Settled {
  std::size_t items = 0;   // feed items that were issued
  bool connected = false;  // somebody is connected to the order's clinic
};

// Settles which clinic the order belongs to, as far as that can be known now, and gives it to everybody connected to
// that clinic: `fresh` entries if the order was given out before, and else all that was parked. Events that waited for
// it are then synced, or wait for the reason that is left. Saves the order's row.
Settled settle_and_issue(store::ViewsTransaction& transaction, store::OrderRecord& order,
                         const std::vector<store::Entry>& fresh, Timestamp now);

// Gives one connection what a backfill owes it of one order: all that was parked when the connection was made, or else
// what is current.
std::size_t issue_backfill(store::ViewsTransaction& transaction, store::OrderRecord& order,
                           const store::ConnectionRow& connection, store::EntryKey through, Timestamp now);

}  // namespace resultsync::sync
