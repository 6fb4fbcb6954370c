// The client side of a network, against a real listener whose answers the test chooses.
#include "network/network.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "base/encoding.hpp"
#include "http/server.hpp"
#include "network/patients.hpp"
#include "network/reconcile.hpp"
#include "network/snapshot.hpp"
#include "orders/decode.hpp"
#include "runtime/random.hpp"
#include "store/memory/memory_log.hpp"
#include "store/sqlite/sqlite_audit.hpp"
#include "store/sqlite/sqlite_views.hpp"
#include "sync/apply.hpp"
#include "sync/connections.hpp"
#include "tests/support/event_body.hpp"

namespace resultsync::network {
namespace {

const SourceId kRupa("rupa");

http::Response json(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}
http::Response file(std::string body, std::string type = "application/pdf") {
  http::Response response;
  response.body = std::move(body);
  response.content_type = std::move(type);
  return response;
}

// A network of one listener, and this house beside it.
class Beside {
 public:
  using Answer = std::function<http::Response(const http::Request&)>;
  explicit Beside(
      Answer answer, const std::function<void(SourceSettings&)>& change = [](SourceSettings&) {},
      const http::Resolve& resolve = {})
      : folder_(std::filesystem::temp_directory_path() / ("network-" + encode_hex(runtime::random_bytes(6)))) {
    server_ = std::move(*http::Server::start(
        {.threads = 2}, [answer](http::Request request, http::Responder respond) { respond(answer(request)); }));
    SourceSettings source;
    source.source = kRupa;
    source.api = base();
    source.client_id = "client";
    source.client_secret = Secret<std::string>("secret");
    source.allow = {server_->address()};
    source.allow_http = true;
    source.requests_per_second = 1000;
    change(source);
    settings_.sources.push_back(source);
    settings_.api_tries = 2;
    settings_.document_bytes_max = 1000;
    settings_.document_timeout = std::chrono::seconds(2);
    wire_ = std::move(*Wire::open(settings_, resolve));
    tokens_ = std::make_unique<Tokens>(*views_, vault_, *wire_, clock_, "one");
    api_ = std::make_unique<ApiClient>(settings_, *wire_, *tokens_, clock_);
    fetcher_ = std::make_unique<Fetcher>(world_, *wire_, *tokens_, *api_);
  }
  ~Beside() {
    wire_->stop();
    server_->stop(std::chrono::milliseconds(100));
    views_.reset();
    std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] std::string base() const { return "http://" + server_->address(); }
  [[nodiscard]] const SourceSettings& source() const { return settings_.sources.front(); }
  store::AuthorizationKey consent(std::chrono::seconds lifetime, const char* access = "at_0") {
    store::Authorization row;
    row.app_practitioner = AppPractitionerId("anna");
    row.clinic = ClinicId("cli_1");
    return *tokens_->keep(source(), row, {Secret<std::string>(access), Secret<std::string>("rt_0"), lifetime});
  }
  store::Authorization row(store::AuthorizationKey key) { return *views_->snapshot()->network().authorization(key); }
  // What sync does.
  void apply_records() {
    const auto transaction = views_->begin();
    const auto records = log_.read(transaction->read().applied(), {});
    for (const auto& record : *records) {
      EXPECT_TRUE(sync::apply_record(*transaction, log_, record, world_.apply, clock_.now()));
      transaction->set_applied(record.sequence);
    }
    EXPECT_TRUE(transaction->commit());
  }
  void receive(const std::string& body) {
    log_.append({kRupa, clock_.now(), false, {}, sha256(body), body, {}},
                [](const Result<Sequence>& committed) { EXPECT_TRUE(committed); });
    apply_records();
  }
  store::RunKey add_run(const SourceId& source, Timestamp started_at) {
    store::NetworkRun run;
    run.source = source;
    run.clinic = ClinicId("cli_1");
    run.kind = "manual";
    run.state = "waiting";
    run.started_at = started_at;
    const auto transaction = views_->begin();
    const auto key = transaction->network().add_run(run);
    EXPECT_TRUE(transaction->commit());
    return key;
  }
  // A run of cli_1, after which what it found is applied.
  store::NetworkRun reconciled(Timestamp started_at) {
    const auto key = add_run(kRupa, started_at);
    auto run = views_->snapshot()->network().run(key);
    auto worked = Reconciler(world_, *fetcher_, *api_).work(std::move(*run), {});
    apply_records();
    return worked;
  }
  std::string_view fetch_error(const std::string& path, std::string_view member = "results_pdf") {
    const auto bytes = fetcher_->fetch(source(), base() + path, member);
    return bytes ? std::string_view("fetched") : bytes.error().code;
  }

  std::filesystem::path folder_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<store::Views> views_ =
      std::move(*store::open_sqlite_views(folder_.string(), {.readers = 16, .on_failure = {}}));
  std::unique_ptr<store::AuditLog> audit_ = std::move(*store::open_memory_audit());
  store::MemoryLog log_;
  runtime::SystemClock clock_;
  runtime::Metrics metrics_;
  runtime::MasterKey master_{runtime::random_key()};
  runtime::Vault vault_{master_, "tokens"};
  Settings settings_;
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<Tokens> tokens_;
  std::unique_ptr<ApiClient> api_;
  World world_{.settings = settings_,
               .views = *views_,
               .audit = *audit_,
               .log = log_,
               .clock = clock_,
               .metrics = metrics_,
               .documents = vault_,
               .tokens = vault_,
               .apply = {},
               .feed_changed = [] {},
               .applied = [this] { return log_.end(); },
               .wake_sync = [] {}};
  std::unique_ptr<Fetcher> fetcher_;
};

std::string tokens_answer(int number) {
  return R"({"access_token":"at_)" + std::to_string(number) + R"(","expires_in":3600,"refresh_token":"rt_)" +
         std::to_string(number) + R"("})";
}

