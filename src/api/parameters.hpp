// The parameters of a URL's query, read strictly: one that the route does not know, or that stands twice, is refused
// instead of ignored, because a mistyped filter would show (or end) more than was meant. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/problem.hpp"
#include "base/timestamp.hpp"

namespace resultsync::api {

class Parameters {
 public:
  // `query` is what follows the `?`, still encoded. Problems: `unknown_parameter`, `bad_parameter`.
  // Of the names that are known, those in `repeatable` may stand more than once.
  static Checked<Parameters> parse(std::string_view query, std::span<const std::string_view> known,
                                   std::span<const std::string_view> repeatable = {});

  // Nothing if it is absent.
  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
  // Every value of a repeatable one, in their order.
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;
  // The same for one that must hold something.
  [[nodiscard]] Checked<std::string> required_text(std::string_view name) const;

  struct Range {
    std::int64_t least;
    std::int64_t most;
    std::int64_t usual;  // if the parameter is absent
  };
  [[nodiscard]] Checked<std::int64_t> whole_number(std::string_view name, Range range) const;
  // True for `1`, `true` and the name alone; false for `0`, `false` and absence.
  [[nodiscard]] Checked<bool> flag(std::string_view name) const;
  [[nodiscard]] Checked<std::optional<Timestamp>> time(std::string_view name) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
  std::multimap<std::string, std::string, std::less<>> repeated_;
};

inline constexpr Parameters::Range kLimit{.least = 1, .most = 1000, .usual = 100};
inline constexpr Parameters::Range kWaitSeconds{.least = 0, .most = 60, .usual = 0};

}  // namespace resultsync::api
