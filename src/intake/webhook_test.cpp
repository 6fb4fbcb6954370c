#include "intake/webhook.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "intake/log_pace.hpp"
#include "runtime/log.hpp"

namespace resultsync::intake {
namespace {

using namespace std::string_literals;

constexpr Timestamp kNow = Timestamp::from_seconds(1'700'000'000);
const std::string kBody = R"({"id":"evt_0000001","type":"order.new_result"})";

// A log whose commits happen when the test says so.
class HeldLog final : public store::EventLog {
 public:
  void append(store::Record record, Committed committed) override {
    appended.push_back(record);
    waiting_.push_back({std::move(record), std::move(committed)});
  }
  void commit_all() {
    for (auto& [record, committed] : take()) {
      kept.push_back(std::move(record));
      committed(store::Sequence{kept.size()});
    }
  }
  void fail_all(std::string_view code) {
    for (auto& one : take()) one.second(std::unexpected(Error{code, "not stored"}));
  }
  Result<std::vector<store::StoredRecord>> read(store::Sequence, store::ReadLimits) const override {
    ADD_FAILURE() << "nothing is looked up on the acknowledging path";
    return fail("io_error", "");
  }
  Result<store::StoredRecord> at(store::Sequence) const override {
    ADD_FAILURE() << "nothing is looked up on the acknowledging path";
    return fail("io_error", "");
  }
  std::vector<store::StoredRecord> some_of(std::span<const store::Sequence>, std::size_t) const override { return {}; }
  store::Sequence end() const override { return {kept.size()}; }
  std::string id() const override { return "held"; }
  void on_commit(std::function<void(store::Sequence)>) override {}

  std::vector<store::Record> appended;
  std::vector<store::Record> kept;

 private:
  using Waiting = std::vector<std::pair<store::Record, Committed>>;
  Waiting take() { return std::exchange(waiting_, {}); }
  Waiting waiting_;
};

// What a client got: every call of the responder.
struct Answers {
  std::vector<http::Response> all;
  [[nodiscard]] int status() const { return all.size() == 1 ? all.front().status : -static_cast<int>(all.size()); }
  [[nodiscard]] std::string header(std::string_view name) const {
    for (const auto& [field, value] : all.at(0).headers) {
      if (field == name) return value;
    }
    return "";
  }
  [[nodiscard]] bool is_problem(std::string_view code) const {
    return all.at(0).content_type == "application/problem+json" &&
           all.at(0).body.contains("urn:resultsync:problem:" + std::string(code) + "\"");
  }
};

vendors::SigningKeys keys_of(const vendors::SignatureScheme& scheme, const std::vector<std::string>& texts) {
  std::vector<Secret<std::string>> secrets;
  for (const auto& text : texts) secrets.emplace_back(text);
  return vendors::SigningKeys::read(scheme, secrets).value();
}

vendors::Source source(std::string id, std::vector<std::string> paths, const std::vector<std::string>& secrets) {
  vendors::Source made;
  made.id = SourceId(std::move(id));
  made.paths = std::move(paths);
  made.scheme = vendors::signature_preset("t-v1").value();
  made.keys = keys_of(made.scheme, secrets);
  return made;
}

const std::string kRupaSecret(32, 'r');
const std::string kOldRupaSecret(32, 'o');
const std::string kOtherSecret(32, 'f');

class WebhookTest : public testing::Test {
 protected:
  void SetUp() override { runtime::log::set_level(runtime::log::Level::kOff); }
  void TearDown() override { runtime::log::set_level(runtime::log::Level::kInfo); }

  void serve() { webhook = std::make_unique<Webhook>(sources, log, clock, metrics, options); }

  // A request signed with `secret` as of `signed_at`.
  static http::Request signed_request(const std::string& body, const std::string& secret = kRupaSecret,
                                      Timestamp signed_at = kNow) {
    http::Request request;
    request.method = "POST";
    request.target = request.path = "/webhook";
    request.peer = "127.0.0.1:5000";
    request.body = body;
    const auto scheme = vendors::signature_preset("t-v1").value();
    for (auto& [name, value] :
         vendors::sign(scheme, keys_of(scheme, {secret}), {.id = {}, .timestamp = signed_at}, body).value()) {
      request.headers.add(name, value);
    }
    request.headers.add("Content-Type", "application/json");
    return request;
  }
  static http::Request at(std::string path, http::Request request) {
    request.target = request.path = std::move(path);
    return request;
  }
  static http::Request with_method(std::string method, http::Request request) {
    request.method = std::move(method);
    return request;
  }

  std::shared_ptr<Answers> send(http::Request request) {
    if (!webhook) serve();
    auto answers = std::make_shared<Answers>();
    webhook->handle(std::move(request), http::Responder([answers](http::Response response) {
                      answers->all.push_back(std::move(response));
                    }));
    return answers;
  }
  double requests(const std::string& source_label, const std::string& result) {
    return metrics.counter("resultsync_intake_requests_total", "", {{"source", source_label}, {"result", result}})
        .value();
  }

  std::vector<vendors::Source> sources{source("rupa", {"/webhook"}, {kRupaSecret, kOldRupaSecret}),
                                       source("fullscript", {}, {kOtherSecret})};
  HeldLog log;
  runtime::ManualClock clock{kNow};
  runtime::Metrics metrics;
  WebhookOptions options;
  std::unique_ptr<Webhook> webhook;
};

TEST_F(WebhookTest, answers_200_when_the_commit_is_reported_and_not_before) {
  const auto answers = send(signed_request(kBody));
  EXPECT_TRUE(answers->all.empty()) << "nothing may be said before the record is durable";
  log.commit_all();
  ASSERT_EQ(answers->status(), 200);
  EXPECT_EQ(answers->all[0].body, R"({"status":"success"})");
  EXPECT_EQ(answers->all[0].content_type, "application/json");
  EXPECT_EQ(requests("rupa", "accepted"), 1);
}

TEST_F(WebhookTest, keeps_the_raw_body_and_the_headers_that_matter) {
  auto request = signed_request("\xff\x00 not json at all"s);
  request.headers.add("User-Agent", "network/1");
  request.headers.add("Content-Encoding", "identity");
  request.headers.add("Authorization", "Bearer not-for-keeping");
  request.headers.add("Cookie", "not-for-keeping");
  const std::string signature(request.headers.only("Rupa-Signature").value());
  const std::string body = request.body;
  const auto answers = send(std::move(request));
  log.commit_all();
  EXPECT_EQ(answers->status(), 200) << "I4: nothing rightly signed is refused for its content";
  const store::Record& record = log.kept.at(0);
  EXPECT_EQ(record.source, SourceId("rupa"));
  EXPECT_EQ(record.received_at, kNow);
  EXPECT_FALSE(record.stale);
  EXPECT_EQ(record.body, body);
  EXPECT_EQ(record.body_sha256, sha256(body));
  const std::vector<store::KeptHeader> expected{{"Rupa-Signature", signature},
                                                {"content-type", "application/json"},
                                                {"content-encoding", "identity"},
                                                {"user-agent", "network/1"}};
  EXPECT_EQ(record.headers, expected);
}

TEST_F(WebhookTest, kept_headers_have_a_bound) {
  auto request = signed_request(kBody);
  request.headers.add("User-Agent", std::string(10'000, 'u'));
  send(std::move(request));
  std::size_t bytes = 0;
  for (const auto& header : log.appended.at(0).headers) bytes += header.name.size() + header.value.size();
  EXPECT_EQ(bytes, options.kept_header_bytes_max);
  EXPECT_EQ(log.appended[0].headers[0].name, "Rupa-Signature") << "what was verified is never what is cut";
  EXPECT_EQ(log.appended[0].headers[0].value.size(), std::string("t=1700000000,v1=").size() + 64);
}

TEST_F(WebhookTest, a_wrong_signature_stores_nothing_and_every_reason_gets_the_same_answer) {
  auto no_signature = signed_request(kBody);
  no_signature.headers = {};
  auto twice = signed_request(kBody);
  twice.headers.add("Rupa-Signature", std::string(*twice.headers.only("Rupa-Signature")));
  auto malformed = signed_request(kBody);
  malformed.headers = {};
  malformed.headers.add("Rupa-Signature", "junk");
  auto tampered = signed_request(kBody);
  tampered.body += " ";
  std::vector<std::string> bodies;
  for (auto* request : {&no_signature, &twice, &malformed, &tampered}) {
    const auto answers = send(std::move(*request));
    ASSERT_EQ(answers->status(), 400);
    EXPECT_TRUE(answers->is_problem("invalid_signature")) << answers->all[0].body;
    EXPECT_TRUE(answers->all[0].headers.empty());
    bodies.push_back(answers->all[0].body);
  }
  EXPECT_EQ(bodies, std::vector<std::string>(4, bodies[0]));
  EXPECT_TRUE(log.appended.empty());
  EXPECT_EQ(requests("rupa", "bad_signature"), 4);
  for (const char* reason : {"signature_missing", "header_duplicated", "signature_malformed", "signature_mismatch"}) {
    EXPECT_EQ(metrics.counter("resultsync_intake_signature_errors_total", "", {{"source", "rupa"}, {"reason", reason}})
                  .value(),
              1)
        << reason;
  }
}

TEST_F(WebhookTest, one_sources_secret_never_speaks_for_another) {
  EXPECT_EQ(send(at("/webhooks/fullscript", signed_request(kBody, kRupaSecret)))->status(), 400);
  EXPECT_EQ(send(at("/webhooks/rupa", signed_request(kBody, kOtherSecret)))->status(), 400);
  EXPECT_TRUE(log.appended.empty());
  send(at("/webhooks/fullscript", signed_request(kBody, kOtherSecret)));
  ASSERT_EQ(log.appended.size(), 1U);
  EXPECT_EQ(log.appended[0].source, SourceId("fullscript"));
}

TEST_F(WebhookTest, old_and_new_secret_are_accepted_during_a_rotation) {
  const auto by_new = send(signed_request(kBody, kRupaSecret));
  const auto by_old = send(signed_request(kBody, kOldRupaSecret));
  log.commit_all();
  EXPECT_EQ(by_new->status(), 200);
  EXPECT_EQ(by_old->status(), 200);
}

TEST_F(WebhookTest, a_stale_request_is_kept_and_flagged) {
  const auto answers = send(signed_request(kBody, kRupaSecret, Timestamp::from_seconds(kNow.seconds() - 301)));
  log.commit_all();
  EXPECT_EQ(answers->status(), 200);
  EXPECT_TRUE(log.kept.at(0).stale);
  EXPECT_EQ(requests("rupa", "accepted_stale"), 1);
  EXPECT_EQ(requests("rupa", "accepted"), 0);
}

TEST_F(WebhookTest, a_stale_request_is_refused_where_the_source_is_strict) {
  sources[0].stale_policy = vendors::StalePolicy::kRefuse;
  sources[0].tolerance = std::chrono::seconds(60);
  for (const int offset : {-61, 61}) {
    const auto answers = send(signed_request(kBody, kRupaSecret, Timestamp::from_seconds(kNow.seconds() + offset)));
    EXPECT_EQ(answers->status(), 400);
    EXPECT_TRUE(answers->is_problem("invalid_signature"));
  }
  EXPECT_TRUE(log.appended.empty());
  EXPECT_EQ(requests("rupa", "stale_refused"), 2);
  send(signed_request(kBody, kRupaSecret, Timestamp::from_seconds(kNow.seconds() - 60)));
  EXPECT_EQ(log.appended.size(), 1U);
}

TEST_F(WebhookTest, what_was_not_committed_is_answered_503_with_a_time_to_retry) {
  for (const char* code : {"overloaded", "disk_low", "stopped", "store_failed"}) {
    const auto answers = send(signed_request(kBody));
    log.fail_all(code);
    ASSERT_EQ(answers->status(), 503) << code;
    EXPECT_TRUE(answers->is_problem(code)) << answers->all[0].body;
    EXPECT_EQ(answers->header("Retry-After"), "5");
    EXPECT_EQ(requests("rupa", code), 1) << code;
  }
  EXPECT_EQ(requests("rupa", "accepted"), 0);
}

TEST_F(WebhookTest, an_unknown_failure_of_the_log_is_no_2xx_either) {
  const auto answers = send(signed_request(kBody));
  log.fail_all("something_new");
  EXPECT_EQ(answers->status(), 503);
  EXPECT_EQ(requests("rupa", "store_failed"), 1);
}

TEST_F(WebhookTest, a_duplicate_refers_to_a_committed_record_and_still_waits_for_its_own_commit) {
  const auto first = send(signed_request(kBody));
  log.commit_all();
  const auto second = send(signed_request(kBody, kRupaSecret, Timestamp::from_seconds(kNow.seconds() + 5)));
  EXPECT_TRUE(second->all.empty()) << "I5";
  ASSERT_EQ(log.appended.size(), 2U);
  EXPECT_EQ(log.appended[1].same_body_as, store::Sequence{1});
  EXPECT_TRUE(log.appended[1].body.empty());
  EXPECT_EQ(log.appended[1].body_sha256, sha256(kBody));
  log.fail_all("overloaded");
  EXPECT_EQ(second->status(), 503);

  const auto third = send(signed_request(kBody));
  log.commit_all();
  EXPECT_EQ(third->status(), 200);
  EXPECT_EQ(log.kept.back().same_body_as, store::Sequence{1});
  send(signed_request(kBody));
  EXPECT_EQ(log.appended.back().same_body_as, store::Sequence{1}) << "never a reference to a reference";
}

TEST_F(WebhookTest, a_body_is_never_a_reference_to_a_record_that_is_not_known_to_be_committed) {
  send(signed_request(kBody));
  send(signed_request(kBody));
  EXPECT_EQ(log.appended[1].body, kBody) << "the first is still on its way";
  log.fail_all("store_failed");
  send(signed_request(kBody));
  EXPECT_EQ(log.appended[2].body, kBody) << "the first two were never kept";
  EXPECT_EQ(log.appended[2].same_body_as, store::Sequence{});
}

TEST_F(WebhookTest, a_body_of_another_source_or_with_other_bytes_is_kept_whole) {
  send(signed_request(kBody));
  log.commit_all();
  send(at("/webhooks/fullscript", signed_request(kBody, kOtherSecret)));
  EXPECT_EQ(log.appended.back().body, kBody);
  send(signed_request(kBody + "\n"));
  EXPECT_EQ(log.appended.back().body, kBody + "\n") << "the same id with another body is sync's to judge (I2)";
}

TEST_F(WebhookTest, empty_bodies_are_kept_like_any_other) {
  const auto first = send(signed_request(""));
  log.commit_all();
  const auto second = send(signed_request(""));
  log.commit_all();
  EXPECT_EQ(first->status(), 200);
  EXPECT_EQ(second->status(), 200);
  EXPECT_EQ(log.kept.at(1).same_body_as, store::Sequence{1});
}

TEST_F(WebhookTest, other_methods_and_paths_are_refused) {
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post"}) {
    const auto answers = send(with_method(method, signed_request(kBody)));
    ASSERT_EQ(answers->status(), 405) << method;
    EXPECT_EQ(answers->header("Allow"), "POST");
    EXPECT_TRUE(answers->is_problem("method_not_allowed"));
  }
  for (const char* path : {"/", "/webhooks/", "/webhooks/unknown", "/webhook/", "/v1/feed"}) {
    const auto answers = send(at(path, signed_request(kBody)));
    ASSERT_EQ(answers->status(), 404) << path;
    EXPECT_TRUE(answers->is_problem("not_found"));
  }
  EXPECT_TRUE(log.appended.empty());
}

TEST_F(WebhookTest, the_acknowledgement_is_what_the_source_says) {
  sources[0].acknowledgement = R"({"challenge":"token"})";
  const auto answers = send(signed_request(kBody));
  log.commit_all();
  EXPECT_EQ(answers->all.at(0).body, R"({"challenge":"token"})");
}

TEST_F(WebhookTest, a_commit_reported_after_the_webhook_has_gone_still_answers) {
  const auto answers = send(signed_request(kBody));
  webhook.reset();
  log.commit_all();
  EXPECT_EQ(answers->status(), 200);
}

TEST_F(WebhookTest, refusals_of_the_listener_are_counted) {
  serve();
  webhook->on_refusal(http::Refusal::kBodyTooLarge);
  webhook->on_refusal(http::Refusal::kBodyTooLarge);
  webhook->on_refusal(http::Refusal::kTooManyConnections);
  EXPECT_EQ(requests("", "too_large"), 2);
  EXPECT_EQ(requests("", "too_many_connections"), 1);
}

TEST_F(WebhookTest, bad_signatures_of_a_stranger_log_one_line_an_interval_without_the_body) {
  serve();
  runtime::log::set_level(runtime::log::Level::kInfo);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 100; ++i) send(signed_request("Jane Example 1970-01-01", kOtherSecret));
  clock.set(Timestamp::from_seconds(kNow.seconds() + 10));
  send(signed_request("Jane Example 1970-01-01", kOtherSecret));
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(lines, '\n'), 2) << lines;
  EXPECT_TRUE(lines.contains(R"("event":"intake.bad_signature","source":"rupa","reason":"signature_mismatch")"))
      << lines;
  EXPECT_TRUE(lines.contains(R"("left_out":99)")) << lines;
  EXPECT_FALSE(lines.contains("Jane")) << "P4";
}

TEST(LogPace, says_how_many_were_left_out) {
  LogPace pace(std::chrono::seconds(10));
  const auto at = [](int seconds) { return std::chrono::steady_clock::time_point(std::chrono::seconds(seconds)); };
  EXPECT_EQ(pace.due(at(100)), 0U);
  EXPECT_EQ(pace.due(at(100)), std::nullopt);
  EXPECT_EQ(pace.due(at(109)), std::nullopt);
  EXPECT_EQ(pace.due(at(110)), 2U);
  EXPECT_EQ(pace.due(at(120)), 0U);
}

TEST_F(WebhookTest, an_empty_request_that_nobody_signed_is_answered_only_where_the_source_wants_it_and_never_stored) {
  sources[1].acknowledgement = R"({"challenge":"c"})";
  http::Request trial;
  trial.method = "POST";
  trial.target = trial.path = "/webhooks/fullscript";
  EXPECT_EQ(send(trial)->all.at(0).status, 400);
  webhook.reset();
  sources[1].answers_empty = true;
  const auto answer = send(trial);
  EXPECT_EQ(answer->all.at(0).status, 200);
  EXPECT_EQ(answer->all.at(0).body, R"({"challenge":"c"})");
  EXPECT_EQ(requests("fullscript", "tried"), 1);
  trial.body = "{}";
  EXPECT_EQ(send(trial)->all.at(0).status, 400) << "there is something in it";
  trial.body.clear();
  trial.headers.add("Rupa-Signature", "t=1,v1=00");
  EXPECT_EQ(send(trial)->all.at(0).status, 400) << "a wrong signature is a wrong signature";
  trial.headers = {};
  trial.path = "/webhook";
  EXPECT_EQ(send(trial)->all.at(0).status, 400) << "another source";
  EXPECT_TRUE(log.appended.empty());
}

}  // namespace
}  // namespace resultsync::intake
