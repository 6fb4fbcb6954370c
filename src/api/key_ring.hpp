// The API keys that there are, in memory: who a key is must be known before a request may cost anything. The whole
// table is read anew when a key changes here, so that revoking one takes effect with the answer, and at most a second
// after a change somewhere else.
//
//   rs_<id>_<secret>    id: 12 hexadecimal digits, finds the row; secret: 32 random bytes as base64url
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/route.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/timestamp.hpp"
#include "store/views.hpp"

namespace resultsync::api {

inline constexpr std::size_t kKeysMax = 10'000;  // that are not revoked

struct NewKey {
  std::string id;
  Secret<std::string> text;
};
NewKey new_key();                              // with an id of its own
NewKey new_key(const std::string& id);         // another secret for this id
Sha256 digest_of_key(std::string_view text);   // what is stored
bool looks_like_a_key(std::string_view text);  // its form alone

// How many requests a key may send: `per_second` in the long run, `burst` at once.
struct RateLimit {
  std::int64_t per_second = 200;
  std::int64_t burst = 400;
};
struct Allowance {
  bool granted = true;
  std::int64_t remaining = 0;
  std::int64_t seconds = 0;  // until there is one more (refused), or until all are back
};

class KeyRing {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  KeyRing(store::Views& views, RateLimit rate) : views_(views), rate_(rate) {}

  // Reads all keys. Blocks; thread-safe.
  Result<void> reload(Instant now);
  // Whether what is known is young enough to decide by. Any thread; never blocks.
  [[nodiscard]] bool is_fresh(Instant now) const;

  enum class Standing { kUnknown, kExpired, kRevoked, kGood };
  struct Found {
    Standing standing = Standing::kUnknown;
    Caller caller;
    std::vector<Scope> scopes;
  };
  // In a time that says nothing of where the secret differs. Never blocks.
  Found find(std::string_view text, Timestamp now);

  // One more request of this key. Never blocks.
  Allowance take(const std::string& id, Instant now);
  [[nodiscard]] const RateLimit& rate() const { return rate_; }

 private:
  struct Bucket {
    double tokens = 0;
    Instant filled;
  };
  struct Entry {
    store::ApiKeyRow row;
    std::vector<Scope> scopes;
    std::optional<Bucket> bucket;
  };

  store::Views& views_;
  const RateLimit rate_;
  std::mutex loading_;  // one reload at a time
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> keys_;  // by id; guarded by mutex_
  std::optional<Instant> loaded_;                   // guarded by mutex_
};

}  // namespace resultsync::api
