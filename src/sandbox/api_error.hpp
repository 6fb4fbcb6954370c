// Errors of the API as JSON:API has them (§7), in the wording of the framework that the network seems to run on.
#pragma once

#include <string>
#include <vector>

#include "sandbox/answer.hpp"

namespace resultsync::sandbox {

struct ApiError {
  int status = 400;
  std::string code = "invalid";
  std::string detail;
  std::string pointer = {};    // "/data/attributes/return_url"; empty: it is about nothing of the body
  std::string parameter = {};  // "page[size]"
};

// The first one's status is the answer's.
http::Response error_answer(const std::vector<ApiError>& errors);
inline http::Response error_answer(ApiError error) {
  return error_answer(std::vector{std::move(error)});
}

}  // namespace resultsync::sandbox
