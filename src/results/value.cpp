#include "results/value.hpp"

namespace resultsync::results {

std::string_view Value::kind() const {
  // In the order of the variant's types.
  static constexpr std::string_view kKinds[] = {"text", "quantity", "range",      "ratio",      "coded",  "moment",
                                                "time", "period",   "attachment", "identifier", "samples"};
  static_assert(std::size(kKinds) == std::variant_size_v<decltype(is)>);
  return kKinds[is.index()];
}

}  // namespace resultsync::results