TEST(NetworkTokens, a_token_is_refreshed_before_it_expires_and_once_for_all_who_ask) {
  std::atomic<int> refreshes = 0;
  Beside house([&](const http::Request& request) {
    EXPECT_TRUE(request.body.contains("refresh_token=rt_" + std::to_string(refreshes.load())))
        << "each refresh token is used once";
    return json(200, tokens_answer(++refreshes));
  });
  const auto key = house.consent(std::chrono::seconds(0));
  std::vector<std::jthread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { good += house.tokens_->access(house.source(), key).value().reveal() == "at_1"; });
  }
  threads.clear();
  EXPECT_EQ(good, 8);
  EXPECT_EQ(refreshes, 1);
}

TEST(NetworkTokens, two_instances_refresh_one_at_a_time_by_a_lease) {
  std::atomic<int> refreshes = 0;
  Beside house([&](const http::Request&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return json(200, tokens_answer(++refreshes));
  });
  Tokens other(*house.views_, house.vault_, *house.wire_, house.clock_, "two");
  const auto key = house.consent(std::chrono::seconds(0));
  std::string first;
  std::string second;
  {
    const std::jthread a([&] { first = house.tokens_->access(house.source(), key).value().reveal(); });
    const std::jthread b([&] { second = other.access(house.source(), key).value().reveal(); });
  }
  EXPECT_EQ(refreshes, 1);
  EXPECT_EQ(first, second);
}

TEST(NetworkTokens, what_the_network_refuses_needs_consent_and_what_fails_is_failing_until_it_works) {
  std::atomic<int> status = 503;
  Beside house([&](const http::Request&) {
    if (status == 200) return json(200, tokens_answer(1));
    return json(status, status == 400 ? R"({"error":"invalid_grant"})" : "{}");
  });
  const auto key = house.consent(std::chrono::seconds(0));
  EXPECT_EQ(house.tokens_->access(house.source(), key).error().code, "network_unavailable");
  EXPECT_EQ(house.row(key).state, store::ConsentState::kFailing);
  EXPECT_EQ(house.row(key).reason, "token_http_503");
  status = 200;
  EXPECT_TRUE(house.tokens_->access(house.source(), key));
  EXPECT_EQ(house.row(key).state, store::ConsentState::kConnected);
  status = 400;
  EXPECT_EQ(house.tokens_->renew(house.source(), key, Secret<std::string>("at_1")).error().code, "needs_consent");
  EXPECT_EQ(house.row(key).state, store::ConsentState::kNeedsConsent);
  EXPECT_EQ(house.tokens_->access(house.source(), key).error().code, "needs_consent") << "nobody is asked again";
}

TEST(NetworkTokens, a_refresh_in_hand_writes_over_neither_a_newer_consent_nor_an_ended_one) {
  std::function<http::Response()> refresh;
  std::string revoked;
  Beside house([&](const http::Request& request) {
    if (request.path == "/oauth/token") return refresh();
    revoked = request.body;
    return json(200, "{}");
  });
  Tokens other(*house.views_, house.vault_, *house.wire_, house.clock_, "two");
  const auto key = house.consent(std::chrono::seconds(0));
  const auto consent_anew = [&](std::chrono::seconds lifetime) {
    auto row = house.row(key);
    row.clinic = ClinicId("cli_2");
    EXPECT_TRUE(
        other.keep(house.source(), row, {Secret<std::string>("at_new"), Secret<std::string>("rt_new"), lifetime}));
  };
  refresh = [&] {
    consent_anew(std::chrono::hours(1));
    return json(200, tokens_answer(1));
  };
  EXPECT_EQ(house.tokens_->access(house.source(), key).value().reveal(), "at_new");
  EXPECT_EQ(house.row(key).clinic.text(), "cli_2");

  consent_anew(std::chrono::seconds(0));
  refresh = [&] {
    consent_anew(std::chrono::hours(1));
    return json(400, R"({"error":"invalid_grant"})");
  };
  EXPECT_FALSE(house.tokens_->access(house.source(), key));
  EXPECT_EQ(house.row(key).state, store::ConsentState::kConnected) << "the newer consent was not what was refused";

  consent_anew(std::chrono::seconds(0));
  refresh = [&] {
    auto quiet = house.source();
    quiet.revoke_url.clear();  // this server's thread is busy here
    EXPECT_TRUE(other.revoke(quiet, key));
    return json(200, tokens_answer(2));
  };
  EXPECT_EQ(house.tokens_->access(house.source(), key).error().code, "revoked");
  EXPECT_EQ(house.row(key).state, store::ConsentState::kRevoked);
  EXPECT_TRUE(house.row(key).sealed_access.empty());
  EXPECT_TRUE(revoked.contains("token=rt_2")) << "the network forgets what it gave after the end, too";
}

TEST(NetworkTokens, tokens_are_sealed_at_rest_and_forgotten_by_a_revocation) {
  std::string revoked;
  Beside house([&](const http::Request& request) {
    revoked = request.body;
    return json(200, "{}");
  });
  const auto key = house.consent(std::chrono::hours(1), "a-very-secret-token");
  EXPECT_FALSE(house.row(key).sealed_access.contains("secret"));
  EXPECT_TRUE(house.tokens_->revoke(house.source(), key));
  EXPECT_TRUE(revoked.contains("token=rt_0"));
  EXPECT_EQ(house.row(key).state, store::ConsentState::kRevoked);
  EXPECT_TRUE(house.row(key).sealed_refresh.empty());
}

TEST(NetworkTokens, an_answer_may_nest_its_tokens_and_an_answer_without_any_is_refused) {
  EXPECT_EQ(read_tokens(R"({"oauth":{"access_token":"a","expires_in":7200}})", std::chrono::seconds(1))->lifetime,
            std::chrono::hours(2));
  EXPECT_EQ(read_tokens(R"({"access_token":"a"})", std::chrono::seconds(60))->lifetime, std::chrono::seconds(60));
  EXPECT_EQ(read_tokens("not json", {}).error().code, "bad_response");
  EXPECT_EQ(read_tokens(R"({"access_token":5})", {}).error().code, "bad_response");
}

