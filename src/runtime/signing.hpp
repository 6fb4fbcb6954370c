// Ed25519 signatures (RFC 8032): who has the public half can check what the holder of the key has stated, and cannot
// make such statements.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/secret.hpp"
#include "runtime/keys.hpp"

struct evp_pkey_st;

namespace resultsync::runtime {

// Thread-safe.
class SigningKey {
 public:
  explicit SigningKey(const Secret<Key256>& seed);
  [[nodiscard]] std::string sign(std::string_view text) const;                 // 64 bytes
  [[nodiscard]] const std::string& public_key() const { return public_key_; }  // 32 bytes

 private:
  struct Delete {
    void operator()(evp_pkey_st* key) const;
  };
  std::unique_ptr<evp_pkey_st, Delete> key_;
  std::string public_key_;
};

// False too for a key or a signature of another length.
bool is_signed(std::string_view public_key, std::string_view text, std::string_view signature);

}  // namespace resultsync::runtime
