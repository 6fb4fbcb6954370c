// Asking for many rows by their numbers with few questions.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace resultsync::store::sql {

// How many names one question may ask for, and as many parameters.
inline constexpr std::size_t kAskedAtOnce = 64;  // a page of the feed is 50 items
#define ASKED                                                                                                   \
  "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, " \
  "?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42, ?43, ?44, "   \
  "?45, ?46, ?47, ?48, ?49, ?50, ?51, ?52, ?53, ?54, ?55, ?56, ?57, ?58, ?59, ?60, ?61, ?62, ?63, ?64) "

using AskedNumbers = std::array<std::int64_t, kAskedAtOnce>;

// Calls `ask` with the numbers of all values, page by page. A page that is not full repeats its first one.
template <class Value, class NumberOf, class Ask>
void asked_together(std::span<const Value> values, const NumberOf& number_of, const Ask& ask) {
  while (!values.empty()) {
    const auto page = values.first(std::min(kAskedAtOnce, values.size()));
    values = values.subspan(page.size());
    AskedNumbers numbers;
    numbers.fill(std::invoke(number_of, page.front()));
    std::ranges::transform(page, numbers.begin(), [&](const Value& value) { return std::invoke(number_of, value); });
    ask(numbers);
  }
}

}  // namespace resultsync::store::sql
