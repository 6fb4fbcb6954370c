// Carries out a search: the views say where something may be found, each candidate is read and judged, and a page ends
// at its bounds.
#pragma once

#include <string>

#include "api/fhir/request.hpp"
#include "api/service.hpp"

namespace resultsync::api::fhir_face {

// Bounds of one answer. A page that ends at one of them has a link to the next, however few matches it holds.
inline constexpr std::size_t kTestsMax = 500;  // ordered tests that are read
inline constexpr std::size_t kTestsCountedMax =
    5000;                                          // the same where there is no next page: counting, personal values
inline constexpr std::size_t kIncludedMax = 1000;  // resources that came along
inline constexpr std::size_t kAnswerBytesMax = 8 * 1024 * 1024;

struct Place {
  std::string origin;  // "https://host"
  [[nodiscard]] std::string base() const { return origin + "/fhir/R4"; }
};

// A Bundle of type searchset.
Checked<http::Response> run_search(Service& service, const Call& call, const SearchRequest& request,
                                   const Place& place);

}  // namespace resultsync::api::fhir_face
