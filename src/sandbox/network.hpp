// The simulated network behind its faces: the world in its time, the authorization server, links, webhooks, the ledger.
//
// Threads: "sandbox-world" moves the world on; the faces come from the event loops of the listener; the courier has its
// own. All of them enter() by one lock, so what each sees is one moment.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "sandbox/clock.hpp"
#include "sandbox/courier.hpp"
#include "sandbox/documents.hpp"
#include "sandbox/oauth.hpp"
#include "sandbox/resources.hpp"
#include "sandbox/switches.hpp"
#include "sandbox/world.hpp"

namespace resultsync::sandbox {

// Whose faces it has.
enum class NetworkKind { kRupa, kFullscript };

struct NetworkOptions {
  NetworkKind kind = NetworkKind::kRupa;
  WorldOptions world;
  OAuthOptions oauth;
  CourierOptions courier;
  Switches switches;
  double speed = 1;
  std::optional<std::string> webhook;
  bool all_clinics = false;
  std::int64_t rate_requests = 600, rate_seconds = 60;  // 0 requests: no limit
};

// One line of the ledger: an event as it was released.
struct LedgerEntry {
  std::string event, type, created_at, order, clinic, patient, ordered_test, what, body_sha256;
  struct ResultFacts {
    int version = 0;
    std::string hl7_sha256, pdf_sha256, received;
  };
  std::optional<ResultFacts> result;
  bool connected = false;
};

class Network {
 public:
  // `base`: "http://127.0.0.1:8090", what its own links begin with. The clock must outlive it.
  Network(NetworkOptions options, std::string base, const runtime::Clock& clock);
  ~Network();

  // Everything that one moment holds. Members are used through Inside only.
  struct State {
    World world;
    OAuth oauth;
    DocumentLinks links;
    Switches switches;
    std::vector<LedgerEntry> ledger;
    std::map<std::string, std::size_t, std::less<>> ledger_by_event;
    std::set<std::size_t> ever_connected;  // clinics
    std::int64_t lose_next = 0;
    std::map<std::string, std::int64_t, std::less<>> document_requests;  // by link
    struct Window {
      Timestamp begins;
      std::int64_t count = 0;
    };
    std::map<std::uint64_t, Window> rates;                          // by grant
    std::map<std::string, std::int64_t, std::less<>> api_requests;  // by method and target: what its switches draw by
    std::uint64_t test_events = 0;
  };

  // The lock, with the world moved on to now.
  class Inside {
   public:
    State* operator->() const { return &network_.state_; }
    State& operator*() const { return network_.state_; }
    [[nodiscard]] World::Told told() const {
      return [network = &network_](const Happening& happening) { network->release(happening); };
    }

   private:
    friend class Network;
    explicit Inside(Network& network) : network_(network), lock_(network.mutex_) {}
    Network& network_;
    std::unique_lock<std::mutex> lock_;
  };
  [[nodiscard]] Inside enter();

  [[nodiscard]] Courier& courier() { return courier_; }
  [[nodiscard]] const NetworkOptions& options() const { return options_; }
  [[nodiscard]] const std::string& base() const { return base_; }
  [[nodiscard]] Timestamp real_now() const { return clock_.now(); }
  [[nodiscard]] SimulatedClock& time() { return time_; }
  void wake();  // simulated time has jumped, or was paused

  void set_switches(const Switches& switches);  // not while inside
  [[nodiscard]] DocumentForms forms(const Inside& inside, std::string_view event = {});
  // An event that is about nothing; its id.
  std::string send_test_event();
  // Nothing is planned any more and every delivery has ended.
  [[nodiscard]] bool quiet();

 private:
  void release(const Happening& happening);  // with the lock
  void run(std::stop_token stop);

  const NetworkOptions options_;
  const std::string base_;
  const runtime::Clock& clock_;
  SimulatedClock time_;
  Courier courier_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::uint64_t wakes_ = 0;  // guarded by mutex_
  State state_;              // guarded by mutex_
  std::jthread thread_;
};

}  // namespace resultsync::sandbox
