// What is wrong with a request to /fhir/R4, in FHIR's words: an OperationOutcome (FHIR R4 §2.36.3). Never with a value
// that was sent, nor with health data (P4).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/problem.hpp"
#include "http/message.hpp"

namespace resultsync::api::fhir_face {

struct Issue {
  std::string_view severity;  // "error", "warning"
  std::string_view code;      // of http://hl7.org/fhir/issue-type: "not-supported", "invalid", …
  std::string text;           // for a person
};

std::string outcome_json(const std::vector<Issue>& issues);
http::Response outcome_response(int status, const std::vector<Issue>& issues);
// The problem that another route would have answered with.
http::Response outcome_response(const Problem& problem, std::string_view request_id);

}  // namespace resultsync::api::fhir_face
