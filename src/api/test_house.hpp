// A whole house for tests: a log, views, the sync step and the API behind a real listener on a loopback port.
#pragma once

#include <gtest/gtest.h>
#include <simdjson.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "api/api.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "store/memory/memory_log.hpp"
#include "store/sqlite/sqlite_views.hpp"
#include "sync/documents.hpp"
#include "sync/sync.hpp"
#include "tests/support/event_body.hpp"
#include "tests/support/views.hpp"

namespace resultsync::api {

// What a network sends: one order with one ordered test, whose `results_hl7` is `result` (null if it is empty).
struct SentEvent {
  std::string id = "evt_1";
  std::string created_at = "2024-06-13T20:28:50Z";
  std::string order = "ord_1";
  std::string test = "ordts_1";
  std::string result = "A";
  std::string clinic = "cli_1";
  std::string practitioner = "pra_1";
  std::string patient = "pat_1";
  std::string status = "In Progress";
  std::string type = "order.new_result";
};

inline std::string body_of(const SentEvent& event) {
  return test::EventBody(event.id)
      .at(event.created_at)
      .type(event.type)
      .order(event.order)
      .status(event.status)
      .patient(event.patient)
      .by(event.practitioner, event.clinic.empty() ? std::nullopt : std::optional(event.clinic))
      .test(event.test, event.result)
      .text();
}

// A parsed answer. The document lives as long as this.
class Json {
 public:
  explicit Json(const std::string& text) : text_(text), parser_(std::make_unique<simdjson::dom::parser>()) {
    const auto error = parser_->parse(simdjson::padded_string(text)).get(root_);
    EXPECT_EQ(error, simdjson::SUCCESS) << "not JSON: " << text;
  }
  // The value at a JSON pointer, as compact JSON; `absent` if there is none.
  [[nodiscard]] std::string at(const std::string& pointer) const {
    simdjson::dom::element value;
    if (root_.at_pointer(pointer).get(value) != simdjson::SUCCESS) return "absent";
    return simdjson::minify(value);
  }
  // The text at a JSON pointer.
  [[nodiscard]] std::string text(const std::string& pointer) const {
    std::string_view value;
    simdjson::dom::element found;
    if (root_.at_pointer(pointer).get(found) != simdjson::SUCCESS ||
        found.get_string().get(value) != simdjson::SUCCESS) {
      ADD_FAILURE() << "no text at " << pointer << " of " << text_;
    }
    return std::string(value);
  }
  [[nodiscard]] std::size_t size(const std::string& pointer) const {
    simdjson::dom::array array;
    simdjson::dom::element found;
    if (root_.at_pointer(pointer).get(found) != simdjson::SUCCESS ||
        found.get_array().get(array) != simdjson::SUCCESS) {
      ADD_FAILURE() << "no array at " << pointer << " of " << text_;
      return 0;
    }
    return array.size();
  }
  [[nodiscard]] const simdjson::dom::element& root() const { return root_; }

 private:
  std::string text_;
  std::unique_ptr<simdjson::dom::parser> parser_;
  simdjson::dom::element root_;
};

inline constexpr const char* kTestKey = "a-key-that-only-this-test-knows";

struct HouseOptions {
  std::string directory = {};  // of the views; empty: in memory
  std::size_t waiters_max = 1000;
  std::size_t streams_max = 1000;
  std::chrono::milliseconds stream_heartbeat{15'000};
  std::size_t queue_max = 256;
  unsigned workers = 4;
  AuditTrailOptions audit = {};
  RateLimit rate = {};
  std::vector<SourceId> sources{SourceId("rupa"), SourceId("other")};
  SourceId default_source{"rupa"};
  std::function<std::vector<ReadinessCheck>()> readiness = {};
  sync::PanicFlags panic_flags = {};
  bool by_link = false;  // links read as what they led to (sync::ReadableLog), as the server shows them
};

class House {
 public:
  explicit House(HouseOptions options = {})
      : audit_log_(options.directory.empty() ? test::open_audit(schema_)
                                             : store::open_sqlite_audit(options.directory).value()),
        views_(options.directory.empty()
                   ? test::open_views(schema_)
                   : store::open_sqlite_views(options.directory, {.readers = 4, .on_failure = {}}).value()),
        sync_(log_, *views_, clock_, metrics_, sync_options(options)) {
    EXPECT_TRUE(sync_.check().has_value());
    api_ = std::make_unique<Api>(ApiContext{.views = *views_,
                                            .audit_log = *audit_log_,
                                            .log = options.by_link ? static_cast<store::EventLog&>(readable_) : log_,
                                            .sync = sync_,
                                            .endpoints = endpoints_,
                                            .clock = clock_,
                                            .metrics = metrics_,
                                            .admin_key = Secret<std::string>(kTestKey),
                                            .master_key = runtime::random_key(),
                                            .audit_key = runtime::random_key(),
                                            .audit = options.audit,
                                            .rate = options.rate,
                                            .sources = options.sources,
                                            .default_source = options.default_source,
                                            .panic_flags = options.panic_flags,
                                            .version = "0.0.0-test",
                                            .readiness = options.readiness,
                                            .workers = options.workers,
                                            .queue_max = options.queue_max,
                                            .waiters_max = options.waiters_max,
                                            .streams_max = options.streams_max,
                                            .stream_heartbeat = options.stream_heartbeat});
    sync_.on_feed([this] { api_->feed_changed(); });
    auto server = http::Server::start({}, [this](http::Request request, http::Responder responder) {
      api_->handle(std::move(request), std::move(responder));
    });
    EXPECT_TRUE(server.has_value());
    server_ = std::move(*server);
  }
  ~House() { close(); }

