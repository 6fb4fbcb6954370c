#include "cli/demo_network.hpp"

#include <fmt/format.h>
#include <time.h>

#include <array>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "cli/json_document.hpp"
#include "cli/table.hpp"
#include "http/client.hpp"
#include "http/target.hpp"
#include "runtime/clock.hpp"
#include "vendors/signature_scheme.hpp"
#include "vendors/signing_keys.hpp"

namespace resultsync::cli {
namespace {

constexpr const char* kPractitioner = "dora";
constexpr int kOrders = 3;

// One request to the sandbox or to the public listener, as a browser or a script sends it.
Result<http::ClientResponse> ask(std::string method, std::string url, std::string body = {},
                                 std::vector<http::Header> headers = {}) {
  return http::send(
      {.method = std::move(method), .url = std::move(url), .headers = std::move(headers), .body = std::move(body)});
}

class Play {
 public:
  Play(const Terminal& terminal, const ApiClient& client, sandbox::Sandbox& network)
      : terminal_(terminal), client_(client), base_(network.base()) {}

  Result<bool> play(const std::string& webhook) {
    heading("A network to connect to, at " + base_);
    if (auto set = control("PUT", "/webhook", fmt::format(R"({{"url":"{}"}})", webhook)); !set)
      return std::unexpected(set.error());
    const auto state = control("GET", "/state");
    if (!state) return std::unexpected(state.error());
    const auto clinics = elements(state->root(), {"clinics"});
    if (clinics.empty()) return fail("server_failed", "the sandbox has no clinic");
    clinic_ = shown(clinics.front(), {"id"});
    const auto people = elements(clinics.front(), {"practitioners"});
    if (people.empty()) return fail("server_failed", "the sandbox has no practitioner");
    if (auto done = connect(shown(people.front(), {"id"})); !done) return forward_error(std::move(done));
    if (auto done = order_and_release(); !done) return forward_error(std::move(done));
    if (auto done = reconcile(); !done) return forward_error(std::move(done));
    return account();
  }

 private:
  void heading(const std::string& text) const {
    terminal_.out() << '\n' << terminal_.on_out(Paint::kBold, text) << '\n';
    terminal_.out().flush();
  }
  void line(const std::string& text) const {
    terminal_.out() << "  " << text << '\n';
    terminal_.out().flush();
  }

  Result<JsonDocument> control(const std::string& method, const std::string& path, std::string body = {}) const {
    auto answer = ask(method, base_ + "/control" + path, std::move(body), {{"Content-Type", "application/json"}});
    if (!answer) return forward_error(std::move(answer));
    if (answer->status / 100 != 2)
      return fail("server_failed", fmt::format("the sandbox answered {} to {}", answer->status, path));
    return JsonDocument::parse(answer->body);
  }

  // Asks again until `done` says so, for up to a minute.
  Result<void> wait(std::string_view what, const std::function<Result<bool>()>& done) const {
    for (int tries = 0; tries < 600; ++tries) {
      auto is = done();
      if (!is) return forward_error(std::move(is));
      if (*is) return {};
      const timespec pause{.tv_sec = 0, .tv_nsec = 100'000'000};
      ::nanosleep(&pause, nullptr);
    }
    return fail("timeout", fmt::format("{} took more than a minute", what));
  }
  Result<void> wait_until(std::string_view what, const std::string& target,
                          std::initializer_list<std::string_view> path, std::string_view value) const {
    return wait(what, [&]() -> Result<bool> {
      const auto answer = client_.get(target);
      if (!answer) return std::unexpected(answer.error());
      const auto document = JsonDocument::parse(*answer);
      if (!document) return std::unexpected(document.error());
      return shown(document->root(), path) == value;
    });
  }

