// AES-256-GCM (NIST SP 800-38D): sealed bytes can be read and changed only by who has the key; whoever opens them
// learns of any change, also of what was said beside them (the associated data). The cipher's state is kept between
// calls. Not thread-safe: one per thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "runtime/keys.hpp"

struct evp_cipher_ctx_st;

namespace resultsync::runtime {

// Must never be used twice with one key: two texts under one nonce give both away.
using SealNonce = std::array<std::uint8_t, 12>;

// What sealing adds to the length of a text.
inline constexpr std::size_t kSealTagBytes = 16;

struct CipherContextDelete {
  void operator()(evp_cipher_ctx_st* context) const;
};
using CipherContext = std::unique_ptr<evp_cipher_ctx_st, CipherContextDelete>;

class Sealer {
 public:
  explicit Sealer(const Secret<Key256>& key);
  // Appends the sealed text and its tag to `out`: text.size() + kSealTagBytes bytes.
  void seal(const SealNonce& nonce, std::string_view associated, std::string_view text, std::string& out);

 private:
  CipherContext context_;
};

class Unsealer {
 public:
  explicit Unsealer(const Secret<Key256>& key);
  // Error: `bad_seal` (another key, nonce or associated data, or changed bytes).
  Result<std::string> open(const SealNonce& nonce, std::string_view associated, std::string_view sealed);

 private:
  CipherContext context_;
};

}  // namespace resultsync::runtime