TEST(NetworkApi, each_answer_of_the_network_is_an_understandable_error) {
  std::atomic<int> asked = 0;
  Beside house([&](const http::Request& request) {
    ++asked;
    const std::string path = request.path;
    if (path == "/malformed") return json(200, R"({"data": [)");
    if (path == "/throttled") return json(429, "{}").set_header("Retry-After", "0");
    if (path == "/oauth/token") return json(400, R"({"error":"invalid_grant"})");
    if (path == "/once-broken") return asked % 2 == 1 ? json(502, "") : json(200, "{}");
    return json(std::stoi(path.substr(1)), "{}");
  });
  const auto key = house.consent(std::chrono::hours(1));
  const auto code = [&](const char* path) {
    const auto answer = house.api_->get(house.source(), key, path);
    return answer ? std::string("ok") : std::string(answer.error().code);
  };
  EXPECT_EQ(code("/403"), "forbidden");
  EXPECT_EQ(code("/404"), "not_found");
  EXPECT_EQ(code("/422"), "refused");
  EXPECT_EQ(code("/302"), "refused") << "no redirect is followed";
  EXPECT_EQ(code("/500"), "network_unavailable");
  EXPECT_EQ(code("/malformed"), "bad_response");
  EXPECT_EQ(code("/throttled"), "throttled");
  asked = 0;
  EXPECT_EQ(code("/once-broken"), "ok") << "what is passing is tried again";
  EXPECT_EQ(code("http://elsewhere.example/orders?page=2"), "foreign_address")
      << "a next page never carries the token elsewhere";
  EXPECT_EQ(code("/401"), "needs_consent");
}

TEST(NetworkApi, a_refused_token_is_renewed_once_and_the_question_asked_again) {
  std::atomic<int> refreshes = 0;
  Beside house([&](const http::Request& request) {
    if (request.path == "/oauth/token") return json(200, tokens_answer(++refreshes));
    return request.headers.only("Authorization") == "Bearer at_1" ? json(200, "{}") : json(401, "{}");
  });
  const auto key = house.consent(std::chrono::hours(1));
  EXPECT_TRUE(house.api_->get(house.source(), key, "/orders"));
  EXPECT_EQ(refreshes, 1);
}

TEST(NetworkApi, who_wants_fewer_requests_is_left_alone_for_as_long_as_it_says) {
  std::vector<std::chrono::steady_clock::time_point> asked;
  Beside house([&](const http::Request&) {
    asked.push_back(std::chrono::steady_clock::now());
    return asked.size() == 1 ? json(429, "{}").set_header("Retry-After", "1") : json(200, "{}");
  });
  const auto key = house.consent(std::chrono::hours(1));
  EXPECT_TRUE(house.api_->get(house.source(), key, "/orders"));
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_GE(asked[1] - asked[0], std::chrono::milliseconds(990));
}

TEST(NetworkTokens, what_expires_or_is_refused_without_a_successor_needs_consent_and_nobody_is_asked) {
  std::atomic<int> asked = 0;
  Beside house([&](const http::Request&) {
    ++asked;
    return json(200, tokens_answer(1));
  });
  store::Authorization row;
  row.app_practitioner = AppPractitionerId("anna");
  row.clinic = ClinicId("cli_1");
  const auto consent = [&](std::chrono::seconds lifetime) {
    return *house.tokens_->keep(house.source(), row, {Secret<std::string>("at_0"), Secret<std::string>(""), lifetime});
  };
  const auto expired = consent(std::chrono::seconds(0));
  EXPECT_EQ(house.tokens_->access(house.source(), expired).error().code, "needs_consent");
  EXPECT_EQ(house.row(expired).state, store::ConsentState::kNeedsConsent);
  EXPECT_EQ(house.row(expired).reason, "expired");
  const auto refused = consent(std::chrono::hours(1));
  EXPECT_EQ(house.tokens_->renew(house.source(), refused, Secret<std::string>("at_0")).error().code, "needs_consent");
  EXPECT_EQ(house.row(refused).reason, "no_refresh_token");
  EXPECT_EQ(asked, 0);
}

TEST(NetworkDocuments, each_hostile_download_is_refused_by_name) {
  Beside house([](const http::Request& request) {
    const std::string path = request.path;
    if (path == "/good") return file("%PDF-1.4 …", "text/html");
    if (path == "/html") return file("<!DOCTYPE html><p>Sign in", "application/pdf");
    if (path == "/large") return file("%PDF-" + std::string(996, 'x'));
    if (path == "/at-the-limit") return file("%PDF-" + std::string(995, 'x'));
    if (path == "/empty") return file("");
    if (path == "/redirect") return json(302, "").set_header("Location", "http://127.0.0.1:1/");
    if (path == "/hl7") return file("MSH|^~\\&|LAB\r", "application/octet-stream");
    return json(std::stoi(path.substr(1)), "");
  });
  EXPECT_EQ(house.fetch_error("/good"), "fetched") << "a file is what its bytes are";
  EXPECT_EQ(house.fetch_error("/at-the-limit"), "fetched");
  EXPECT_EQ(house.fetch_error("/large"), "response_too_large");
  EXPECT_EQ(house.fetch_error("/html"), "wrong_type");
  EXPECT_EQ(house.fetch_error("/hl7"), "wrong_type");
  EXPECT_EQ(house.fetch_error("/hl7", "results_hl7"), "fetched");
  EXPECT_EQ(house.fetch_error("/empty"), "empty");
  EXPECT_EQ(house.fetch_error("/redirect"), "redirected");
  EXPECT_EQ(house.fetch_error("/403"), "link_expired");
  EXPECT_EQ(house.fetch_error("/418"), "http_4xx");
  EXPECT_EQ(house.fetch_error("/500"), "http_5xx");
}

TEST(NetworkDocuments, links_to_other_hosts_and_private_addresses_make_no_connection) {
  std::atomic<int> asked = 0;
  Beside house([&](const http::Request&) {
    ++asked;
    return file("%PDF-");
  });
  const auto code = [&](const std::string& url) {
    return house.fetcher_->fetch(house.source(), url, "results_pdf").error().code;
  };
  EXPECT_EQ(code("http://elsewhere.example/a.pdf"), "host_not_allowed");
  EXPECT_EQ(code("http://127.0.0.1.elsewhere.example/a.pdf"), "host_not_allowed");
  EXPECT_EQ(code("http://user@127.0.0.1/a.pdf"), "bad_url");
  EXPECT_EQ(code("http://127.0.0.1:1024/a.pdf"), "address_refused")
      << "the host is allowed, that port of a private address is not";
  EXPECT_EQ(code("ftp://127.0.0.1/a.pdf"), "bad_url");
  EXPECT_EQ(asked, 0);
}

