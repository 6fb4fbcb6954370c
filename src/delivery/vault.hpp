// What endpoints must not show to whoever reads the disk: their addresses, secrets and answers, sealed under a key made
// from the master key.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "runtime/keys.hpp"

namespace resultsync::delivery {

// Thread-safe.
class Vault {
 public:
  explicit Vault(const runtime::MasterKey& master);

  // `purpose` is bound to the sealed bytes: they open under the same one only, so that a secret cannot be passed off as
  // an answer. An empty text stays empty.
  [[nodiscard]] std::string seal(std::string_view purpose, std::string_view text) const;
  // Error: `bad_seal`.
  [[nodiscard]] Result<std::string> open(std::string_view purpose, std::string_view sealed) const;

 private:
  Secret<runtime::Key256> key_;
};

}  // namespace resultsync::delivery
