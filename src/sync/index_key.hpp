// The names by which results are found in the views, as keyed hashes: that a patient was examined for something is
// health data, and the views are not sealed (decision 0012).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/keys.hpp"
#include "store/results.hpp"

namespace resultsync::sync {

// Thread-safe.
class IndexKey {
 public:
  // Whoever reads the index must have the key that it was written with: MasterKey::derived(kPurpose).
  explicit IndexKey(Secret<runtime::Key256> key) : key_(std::move(key)) {}
  static constexpr std::string_view kPurpose = "resultsync results index 1";

  // Of a code alone, whatever its system; and of an identifier's value. Never 0.
  [[nodiscard]] store::Term code(std::string_view code) const { return term('c', code); }
  // Names a whole set of codes; `codes` are sorted.
  [[nodiscard]] Sha256 set(const std::vector<std::string>& codes) const;
  [[nodiscard]] store::Term identifier(std::string_view value) const { return term('i', value); }

 private:
  [[nodiscard]] store::Term term(char kind, std::string_view text) const;
  Secret<runtime::Key256> key_;
};

}  // namespace resultsync::sync