// What names resolve to is no word of the network's operator: whoever answers for them could point at us.
TEST(NetworkDocuments, a_name_that_leads_into_our_own_network_makes_no_connection) {
  std::atomic<int> asked = 0;
  std::mutex mutex;
  std::map<std::string, int> looked_up;
  const auto resolve = [&](const std::string& host) -> Result<std::vector<http::IpAddress>> {
    const std::lock_guard lock(mutex);
    const bool is_first = ++looked_up[host] == 1;
    std::vector<std::string> texts;
    if (host == "files.example") texts = {is_first ? "127.0.0.1" : "10.0.0.7"};  // the listener stands for outside
    if (host == "private.example") texts = {"10.0.0.7"};
    if (host == "metadata.example") texts = {"169.254.169.254"};
    if (host == "mixed.example") texts = {"127.0.0.1", "10.0.0.7"};
    if (host == "mapped.example") texts = {"::ffff:10.0.0.7"};
    if (texts.empty()) return fail("not_found", "no such name");
    std::vector<http::IpAddress> addresses;
    for (const std::string& text : texts) addresses.push_back(*http::IpAddress::parse(text));
    return addresses;
  };
  Beside house(
      [&](const http::Request&) {
        ++asked;
        return file("%PDF-");
      },
      [](SourceSettings& source) { source.document_hosts = {".example"}; }, resolve);
  const std::string port = house.base().substr(house.base().rfind(':'));
  const auto code = [&](const std::string& host) {
    const auto bytes = house.fetcher_->fetch(house.source(), "http://" + host + port + "/a.pdf", "results_pdf");
    return bytes ? std::string("fetched") : std::string(bytes.error().code);
  };
  for (const char* host : {"private.example", "metadata.example", "mixed.example", "mapped.example"})
    EXPECT_EQ(code(host), "address_refused") << host;
  EXPECT_EQ(code("nowhere.example"), "resolve_failed");
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(code("files.example"), "fetched");
  EXPECT_EQ(looked_up["files.example"], 1) << "the connection went to the address that was checked";

  auto elsewhere = house.source();
  elsewhere.api = "http://private.example" + port;
  const auto key = house.consent(std::chrono::hours(1));
  EXPECT_EQ(house.api_->get(elsewhere, key, "/orders").error().code, "address_refused")
      << "the API's own name is trusted no more than a document's";
  EXPECT_EQ(asked, 1);
}

constexpr const char* kOrderAnswer =
    R"({"data":{"type":"order","id":"ord_1","attributes":{"status":"Completed","date_submitted":"2026-01-01T00:00:00Z"},
  "relationships":{"ordered_tests":{"data":[{"type":"ordered_test","id":"t_1"}]},"patients_practitioner":{"data":{"type":"practitioner","id":"pra_1"}}}},
  "included":[{"type":"ordered_test","id":"t_1","attributes":{"results_hl7":"MSH|A","date_results_received_from_lab":"2026-01-05T00:00:00Z"}},
  {"type":"practitioner","id":"pra_1","relationships":{"clinic":{"data":{"type":"clinic","id":"cli_1"}}}},
  {"type":"ordered_test","id":"t_of_another","attributes":{"results_hl7":"MSH|X"}}]})";

TEST(NetworkSnapshot, an_order_of_the_api_is_an_event_in_the_time_of_its_own_dates) {
  const orders::JsonBody answer(kOrderAnswer);
  const auto found = orders_of(answer);
  ASSERT_EQ(found.size(), 1U);
  const auto made = event_of(found.front(), "order.new_result", Timestamp::from_seconds(1), {orders::kNoTime, {}});
  const auto event = orders::decode_event(made.body, sha256(made.body));
  EXPECT_EQ(event.key.id, made.id);
  EXPECT_EQ(event.key.created_at, parse_timestamp("2026-01-05T00:00:00Z")->time)
      << "no clock takes part (decision 0024)";
  EXPECT_EQ(event.order->clinic.text(), "cli_1");
  ASSERT_EQ(event.order->tests.size(), 1U) << "tests of other orders on the same page are not ours";

  const orders::EventKey later{parse_timestamp("2026-02-01T00:00:00Z")->time, EventId("evt_9")};
  const auto after = event_of(found.front(), "order.new_result", {}, later);
  EXPECT_GT(orders::decode_event(after.body, sha256(after.body)).key, later)
      << "what was read is newer than what is known";
  EXPECT_EQ(after.id, event_of(found.front(), "order.new_result", {}, later).id)
      << "the same reading is the same event";
}

TEST(NetworkSnapshot, only_a_status_a_test_or_a_content_is_news) {
  const orders::JsonBody answer(kOrderAnswer);
  const auto made = event_of(orders_of(answer).front(), "order.new_result", {}, {orders::kNoTime, {}});
  const auto event = orders::decode_event(made.body, sha256(made.body));
  orders::OrderHistory history;
  EXPECT_TRUE(shows_news(history, *event.order));
  orders::apply(history, event, {1});
  EXPECT_FALSE(shows_news(history, *event.order)) << "reconciling twice adds nothing";
  orders::Order other = *event.order;
  other.status = "Canceled";
  EXPECT_TRUE(shows_news(history, other));
  other = *event.order;
  other.tests.front().content = sha256("corrected");
  EXPECT_TRUE(shows_news(history, other));
}

