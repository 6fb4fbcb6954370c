// The master key of a data directory: the one secret that every segment key and every sealed column is wrapped under.
//
// It lives in a file of its own (64 hexadecimal digits and a newline), readable by its owner only, so that it can be
// kept, backed up and handed over apart from the data. Whoever loses it loses the data.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace resultsync::runtime {

using Key256 = std::array<std::uint8_t, 32>;

// A fresh key from the operating system.
Secret<Key256> random_key();

class MasterKey {
 public:
  explicit MasterKey(Secret<Key256> key);

  // Reads the key at `path`. Errors: `not_found`, `key_file_exposed` (others than its owner may read it),
  // `bad_key_file`, and those of File.
  static Result<MasterKey> load(const std::string& path);

  // The same, but where there is no file yet a key is made and is durable before it is returned. Of several processes
  // that come here at once, all get the same key.
  static Result<MasterKey> load_or_create(const std::string& path);

  [[nodiscard]] const Secret<Key256>& key() const { return key_; }

  // A key of its own for one purpose: HMAC-SHA256 of the purpose under this key. Who has it learns nothing of this key.
  [[nodiscard]] Secret<Key256> derived(std::string_view purpose) const;

  // Names the key without telling it: the first 8 hexadecimal digits of its SHA-256.
  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  Secret<Key256> key_;
  std::string id_;
};

}  // namespace resultsync::runtime