  // What a person does in a browser.
  Result<void> connect(const std::string& practitioner) {
    const auto made = client_.send("POST", fmt::format("/v1/practitioners/{}/connect-link", kPractitioner),
                                   fmt::format(R"({{"source":"{}"}})", kDemoNetwork));
    if (!made) return std::unexpected(made.error());
    const auto link = JsonDocument::parse(*made);
    if (!link) return std::unexpected(link.error());
    const auto begun = ask("POST", shown(link->root(), {"url"}));
    if (!begun) return std::unexpected(begun.error());
    const std::string consent(begun->headers.only("Location").value_or(""));
    std::string cookie(begun->headers.only("Set-Cookie").value_or(""));
    cookie.resize(std::min(cookie.find(';'), cookie.size()));
    line("a one-use link leads " + std::string(kPractitioner) + " to the network's consent page");
    const std::string form =
        std::string(http::split_target(consent).query) + "&practitioner=" + practitioner + "&decision=accept";
    const auto accepted =
        ask("POST", base_ + "/oauth/authorize", form, {{"Content-Type", "application/x-www-form-urlencoded"}});
    if (!accepted) return std::unexpected(accepted.error());
    const auto back =
        ask("GET", std::string(accepted->headers.only("Location").value_or("")), {}, {{"Cookie", cookie}});
    if (!back) return std::unexpected(back.error());
    if (back->status != 200) return fail("server_failed", fmt::format("connecting ended with {}", back->status));
    line("she consents, and is connected to clinic " + clinic_);
    const std::string target = fmt::format("/v1/practitioners/{}", kPractitioner);
    const auto read = wait("reading earlier orders", [&]() -> Result<bool> {
      const auto answer = client_.get(target);
      if (!answer) return std::unexpected(answer.error());
      const auto document = JsonDocument::parse(*answer);
      if (!document) return std::unexpected(document.error());
      const auto connections = elements(document->root(), {"connections"});
      if (connections.empty() || shown(connections.front(), {"reading", "state"}) != "finished") return false;
      line(fmt::format("{} earlier orders of the clinic were read",
                       shown(connections.front(), {"reading", "orders_read"})));
      return true;
    });
    return read;
  }

  Result<void> order_and_release() {
    heading("Orders are placed, results come, one is corrected, one is lost by the network");
    std::vector<std::string> tests;
    for (int i = 0; i < kOrders; ++i) {
      const auto order = control("POST", "/orders", fmt::format(R"({{"clinic":"{}"}})", clinic_));
      if (!order) return std::unexpected(order.error());
      for (const JsonValue test : elements(order->root(), {"ordered_tests"})) tests.push_back(shown(test));
    }
    for (std::size_t i = 0; i < tests.size(); ++i) {
      const bool lose = i + 1 == tests.size();
      if (lose) {
        if (auto done = quiet(); !done) return done;
        if (auto set = control("POST", "/lose-next", R"({"count":1000})"); !set) return std::unexpected(set.error());
      }
      const auto released = control("POST", fmt::format("/ordered-tests/{}/release", tests[i]), R"({"stage":"final"})");
      if (!released) return std::unexpected(released.error());
    }
    if (auto set = control("POST", "/lose-next", R"({"count":0})"); !set) return std::unexpected(set.error());
    const auto corrected = control("POST", fmt::format("/ordered-tests/{}/correct", tests.front()), "{}");
    if (!corrected) return std::unexpected(corrected.error());
    if (auto done = quiet(); !done) return done;
    return wait_until("fetching documents", "/v1/network", {"documents", "pending"}, "0");
  }

  [[nodiscard]] Result<void> quiet() const {
    auto sent = wait("sending webhooks", [&]() -> Result<bool> {
      const auto state = control("GET", "/state");
      if (!state) return std::unexpected(state.error());
      return shown(state->root(), {"counts", "deliveries_waiting"}) == "0";
    });
    if (!sent) return sent;
    return wait_until("applying", "/v1/status", {"log", "lag_records"}, "0");
  }

  Result<void> reconcile() {
    const auto asked = client_.send("POST", "/v1/reconciliations", "{}");
    if (!asked) return std::unexpected(asked.error());
    const auto runs = JsonDocument::parse(*asked);
    if (!runs) return std::unexpected(runs.error());
    for (const JsonValue run : elements(runs->root(), {"items"})) {
      const std::string target = "/v1/reconciliations/" + shown(run, {"id"});
      if (auto done = wait_until("reconciling", target, {"state"}, "finished"); !done) return done;
      const auto ended = client_.get(target);
      if (!ended) return std::unexpected(ended.error());
      const auto document = JsonDocument::parse(*ended);
      if (!document) return std::unexpected(document.error());
      found_ += std::atoi(shown(document->root(), {"gaps"}).c_str());
      line(fmt::format("reconciliation read {} orders and found {} of which something was missing",
                       shown(document->root(), {"orders_read"}), found_));
    }
    if (auto done = wait_until("applying", "/v1/status", {"log", "lag_records"}, "0"); !done) return done;
    return wait_until("fetching documents", "/v1/network", {"documents", "pending"}, "0");
  }

