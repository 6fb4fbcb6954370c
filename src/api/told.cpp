#include "api/told.hpp"

#include <algorithm>
#include <iterator>

#include "orders/documents.hpp"

namespace resultsync::api {

std::vector<store::ToldMissing> missing_of(const std::vector<store::ToldMissing>& of_order, const OrderedTestId& test,
                                           int version) {
  std::vector<store::ToldMissing> missing;
  std::ranges::copy_if(of_order, std::back_inserter(missing),
                       [&](const store::ToldMissing& one) { return one.test == test && one.version == version; });
  return missing;
}

std::shared_ptr<const Body> body_as_told(std::shared_ptr<const Body> body,
                                         const std::vector<store::ToldMissing>& missing) {
  if (missing.empty() || !body->unavailable.empty()) return body;
  std::vector<orders::ShownDocument> values;
  values.reserve(missing.size());
  for (const store::ToldMissing& one : missing) values.push_back({one.test, one.member, "document:missing"});
  auto told = std::make_shared<Body>();
  told->bytes = orders::with_values(body->bytes, values);
  return told;
}

void write_missing(JsonWriter& json, const std::vector<store::ToldMissing>& missing) {
  if (missing.empty()) return;
  json.key("documents_missing").begin_array();
  for (const store::ToldMissing& one : missing)
    json.begin_object().member("member", one.member).member("reason", one.reason).end_object();
  json.end_array();
}

}  // namespace resultsync::api
