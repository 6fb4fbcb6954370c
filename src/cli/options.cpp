#include "cli/options.hpp"

#include <fmt/format.h>

#include <type_traits>

namespace resultsync::cli {

std::string Option::fallback() const {
  if (required) return {};  // what its target begins with is nothing that anybody gets
  return std::visit(
      [](const auto* value) -> std::string {
        using Value = std::remove_cvref_t<decltype(*value)>;
        if constexpr (std::is_same_v<Value, std::string>) return *value;
        if constexpr (std::is_same_v<Value, std::optional<std::string>>) return value->value_or("");
        if constexpr (std::is_same_v<Value, std::int64_t> || std::is_same_v<Value, double>)
          return fmt::format("{}", *value);
        return {};
      },
      target);
}

std::vector<std::string> Option::each_name() const {
  std::vector<std::string> each;
  for (std::size_t begin = 0; begin < names.size();) {
    const std::size_t end = std::min(names.find(',', begin), names.size());
    each.push_back(names.substr(begin, end - begin));
    begin = end + 1;
  }
  return each;
}

}  // namespace resultsync::cli
