// Asking for many rows by their numbers with few questions.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <type_traits>

namespace resultsync::store::sql {

// How many names one question may ask for, and as many parameters.
inline constexpr std::size_t kAskedAtOnce = 64;  // a page of the feed is 50 items
#define ASKED                                                                                                   \
  "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, " \
  "?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42, ?43, ?44, "   \
  "?45, ?46, ?47, ?48, ?49, ?50, ?51, ?52, ?53, ?54, ?55, ?56, ?57, ?58, ?59, ?60, ?61, ?62, ?63, ?64) "

using AskedNumbers = std::array<std::int64_t, kAskedAtOnce>;
using AskedTexts = std::array<std::string, kAskedAtOnce>;

// Calls `ask` with the numbers or texts that name the values, page by page. A page that is not full repeats its first
// one.
template <class Value, class NameOf, class Ask>
void asked_together(std::span<const Value> values, const NameOf& name_of, const Ask& ask) {
  while (!values.empty()) {
    const auto page = values.first(std::min(kAskedAtOnce, values.size()));
    values = values.subspan(page.size());
    std::array<std::remove_cvref_t<std::invoke_result_t<const NameOf&, const Value&>>, kAskedAtOnce> names;
    names.fill(std::invoke(name_of, page.front()));
    std::ranges::transform(page, names.begin(), [&](const Value& value) { return std::invoke(name_of, value); });
    ask(names);
  }
}

}  // namespace resultsync::store::sql
