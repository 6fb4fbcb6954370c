#include "cli/demo_account.hpp"

#include <algorithm>

namespace resultsync::cli {

void Received::add(JsonValue item) {
  ++items_;
  const std::string test = shown(item, {"ordered_test_id"});
  if (!seen_.emplace(shown(item, {"event_id"}), test).second) ++twice_;
  orders_.insert(shown(item, {"order_id"}));
  if (!test.empty()) versions_[test].insert(shown(item, {"result", "version"}));
}

PractitionerAccount account_of(const std::vector<const OutgoingEvent*>& acknowledged, const std::string& clinic,
                               const Received& received) {
  std::set<std::string> orders;
  std::map<std::string, std::size_t> contents;
  for (const OutgoingEvent* event : acknowledged) {
    if (event->clinic != clinic) continue;
    orders.insert(event->order);
    if (event->kind == "result" || event->kind == "correction") ++contents[event->ordered_test];
  }
  PractitionerAccount account{.orders_expected = orders.size(), .twice = received.twice()};
  for (const std::string& order : received.orders()) {
    orders.contains(order) ? ++account.orders_received : ++account.foreign;
  }
  for (const auto& [test, expected] : contents) {
    const auto found = received.versions().find(test);
    const std::size_t came = found == received.versions().end() ? 0 : found->second.size();
    account.results_expected += expected;
    account.results_received += came;
    account.lost += expected - std::min(expected, came);
    account.twice += came - std::min(expected, came);  // a version that nothing was sent for
  }
  account.lost += account.orders_expected - account.orders_received;
  return account;
}

}  // namespace resultsync::cli
