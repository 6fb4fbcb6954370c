// Seals what must not be readable at rest in the views: tokens, documents, verifiers. Each purpose has a key of its
// own, derived from the master key, so that one kind of sealed bytes never opens as another. Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "runtime/keys.hpp"

namespace resultsync::runtime {

class Vault {
 public:
  // `purpose` is a name for ever: "documents", "tokens".
  Vault(const MasterKey& master, std::string_view purpose);

  // A random nonce of 12 bytes, then the sealed text with its tag (AES-256-GCM). `name` says what it is the text of: it
  // opens under the same name only, so that rows cannot be exchanged.
  [[nodiscard]] std::string seal(std::string_view name, std::string_view text) const;
  // Error: `bad_seal`.
  [[nodiscard]] Result<std::string> open(std::string_view name, std::string_view sealed) const;

 private:
  Secret<Key256> key_;
};

}  // namespace resultsync::runtime