std::string page_of_two(const std::string& first_attributes, const std::string& second_result) {
  const auto order = [](const std::string& n) {
    return R"({"type":"order","id":"ord_)" + n +
           R"(","attributes":{"status":"Completed","date_submitted":"2026-01-01T00:00:00Z"},
      "relationships":{"ordered_tests":{"data":[{"type":"ordered_test","id":"t_)" +
           n + R"("}]},"patients_practitioner":{"data":{"type":"practitioner","id":"pra_1"}}}})";
  };
  return R"({"data":[)" + order("1") + "," + order("2") +
         R"(],"included":[{"type":"ordered_test","id":"t_1","attributes":)" + first_attributes +
         R"(},{"type":"ordered_test","id":"t_2","attributes":{"results_hl7":")" + second_result +
         R"("}},{"type":"practitioner","id":"pra_1","relationships":{"clinic":{"data":{"type":"clinic","id":"cli_1"}}}}]})";
}

TEST(NetworkReconciler, a_document_that_is_gone_holds_up_neither_other_orders_nor_other_runs) {
  std::string page = page_of_two(R"({"results_hl7":"MSH|A"})", "MSH|B");
  Beside house([&](const http::Request& request) {
    return request.path.starts_with("/gone") ? json(404, "{}") : json(200, page);
  });
  static_cast<void>(house.consent(std::chrono::seconds(3600)));
  const auto reconcile = [&](Timestamp started_at) { return house.reconciled(started_at); };
  EXPECT_EQ(reconcile(house.clock_.now()).gaps, 2) << "both orders are new";

  page = page_of_two(R"({"results_hl7":"MSH|A","results_pdf":")" + house.base() + R"(/gone"})", "MSH|C");
  const auto old = Timestamp{house.clock_.now().microseconds - 600'000'000};
  const auto worked = reconcile(old);
  EXPECT_EQ(worked.orders_read, 2);
  EXPECT_EQ(worked.gaps, 1) << "the order behind the one whose document is gone is applied";
  EXPECT_EQ(worked.state, "finished") << "after minutes in vain it makes room for others";
  EXPECT_EQ(worked.reason, "document_unavailable") << "and says what is left open";
  const auto again = reconcile(house.clock_.now());
  EXPECT_EQ(again.gaps, 0);
  EXPECT_EQ(again.state, "running") << "it is tried again for a while";
}

TEST(NetworkReconciler, a_link_that_died_while_its_page_was_worked_through_is_had_anew) {
  int fetched = 0;
  std::string page = page_of_two(R"({"results_hl7":"MSH|A"})", "MSH|B");
  Beside house([&](const http::Request& request) {
    if (request.path == "/dead.pdf") return json(403, "<Error/>");
    if (request.path == "/fresh.pdf") {
      ++fetched;
      return file("%PDF-1.4 corrected");
    }
    return json(200, request.path == "/orders" ? page : std::string(page).replace(page.find("dead"), 4, "fresh"));
  });
  static_cast<void>(house.consent(std::chrono::seconds(3600)));
  EXPECT_EQ(house.reconciled(house.clock_.now()).gaps, 2) << "both orders are new";
  page = page_of_two(R"({"results_hl7":"MSH|A","results_pdf":")" + house.base() + R"(/dead.pdf"})", "MSH|B");
  const auto run = house.reconciled(house.clock_.now());
  EXPECT_EQ(run.state, "finished") << run.reason;
  EXPECT_EQ(run.gaps, 1);
  EXPECT_EQ(fetched, 1);
}

TEST(NetworkReconciler, what_was_read_before_a_newer_event_came_does_not_regress_it) {
  const std::string first = page_of_two(R"({"results_hl7":"MSH|A"})", "MSH|B");
  std::function<void()> meanwhile = [] {};
  Beside house([&](const http::Request&) {
    meanwhile();
    return json(200, first);
  });
  static_cast<void>(house.consent(std::chrono::seconds(3600)));
  EXPECT_EQ(house.reconciled(house.clock_.now()).gaps, 2) << "both orders are new";
  meanwhile = [&] {  // the network has made its answer, and corrects the result before the answer is with us
    house.receive(test::EventBody("evt_2").at("2026-02-01T00:00:00Z").status("Completed").test("t_1", "MSH|C").text());
  };
  EXPECT_EQ(house.reconciled(house.clock_.now()).gaps, 0) << "S2: what was read is older than the event";
  const auto current = house.views_->snapshot()->order(kRupa, OrderId("ord_1"))->history.latest().key;
  EXPECT_EQ(current.id.text(), "evt_2");
  meanwhile = [] {};
  EXPECT_EQ(house.reconciled(house.clock_.now()).gaps, 1) << "what the network shows afterwards counts";
}

TEST(NetworkApi, the_networks_clock_is_read_from_its_date) {
  EXPECT_EQ(parse_http_date("Thu, 01 Jan 2026 00:00:00 GMT")->seconds(), 1'767'225'600);
  EXPECT_FALSE(parse_http_date("Thursday, 01-Jan-26 00:00:00 GMT"));
  EXPECT_FALSE(parse_http_date(""));
}

SourceSettings as_fullscript(SourceSettings source) {
  source.order_form = OrderForm::kFullscript;
  source.orders_path = "/api/clinic/labs/orders";
  source.order_path = "/api/clinic/labs/orders/{id}";
  source.token_form = TokenRequestForm::kJson;
  source.refresh_redirect_uri = true;
  return source;
}

TEST(NetworkFullscript, each_order_of_a_list_is_read_and_belongs_to_the_clinic_of_the_consent) {
  std::vector<std::string> asked;
  Beside house(
      [&](const http::Request& request) {
        asked.push_back(request.path + "?" + request.query("page[number]").value_or(""));
        if (request.path.ends_with("/lo-1"))
          return json(
              200,
              R"({"order":{"id":"lo-1","state":"results_ready","updated_at":"2026-03-01T10:00:00Z","results":[]}})");
        if (request.path.ends_with("/lo-2")) return json(404, "{}");
        const bool is_first = request.query("page[number]") == "1";
        return json(200, is_first ? R"({"orders":[{"id":"lo-1"}],"meta":{"next_page":2,"total_count":2}})"
                                  : R"({"orders":[{"id":"lo-2"}],"meta":{"next_page":1}})");
      },
      [](SourceSettings& source) { source = as_fullscript(source); });
  static_cast<void>(house.consent(std::chrono::seconds(3600)));
  const auto run = house.reconciled(house.clock_.now());
  EXPECT_EQ(run.state, "finished") << run.reason;
  EXPECT_EQ(run.orders_read, 2);
  EXPECT_EQ(run.gaps, 1) << "one of them was gone again";
  ASSERT_EQ(asked.size(), 4U) << "a page number that goes back ends it";
  const auto order = house.views_->snapshot()->order(kRupa, OrderId("lo-1"));
  ASSERT_TRUE(order);
  EXPECT_EQ(order->history.named_clinic().text(), "cli_1");
  EXPECT_EQ(order->history.latest().status, "results_ready");
  EXPECT_EQ(house.reconciled(house.clock_.now()).gaps, 0) << "reading the same again adds nothing";
}

TEST(NetworkFullscript, an_answer_about_another_order_is_none) {
  Beside house([](const http::Request&) { return json(200, R"({"order":{"id":"lo-9","state":"processing"}})"); },
               [](SourceSettings& source) { source = as_fullscript(source); });
  const auto key = house.consent(std::chrono::seconds(3600));
  const auto read = Reconciler(house.world_, *house.fetcher_, *house.api_)
                        .read_order(house.source(), key, OrderId("lo-1"), ClinicId("cli_1"));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, "bad_response");
  EXPECT_EQ(house.log_.end(), Sequence{});
}