  // The network's ledger against the practitioner's feed.
  Result<bool> account() {
    const auto ledger = ask("GET", base_ + "/control/ledger");
    if (!ledger) return std::unexpected(ledger.error());
    std::map<std::string, std::set<std::string>> released;  // contents by ordered test
    std::size_t lost = 0;
    std::istringstream lines(ledger->body);
    for (std::string text; std::getline(lines, text);) {
      const auto entry = JsonDocument::parse(text);
      if (!entry || shown(entry->root(), {"clinic"}) != clinic_ || shown(entry->root(), {"connected"}) != "true")
        continue;
      lost += shown(entry->root(), {"lost"}) == "true";
      const std::string test = shown(entry->root(), {"result", "ordered_test"});
      if (!test.empty()) released[test].insert(shown(entry->root(), {"result", "version"}));
    }
    std::map<std::string, std::set<std::string>> received;
    std::size_t foreign = 0;
    std::size_t documents = 0;
    std::string after;
    while (true) {
      const auto answer =
          client_.get(with_query("/v1/feed", {{"practitioner", kPractitioner}, {"limit", "200"}, {"after", after}}));
      if (!answer) return std::unexpected(answer.error());
      const auto page = JsonDocument::parse(*answer);
      if (!page) return std::unexpected(page.error());
      const auto items = elements(page->root(), {"items"});
      if (items.empty()) break;
      for (const JsonValue item : items) {
        foreign += shown(item, {"clinic_id"}) != clinic_;
        if (shown(item, {"type"}) != "result") continue;
        received[shown(item, {"ordered_test_id"})].insert(shown(item, {"result", "version"}));
        documents += shown(item, {"ordered_test", "attributes", "results_pdf"}).starts_with("document:sha256:");
      }
      after = shown(page->root(), {"next"});
    }
    std::size_t expected = 0;
    std::size_t arrived = 0;
    for (const auto& [test, contents] : released) {
      expected += contents.size();
      arrived += std::min(received[test].size(), contents.size());
    }
    heading("The network's account");
    const bool right = arrived == expected && foreign == 0 && found_ > 0 && documents > 0;
    print_facts(terminal_,
                {{"  released", fmt::format("{} results since the connection, by the network's own ledger", expected)},
                 {"  received", fmt::format("{} of them; {} that are not hers", arrived, foreign)},
                 {"  never sent", fmt::format("{} events; {} orders found by reconciliation", lost, found_)},
                 {"  documents",
                  fmt::format("{} results with a PDF that was fetched and is named by its SHA-256", documents)}});
    return right;
  }

  const Terminal& terminal_;
  const ApiClient& client_;
  const std::string base_;
  std::string clinic_;
  int found_ = 0;
};

}  // namespace

Result<std::unique_ptr<sandbox::Sandbox>> start_demo_network(const std::string& secret,
                                                             const std::string& client_secret,
                                                             const runtime::Clock& clock) {
  sandbox::SandboxOptions options;
  options.listen = "127.0.0.1:0";
  auto scheme = vendors::signature_preset("t-v1");
  if (!scheme) return forward_error(std::move(scheme));
  const std::array secrets{Secret<std::string>(secret)};
  const std::array others{Secret<std::string>(secret + "-of-nobody")};
  auto keys = vendors::SigningKeys::read(*scheme, secrets);
  auto wrong = vendors::SigningKeys::read(*scheme, others);
  if (!keys) return forward_error(std::move(keys));
  if (!wrong) return forward_error(std::move(wrong));
  options.network.world.orders_max = 0;
  options.network.world.start = Timestamp::from_seconds(clock.now().seconds());
  options.network.oauth.client_id = "demo";
  options.network.oauth.client_secret = client_secret;
  options.network.courier.scheme = *scheme;
  options.network.courier.keys = std::move(*keys);
  options.network.courier.wrong_keys = std::move(*wrong);
  return sandbox::Sandbox::start(std::move(options), clock);
}

Result<bool> play_demo_network(const Terminal& terminal, const ApiClient& client, const std::string& webhook,
                               sandbox::Sandbox& network) {
  return Play(terminal, client, network).play(webhook);
}

}  // namespace resultsync::cli
