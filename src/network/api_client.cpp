#include "network/api_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <thread>

#include "base/encoding.hpp"
#include "runtime/random.hpp"

namespace resultsync::network {
namespace {

constexpr std::size_t kAnswerBytesMax = std::size_t{32} * 1024 * 1024;  // a page of orders with their HL7
constexpr std::chrono::milliseconds kFirstPause{250};
constexpr std::chrono::seconds kPauseMax{30};
constexpr std::chrono::seconds kRetryAfterMax{300};

std::chrono::milliseconds pause_before(int attempt) {
  const auto pause = std::min<std::chrono::milliseconds>(kFirstPause * (1 << std::min(attempt, 10)), kPauseMax);
  const auto jitter = static_cast<unsigned char>(runtime::random_bytes(1).front());
  return pause / 2 + pause * jitter / 512;
}

std::optional<std::chrono::seconds> retry_after(const http::Headers& headers) {
  const auto value = headers.only("Retry-After");
  if (!value) return std::nullopt;
  int seconds = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), seconds);
  if (error != std::errc() || end != value->data() + value->size() || seconds < 0) return std::nullopt;
  return std::min(std::chrono::seconds(seconds), kRetryAfterMax);
}

bool is_passing(std::string_view code) {
  return code == "network_unavailable" || code == "bad_response" || code == "throttled";
}

// Scheme, host and port.
std::string origin_of(const std::string& text) {
  const auto url = http::parse_url(text);
  return url ? fmt::format("{}://{}:{}", url->scheme, url->host, url->port) : std::string{};
}

}  // namespace

std::optional<Timestamp> parse_http_date(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(25) != " GMT") return std::nullopt;
  const auto month = std::ranges::find(kMonths, text.substr(8, 3));
  if (month == kMonths.end()) return std::nullopt;
  const auto parsed = parse_timestamp(fmt::format("{}-{:02}-{}T{}Z", text.substr(12, 4), month - kMonths.begin() + 1,
                                                  text.substr(5, 2), text.substr(17, 8)));
  if (!parsed) return std::nullopt;
  return parsed->time;
}

ApiClient::ApiClient(const Settings& settings, const Wire& wire, Tokens& tokens, const runtime::Clock& clock)
    : settings_(settings), wire_(wire), tokens_(tokens), clock_(clock) {}

Result<ApiAnswer> ApiClient::get(const SourceSettings& source, store::AuthorizationKey consent,
                                 const std::string& target, Patience patience) {
  // A next page that leads elsewhere would carry the token there.
  if (!target.starts_with('/') && origin_of(target) != origin_of(source.api)) {
    return fail("foreign_address", "the network's answer leads to another host");
  }
  const int tries = patience == Patience::kShort ? std::min(2, settings_.api_tries) : settings_.api_tries;
  return ask(source, consent, {"GET", full_url(source, target), {}, tries});
}

Result<ApiAnswer> ApiClient::post(const SourceSettings& source, store::AuthorizationKey consent,
                                  const std::string& target, std::string body) {
  return ask(source, consent, {"POST", full_url(source, target), std::move(body), 1});
}

Result<ApiAnswer> ApiClient::get_with(const SourceSettings& source, const Secret<std::string>& token,
                                      const std::string& target) {
  const Ask question{"GET", full_url(source, target), {}, settings_.api_tries};
  for (int attempt = 0;; ++attempt) {
    auto answer = read(once(source, token, question));
    if (answer || !is_passing(answer.error().code) || attempt + 1 >= question.tries) return answer;
    if (!pause(pause_before(attempt))) return fail("stopped", "the server is stopping");
  }
}

Result<ApiAnswer> ApiClient::ask(const SourceSettings& source, store::AuthorizationKey consent, const Ask& question) {
  bool renewed = false;
  for (int attempt = 0;; ++attempt) {
    auto token = tokens_.access(source, consent);
    if (!token) return forward_error(std::move(token));
    auto raw = once(source, *token, question);
    if (raw && raw->status == 401 && !renewed) {
      renewed = true;
      if (auto fresh = tokens_.renew(source, consent, *token); !fresh) return forward_error(std::move(fresh));
      --attempt;
      continue;
    }
    auto answer = read(raw);
    if (answer || !is_passing(answer.error().code) || attempt + 1 >= question.tries) return answer;
    const auto said = raw ? retry_after(raw->headers) : std::nullopt;
    if (!pause(said ? std::chrono::milliseconds(*said) : pause_before(attempt))) {
      return fail("stopped", "the server is stopping");
    }
  }
}

Result<http::ClientResponse> ApiClient::once(const SourceSettings& source, const Secret<std::string>& token,
                                             const Ask& question) {
  if (!pause(turn(source))) return fail("stopped", "the server is stopping");
  http::OutboundRequest request;
  request.method = question.method;
  request.url = question.url;
  request.body = question.body;
  request.total_timeout = settings_.api_timeout;
  request.response_bytes_max = kAnswerBytesMax;
  request.headers = {{"Authorization", "Bearer " + token.reveal()},
                     {"Accept", source.media_type},
                     {"Content-Type", source.media_type}};
  return wire_.send(source, std::move(request));
}

Result<ApiAnswer> ApiClient::read(const Result<http::ClientResponse>& answer) const {
  if (!answer) {
    if (answer.error().code == "stopped") return std::unexpected(answer.error());
    if (answer.error().code == "address_refused" || answer.error().code == "bad_url")
      return std::unexpected(answer.error());
    return fail("network_unavailable", "the network's API could not be asked", std::string(answer.error().code));
  }
  const int status = answer->status;
  const auto cause = "status " + std::to_string(status);
  if (status == 401) return fail("needs_consent", "the network's API takes our token no more", cause);
  if (status == 403) return fail("forbidden", "the network's API does not let this consent see that", cause);
  if (status == 404) return fail("not_found", "the network's API has nothing there", cause);
  if (status == 429) return fail("throttled", "the network's API wants fewer requests", cause);
  if (status >= 500) return fail("network_unavailable", "the network's API failed", cause);
  if (status >= 300) return fail("refused", "the network's API refused the request", cause);
  ApiAnswer read{status, std::make_unique<orders::JsonBody>(answer->body), clock_.now()};
  if (!read.body->root())
    return fail("bad_response", "the network's API answered with something else than JSON", cause);
  if (const auto date = answer->headers.only("Date")) {
    if (const auto time = parse_http_date(*date)) read.at = *time;
  }
  return read;
}

// How long to wait for our turn: a bucket that fills at the configured rate.
std::chrono::milliseconds ApiClient::turn(const SourceSettings& source) {
  const std::lock_guard lock(mutex_);
  Bucket& bucket = buckets_[source.source];
  const double rate = source.requests_per_second;
  const auto now = clock_.monotonic();
  if (!bucket.started) bucket = {rate * 2, now, true};
  const double seconds = std::chrono::duration<double>(now - bucket.filled).count();
  bucket.tokens = std::min(rate * 2, bucket.tokens + seconds * rate) - 1;
  bucket.filled = now;
  return bucket.tokens >= 0 ? std::chrono::milliseconds{0}
                            : std::chrono::milliseconds(static_cast<std::int64_t>(-bucket.tokens / rate * 1000) + 1);
}

bool ApiClient::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  if (time.count() > 0) stopping_.wait_for(lock, time, [this] { return stopped_; });
  return !stopped_;
}

void ApiClient::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stopping_.notify_all();
}

}  // namespace resultsync::network
