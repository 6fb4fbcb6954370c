// A network's REST API, as one consent sees it: JSON:API over HTTPS, with the token renewed once where it is refused,
// the rate limits obeyed, and what is passing (5xx, time-outs, broken JSON) tried again a few times. Blocks;
// thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "network/tokens.hpp"
#include "network/wire.hpp"
#include "orders/json_body.hpp"

namespace resultsync::network {

struct ApiAnswer {
  int status = 0;
  std::unique_ptr<orders::JsonBody> body;  // JSON
  Timestamp at;                            // by the network's clock (Date), to the second; by ours where it says none
};

class ApiClient {
 public:
  ApiClient(const Settings& settings, const Wire& wire, Tokens& tokens, const runtime::Clock& clock);

  // `target` is a path of the API, or an address that it gave (the next page): one of another host is refused. Errors:
  //   needs_consent, revoked   what the consent is now
  //   forbidden                403: the consent does not reach so far
  //   not_found                404
  //   refused                  another 4xx; the cause has the status
  //   throttled                429 again and again
  //   network_unavailable      5xx, time-outs or no connection, again and again
  //   bad_response             no JSON, again and again
  //   foreign_address          see above
  //   stopped
  // `kShort` is for who is waited for: a second attempt, and no more.
  enum class Patience { kUsual, kShort };
  Result<ApiAnswer> get(const SourceSettings& source, store::AuthorizationKey consent, const std::string& target,
                        Patience patience = Patience::kUsual);
  // Is sent once only: what it makes would be made twice.
  Result<ApiAnswer> post(const SourceSettings& source, store::AuthorizationKey consent, const std::string& target,
                         std::string body);
  // With a token that is not kept yet: the first question after a consent.
  Result<ApiAnswer> get_with(const SourceSettings& source, const Secret<std::string>& token, const std::string& target);

  void stop();  // ends what waits

 private:
  struct Ask {
    std::string method;
    std::string url;
    std::string body;
    int tries = 1;
  };
  Result<ApiAnswer> ask(const SourceSettings& source, store::AuthorizationKey consent, const Ask& ask);
  Result<http::ClientResponse> once(const SourceSettings& source, const Secret<std::string>& token, const Ask& ask);
  Result<ApiAnswer> read(const Result<http::ClientResponse>& answer) const;
  bool pause(std::chrono::milliseconds time);  // false: stopped
  std::chrono::milliseconds turn(const SourceSettings& source);

  const Settings& settings_;
  const Wire& wire_;
  Tokens& tokens_;
  const runtime::Clock& clock_;
  struct Bucket {
    double tokens = 0;
    std::chrono::steady_clock::time_point filled;
    bool started = false;
  };
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stopped_ = false;                // guarded by mutex_
  std::map<SourceId, Bucket> buckets_;  // guarded by mutex_
};

// "Thu, 01 Jan 2026 00:00:00 GMT" (RFC 9110 §5.6.7, the preferred form only).
std::optional<Timestamp> parse_http_date(std::string_view text);

}  // namespace resultsync::network
