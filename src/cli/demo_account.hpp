// What the demo sent, against what each practitioner received: counted from the senders' notes and the receivers' feeds
// alone, so that the server is not its own witness.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cli/json_document.hpp"
#include "cli/sending.hpp"

namespace resultsync::cli {

// What one practitioner received.
class Received {
 public:
  void add(JsonValue item);

  [[nodiscard]] std::size_t items() const { return items_; }
  [[nodiscard]] std::size_t twice() const { return twice_; }
  [[nodiscard]] const std::set<std::string>& orders() const { return orders_; }
  // The versions of each ordered test.
  [[nodiscard]] const std::map<std::string, std::set<std::string>>& versions() const { return versions_; }

 private:
  std::size_t items_ = 0;
  std::size_t twice_ = 0;                               // the same news of the same event once more
  std::set<std::pair<std::string, std::string>> seen_;  // event, ordered test
  std::set<std::string> orders_;
  std::map<std::string, std::set<std::string>> versions_;
};

struct PractitionerAccount {
  std::size_t orders_expected = 0;
  std::size_t orders_received = 0;
  std::size_t results_expected = 0;  // results and corrections that were acknowledged
  std::size_t results_received = 0;
  std::size_t lost = 0;  // orders and results that are missing
  std::size_t twice = 0;
  std::size_t foreign = 0;  // orders of another clinic
  [[nodiscard]] bool right() const { return lost == 0 && twice == 0 && foreign == 0; }
};

// `acknowledged` are the events that were answered 2xx at least once. Each result or correction among them is one
// content of its ordered test that no other has, and so one version.
PractitionerAccount account_of(const std::vector<const OutgoingEvent*>& acknowledged, const std::string& clinic,
                               const Received& received);

}  // namespace resultsync::cli