TEST(NetworkFullscript, a_refresh_names_the_redirect_uri_and_a_refusal_in_its_words_needs_consent) {
  std::string body;
  http::Response answer = json(200, R"({"oauth":{"access_token":"at_1","refresh_token":"rt_1","expires_in":7200,
      "resource_owner":{"id":"p-1","type":"Practitioner"}}})");
  Beside house(
      [&](const http::Request& request) {
        body = request.body;
        return answer;
      },
      [](SourceSettings& source) { source = as_fullscript(source); });
  house.tokens_->set_redirect_uri("https://hooks.example.com/oauth/callback");
  const auto key = house.consent(std::chrono::seconds(0));
  EXPECT_EQ(house.tokens_->access(house.source(), key).value().reveal(), "at_1");
  EXPECT_TRUE(body.contains(R"("redirect_uri":"https://hooks.example.com/oauth/callback")")) << body;
  const auto pair = read_tokens(answer.body, std::chrono::seconds(1));
  EXPECT_EQ(pair->owner.text(), "p-1");
  EXPECT_TRUE(read_tokens(R"({"oauth":{"access_token":"a","resource_owner":{"id":"s","type":"Staff"}}})",
                          std::chrono::seconds(1))
                  ->owner.empty())
      << "staff are no practitioners";
  answer = json(401, R"({"errors":[{"code":"invalid_grant","message":"no"}]})");
  const auto second = house.consent(std::chrono::seconds(0));
  EXPECT_EQ(house.tokens_->access(house.source(), second).error().code, "needs_consent");
}

// Documents of a house that has thin events, run until `done` says so.
void fetch_until(Beside& house, const std::function<bool()>& done) {
  Reconciler reconciler(house.world_, *house.fetcher_, *house.api_);
  Documents documents(house.world_, *house.fetcher_,
                      [&](const SourceSettings& source, store::AuthorizationKey consent, const OrderId& order,
                          const ClinicId& clinic) { return reconciler.read_order(source, consent, order, clinic); });
  documents.start([](const Error& error) { ADD_FAILURE() << error.text(); });
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!done() && std::chrono::steady_clock::now() < patience)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_TRUE(done());
  documents.stop();
}

TEST(NetworkFullscript, a_thin_event_of_a_clinic_without_a_consent_asks_nobody_and_waits_until_somebody_consents) {
  std::atomic<int> asked = 0;
  Beside house(
      [&](const http::Request&) {
        ++asked;
        return json(200, R"({"order":{"id":"ord_1","state":"results_ready","updated_at":"2026-03-01T10:00:00Z"}})");
      },
      [](SourceSettings& source) { source = as_fullscript(source); });
  house.world_.apply.thin.insert(kRupa);
  house.receive(test::EventBody("evt_1").at("2026-02-01T00:00:00Z").by("pra_1", "cli_1").text());
  const auto use = [&] { return house.views_->snapshot()->network().uses_of({1}).at(0); };
  fetch_until(house, [&] { return !use().open; });
  EXPECT_EQ(use().state, orders::LinkedDocument::State::kMissing);
  EXPECT_EQ(use().reason, store::kNoConsent);
  EXPECT_EQ(use().tries, 1) << "no second attempt would ask anybody anything either";
  EXPECT_EQ(asked, 0);
  const auto totals = house.views_->snapshot()->network().document_totals();
  EXPECT_EQ(totals.waiting, 1);
  EXPECT_EQ(totals.given_up, 0) << "nobody has to be alarmed";

  static_cast<void>(house.consent(std::chrono::hours(1)));
  {
    const auto transaction = house.views_->begin();  // as Connect does
    transaction->network().retry_missing({.source = kRupa, .clinic = ClinicId("cli_1")}, house.clock_.now());
    EXPECT_TRUE(transaction->commit());
  }
  fetch_until(house, [&] { return use().state == orders::LinkedDocument::State::kFetched; });
  EXPECT_EQ(asked, 1);
  house.apply_records();
  EXPECT_EQ(house.views_->snapshot()->order(kRupa, OrderId("ord_1"))->history.latest().status, "results_ready");
  EXPECT_FALSE(house.metrics_.exposition().contains("resultsync_reconciled_total 1"))
      << "a thin event that was read is nothing that reconciliation found";
}

// Asks until it is so: what other threads do gives no sign.
void wait_until(const std::function<bool()>& is_so) {
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!is_so() && std::chrono::steady_clock::now() < patience)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_TRUE(is_so());
}

// The same house by a clock that the test moves.
World by_clock(const Beside& house, const runtime::Clock& clock) {
  const World& world = house.world_;
  return {.settings = world.settings,
          .views = world.views,
          .audit = world.audit,
          .log = world.log,
          .clock = clock,
          .metrics = world.metrics,
          .documents = world.documents,
          .tokens = world.tokens,
          .apply = {},
          .feed_changed = [] {},
          .applied = world.applied,
          .wake_sync = [] {}};
}

