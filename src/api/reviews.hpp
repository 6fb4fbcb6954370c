// What practitioners said of a result, as it stands with the result: in lists, in the result, in the order.
#pragma once

#include <optional>

#include "api/service.hpp"
#include "store/reviews.hpp"

namespace resultsync::api {

struct Judged {
  store::Review review = store::Review::kUnreviewed;
  std::optional<store::SignatureRow> last;     // the newest signature of any version
  std::optional<store::CriticalRow> critical;  // the newest version that was critical
};
// `said` is of the result's order, at least.
Judged judged(const store::LastSaid& said, const store::LastSaid::OfTest& test, store::Review review);

// Into an open object: `review` and `critical`.
void write_judged(JsonWriter& json, const Judged& judged);
// Into an open object: `last_review`, the newest signature of one version.
void write_last_review(JsonWriter& json, const std::optional<store::SignatureRow>& signature);

}  // namespace resultsync::api