  void close() {
    sync_.stop();
    if (api_) api_->stop();
    if (server_) server_->stop(std::chrono::seconds(5));
    server_.reset();
    api_.reset();
  }

  void append(const std::string& body, const std::string& source = "rupa") {
    store::Record record;
    record.source = SourceId(source);
    record.received_at = clock_.now();
    record.body_sha256 = sha256(body);
    record.body = body;
    log_.append(std::move(record), [](Result<Sequence> sequence) { EXPECT_TRUE(sequence.has_value()); });
  }
  void step_all() {
    while (true) {
      const auto more = sync_.step();
      ASSERT_TRUE(more.has_value()) << more.error().text();
      if (!*more) return;
    }
  }
  void receive(const SentEvent& event, const std::string& source = "rupa") {
    append(body_of(event), source);
    step_all();
  }

  http::ClientResponse call(const std::string& method, const std::string& target, const std::string& body = {},
                            const std::string& authorization = std::string("Bearer ") + kTestKey) const {
    http::ClientRequest request;
    request.method = method;
    request.url = "http://" + server_->address() + target;
    if (!authorization.empty()) request.headers.push_back({"Authorization", authorization});
    request.body = body;
    auto response = http::send(request);
    if (!response) {
      ADD_FAILURE() << method << " " << target << ": " << response.error().text();
      return {};
    }
    return std::move(*response);
  }
  [[nodiscard]] http::ClientResponse get(const std::string& target) const { return call("GET", target); }
  void connect(const std::string& id, const std::string& clinic = "cli_1") {
    const auto answer = call("PUT", "/v1/practitioners/" + id, R"({"clinic_id":")" + clinic + R"("})");
    ASSERT_LT(answer.status, 300) << answer.body;
    step_all();
  }

  store::MemoryLog log_;
  runtime::SystemClock clock_;
  runtime::Metrics metrics_;
  std::shared_ptr<test::PostgresSchema> schema_ = test::open_schema();
  std::unique_ptr<store::AuditLog> audit_log_;
  std::unique_ptr<store::Views> views_;
  sync::Sync sync_;
  runtime::Vault vault_{runtime::MasterKey(runtime::random_key()), "endpoints"};
  sync::ReadableLog readable_{log_, *views_, vault_, {}};
  delivery::Endpoints endpoints_{*views_, vault_, {.allow_http = true, .policy = loopback_too()}, [] {}};
  std::unique_ptr<Api> api_;
  std::unique_ptr<http::Server> server_;

 private:
  static http::AddressPolicy loopback_too() { return http::AddressPolicy::with_allowed({"127.0.0.0/8"}).value(); }
  static sync::SyncOptions sync_options(const HouseOptions& house) {
    sync::SyncOptions options;
    for (const auto& source : house.sources) options.result_types[source] = {"order.new_result"};
    options.index.panic_flags = house.panic_flags;
    return options;
  }
};

// The code of a problem, or of something else.
inline std::string code_of(const http::ClientResponse& response) {
  static constexpr std::string_view kStart = "urn:resultsync:problem:";
  if (response.headers.only("Content-Type").value_or("") != "application/problem+json")
    return "no problem: " + response.body;
  const std::string type = Json(response.body).text("/type");
  return type.starts_with(kStart) ? type.substr(kStart.size()) : "no problem: " + type;
}

}  // namespace resultsync::api