TEST(NetworkPatients, are_read_again_when_they_are_old_and_an_older_reading_stands_in_while_the_network_fails) {
  std::atomic<int> asked = 0;
  std::atomic<int> status = 200;
  std::string id = "pat_1";
  Beside house([&](const http::Request& request) {
    ++asked;
    EXPECT_EQ(request.path, "/patients/pat_1");
    return json(status, R"({"data":{"type":"patient","id":")" + id + R"(","attributes":{"first_name":"Ada)" +
                            std::to_string(asked) + R"("}}})");
  });
  runtime::ManualClock clock{Timestamp::from_seconds(1'800'000'000)};
  const World world = by_clock(house, clock);
  Patients patients(world, *house.api_);
  const auto get = [&] {
    const auto patient = patients.get(kRupa, ClinicId("cli_1"), PatientId("pat_1"));
    return patient ? patient->attributes.reveal() : std::string(patient.error().code);
  };
  const auto pass = [&](std::chrono::seconds time) {
    clock.set({clock.now().microseconds + std::chrono::microseconds(time).count()});
  };
  EXPECT_EQ(get(), store::kNoConsent);
  EXPECT_EQ(asked, 0);
  static_cast<void>(house.consent(std::chrono::hours(1)));
  EXPECT_EQ(get(), R"({"first_name":"Ada1"})");
  EXPECT_EQ(get(), R"({"first_name":"Ada1"})") << "as it was read";
  pass(Patients::kFresh + std::chrono::seconds(1));
  EXPECT_EQ(get(), R"({"first_name":"Ada2"})") << "read again";
  pass(Patients::kFresh + std::chrono::seconds(1));
  status = 503;
  EXPECT_EQ(get(), R"({"first_name":"Ada2"})") << "while the network fails";
  pass(Patients::kKept);
  EXPECT_EQ(get(), "network_unavailable");
  status = 404;
  EXPECT_EQ(get(), "not_found");
  status = 200;
  id = "pat_2";
  EXPECT_EQ(get(), "bad_response") << "another patient is none";
}

TEST(NetworkApi, no_more_requests_are_made_than_the_source_allows) {
  Beside house([](const http::Request&) { return json(200, "{}"); },
               [](SourceSettings& source) { source.requests_per_second = 20; });
  const auto key = house.consent(std::chrono::hours(1));
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(house.api_->get(house.source(), key, "/orders"));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(900))
      << "forty at once, and twenty a second from there";
}

// What a browser does with a link, without one.
TEST(NetworkConnect, a_link_and_the_way_back_from_it_are_good_for_fifteen_minutes_each) {
  Beside house([](const http::Request&) { return json(200, "{}"); });
  runtime::ManualClock clock{house.clock_.now()};
  const auto network = std::move(*Network::open(by_clock(house, clock), "one"));
  Connect& connect = network->connect();
  connect.set_public_url("https://hooks.example.com");
  const auto ask = [&](const std::string& method, const std::string& url, const std::string& cookie = {}) {
    http::Request request;
    request.method = method;
    request.target = url.substr(std::string("https://hooks.example.com").size());
    request.path = request.target.substr(0, request.target.find('?'));
    if (!cookie.empty()) request.headers.add("Cookie", cookie);
    std::promise<http::Response> answer;
    connect.handle(std::move(request),
                   http::Responder([&](http::Response response) { answer.set_value(std::move(response)); }));
    return answer.get_future().get();
  };
  const auto pass = [&](std::chrono::seconds time) {
    clock.set({clock.now().microseconds + std::chrono::microseconds(time).count()});
  };
  const auto link = connect.make_link(kRupa, AppPractitionerId("anna"));
  ASSERT_TRUE(link);
  pass(std::chrono::minutes(15) - std::chrono::seconds(1));
  EXPECT_EQ(ask("GET", link->url).status, 200);
  pass(std::chrono::seconds(1));
  EXPECT_EQ(ask("GET", link->url).status, 410);
  EXPECT_TRUE(ask("GET", link->url).body.contains("This link is too old"));
  EXPECT_EQ(ask("POST", link->url).status, 410) << "nor can its button be used";

  const auto second = connect.make_link(kRupa, AppPractitionerId("anna"));
  const auto away = ask("POST", second->url);
  ASSERT_EQ(away.status, 303);
  const auto header = [&](std::string_view name) {
    const auto found = std::ranges::find(away.headers, name, &http::Header::name);
    return found == away.headers.end() ? std::string{} : found->value;
  };
  const std::string location = header("Location");
  const std::string cookie = header("Set-Cookie");
  EXPECT_TRUE(cookie.contains("; Secure")) << cookie;
  const auto at = location.find("state=") + 6;
  const std::string back =
      "https://hooks.example.com/oauth/callback?code=c&state=" + location.substr(at, location.find('&', at) - at);
  EXPECT_TRUE(ask("GET", back).body.contains("We do not know this visit")) << "another browser";
  pass(std::chrono::minutes(15));
  EXPECT_TRUE(ask("GET", back, cookie.substr(0, cookie.find(';'))).body.contains("We do not know this visit"));
  network->stop();
}

TEST(NetworkSilence, a_clinic_that_is_quieter_than_its_own_history_says_so) {
  Beside house([](const http::Request&) { return json(200, R"({"data":[]})"); });
  house.settings_.reconcile_every = std::chrono::seconds(0);
  const Timestamp now = house.clock_.now();
  constexpr std::int64_t kHour = 3'600'000'000;
  int sent = 0;
  // One an hour; the last of them so many hours ago.
  const auto send = [&](const char* clinic, int events, std::int64_t last_hours_ago) {
    EXPECT_TRUE(sync::connect(*house.views_, {AppPractitionerId(clinic), kRupa, ClinicId(clinic), {}}, now));
    for (int i = 0; i < events; ++i) {
      const std::string name = std::to_string(++sent);
      const auto body = test::EventBody("evt_" + name).order("ord_" + name).by("pra_" + name, clinic).text();
      const Timestamp at{now.microseconds - (last_hours_ago + events - 1 - i) * kHour};
      house.log_.append({kRupa, at, false, {}, sha256(body), body, {}},
                        [](const Result<Sequence>& committed) { EXPECT_TRUE(committed); });
    }
  };
  send("cli_silent", 24, 48);
  send("cli_talking", 24, 2);
  send("cli_young", 4, 48);
  house.apply_records();
  const auto network = std::move(*Network::open(by_clock(house, house.clock_), "one"));
  network->start([](const Error& error) { ADD_FAILURE() << error.text(); });
  wait_until([&] { return !network->silent_clinics().empty(); });
  const auto silent = network->silent_clinics();
  ASSERT_EQ(silent.size(), 1U);
  EXPECT_EQ(silent[0].clinic.text(), "cli_silent");
  EXPECT_EQ(silent[0].usual_gap, std::chrono::hours(1));
  EXPECT_TRUE(house.metrics_.exposition().contains("resultsync_silent_clinics{source=\"rupa\"} 1"));
  network->stop();
}

