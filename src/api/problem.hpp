// Everything that can be wrong with a request, as one value: rendered as an RFC 9457 problem (application/problem+json)
// in one place.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "http/message.hpp"

namespace resultsync::api {

// One member of a body, or one parameter of a URL, that cannot be taken as it is. `reason` never repeats the value that
// was sent (P4).
struct MemberError {
  std::string member;
  std::string reason;
  bool operator==(const MemberError&) const = default;
};

struct Problem {
  int status = 500;
  std::string_view code;                 // stable; the problem's `type` is urn:resultsync:problem:<code>
  std::string title;                     // a sentence for a person, never with health data (P4)
  std::vector<MemberError> errors = {};  // member by member, where there are any
  std::string restart = {};              // how to start again: cursor_gone only (D5)
  std::vector<SourceId> sources = {};    // the sources an ambiguous id was found in
  std::string scope = {};                // the one that is needed: missing_scope only
  std::optional<int> retry_after_seconds = {};
  std::string allow = {};         // the Allow header of a 405
  std::string authenticate = {};  // the WWW-Authenticate header of a 401
};

// A value that was checked, or what is wrong with it.
template <class T>
using Checked = std::expected<T, Problem>;

http::Response render(const Problem& problem, std::string_view request_id);

// The problems that several routes share.
Problem bad_parameter(std::string name, std::string reason);
Problem invalid_members(std::vector<MemberError> errors);
Problem bad_cursor();
Problem not_found(std::string_view code, std::string title);
Problem ambiguous_patient(std::vector<SourceId> sources);  // each has a patient with that id
Problem overloaded();
Problem store_failed(const Error& error);  // says the code only: what the layer below said goes to the log

}  // namespace resultsync::api
