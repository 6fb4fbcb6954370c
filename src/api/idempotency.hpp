// Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a write that is sent again because its answer was lost
// is answered as before, and not done again. Answers are kept for 24 hours, sealed under a key that the caller's own
// Idempotency-Key is part of: whoever has the store, and even its master key, cannot read the secret that an answer may
// hold.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "api/problem.hpp"
#include "api/route.hpp"
#include "runtime/keys.hpp"
#include "store/views.hpp"

namespace resultsync::api {

inline constexpr std::int64_t kIdempotencyMicroseconds = 24LL * 3600 * 1'000'000;
// A write that did not end within this (its process was killed) may be tried again.
inline constexpr std::int64_t kInProgressMicroseconds = 60LL * 1'000'000;

// One write that carries a key.
struct IdempotentWrite {
  std::string caller;
  std::string key;  // as it was sent
  Sha256 request;   // of what was asked
};

// Problem: 400 `bad_parameter` for a key that is empty, longer than 255 bytes, given twice, or not printable ASCII.
Checked<std::optional<IdempotentWrite>> idempotent_write(const Route& route, const Call& call, std::string_view target);

class Idempotency {
 public:
  explicit Idempotency(const Secret<runtime::Key256>& master) : master_(master) {}

  // Claims the key, in the caller's transaction. The answer if the write was done already; problems: 422
  // `idempotency_key_reused` (for another request), 409 `in_progress`.
  std::variant<std::monostate, http::Response, Problem> claim(store::ViewsTransaction& transaction,
                                                              const IdempotentWrite& write, Timestamp now) const;
  // Keeps the answer; one that may come out otherwise when it is tried again (5xx) gives the key back instead.
  void keep(store::ViewsTransaction& transaction, const IdempotentWrite& write, const http::Response& response,
            Timestamp now) const;

 private:
  const runtime::MasterKey master_;
};

}  // namespace resultsync::api