// Events of one clinic, an hour apart, as the pipeline applies them.
struct Hourly {
  Beside& house;
  int sent = 0;
  void send(const char* clinic, int events, Timestamp first_at) {
    for (int i = 0; i < events; ++i) {
      const std::string name = std::to_string(++sent);
      const auto body = test::EventBody("evt_" + name).order("ord_" + name).by("pra_" + name, clinic).text();
      house.log_.append({kRupa, {first_at.microseconds + i * 3'600'000'000}, false, {}, sha256(body), body, {}},
                        [](const Result<Sequence>& committed) { EXPECT_TRUE(committed); });
    }
    house.apply_records();
  }
};

TEST(NetworkSilence, a_history_is_read_in_parts_and_read_on) {
  Beside house([](const http::Request&) { return json(200, "{}"); });
  const Timestamp begun = house.clock_.now();
  const auto after = [&](int hours) { return Timestamp{begun.microseconds + hours * 3'600'000'000}; };
  EXPECT_TRUE(sync::connect(*house.views_, {AppPractitionerId("anna"), kRupa, ClinicId("cli_1"), {}}, begun));
  Hourly hourly{house};
  hourly.send("cli_1", 25, begun);
  hourly.send("cli_none_is_connected_to", 25, begun);

  network::Silence silence(7);
  const auto read_all = [&] {
    int parts = 1;
    for (; parts < 100; ++parts) {
      const auto done = silence.read_on(*house.views_->snapshot());
      EXPECT_TRUE(done);
      if (!done || *done) break;
    }
    return parts;
  };
  const auto silent_at = [&](Timestamp now) { return *silence.clinics(*house.views_->snapshot(), now); };
  EXPECT_EQ(read_all(), 8) << "50 records, 7 at once";
  EXPECT_TRUE(silent_at(after(32)).empty());
  ASSERT_EQ(silent_at(after(33)).size(), 1U) << "more than eight of its usual gaps after its last event";
  EXPECT_EQ(silent_at(after(33))[0].last_event_at, after(24));
  EXPECT_EQ(silent_at(after(33))[0].usual_gap, std::chrono::hours(1));

  hourly.send("cli_1", 1, after(33));
  EXPECT_EQ(read_all(), 1) << "only what is new";
  EXPECT_TRUE(silent_at(after(34)).empty());
}

TEST(NetworkSchedule, each_clinic_is_read_when_its_time_has_come_and_once_for_all_its_consents) {
  std::atomic<int> asked = 0;
  Beside house([&](const http::Request&) {
    ++asked;
    return json(200, R"({"data":[]})");
  });
  house.settings_.reconcile_every = std::chrono::hours(6);
  for (const char* practitioner : {"anna", "ben"}) {
    store::Authorization row;
    row.app_practitioner = AppPractitionerId(practitioner);
    row.clinic = ClinicId("cli_1");
    EXPECT_TRUE(house.tokens_->keep(house.source(), row,
                                    {Secret<std::string>("at"), Secret<std::string>("rt"), std::chrono::hours(48)}));
  }
  runtime::ManualClock clock{house.clock_.now()};
  const auto network = std::move(*Network::open(by_clock(house, clock), "one"));
  network->start([](const Error& error) { ADD_FAILURE() << error.text(); });
  const auto finished = [&] {
    const auto runs = house.views_->snapshot()->network().runs(10);
    return std::ranges::count(runs, "finished", &store::NetworkRun::state);
  };
  wait_until([&] { return finished() == 1; });
  EXPECT_EQ(house.views_->snapshot()->network().runs(10).at(0).kind, "scheduled");
  clock.set({clock.now().microseconds + std::chrono::microseconds(std::chrono::hours(6)).count() + 1});
  wait_until([&] { return finished() == 2; });
  network->stop();
  EXPECT_EQ(asked, 2);
}

TEST(NetworkRuns, of_one_clinics_runs_that_have_ended_the_newest_are_kept) {
  Beside house([](const http::Request&) { return json(200, "{}"); });
  std::vector<store::RunKey> keys;
  store::NetworkRun run;
  run.source = kRupa;
  run.kind = "scheduled";
  {
    const auto transaction = house.views_->begin();
    run.state = "waiting";
    run.clinic = ClinicId("cli_1");
    keys.push_back(transaction->network().add_run(run));
    run.state = "finished";
    run.clinic = ClinicId("cli_2");
    keys.push_back(transaction->network().add_run(run));
    run.clinic = ClinicId("cli_1");
    for (std::int64_t i = 0; i < store::kRunsKept + 5; ++i) keys.push_back(transaction->network().add_run(run));
    EXPECT_TRUE(transaction->commit());
  }
  const auto snapshot = house.views_->snapshot();
  EXPECT_TRUE(snapshot->network().run(keys[0])) << "it has not ended";
  EXPECT_TRUE(snapshot->network().run(keys[1])) << "another clinic's";
  EXPECT_FALSE(snapshot->network().run(keys[2]));
  EXPECT_FALSE(snapshot->network().run(keys[6]));
  EXPECT_TRUE(snapshot->network().run(keys[7]));
  EXPECT_EQ(std::ssize(snapshot->network().runs(10'000)), store::kRunsKept + 2);
}

}  // namespace
}  // namespace resultsync::network
