// Errors are values. A function that may fail returns Result<T>: the value, or an Error that says what went wrong to a
// program (code), to a person (message), and why (cause).
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace resultsync {

// Never carries health data or secrets: errors are logged, counted and shown (P4).
struct Error {
  // Stable and machine-readable, `snake_case`; always a string literal, so it outlives every copy of the error.
  std::string_view code;
  // One sentence for a person: what happened, and where it helps, what to do.
  std::string message;
  // What the layer below said ("Permission denied", "line 3, column 7"); empty where there is none.
  std::string cause = {};

  // "message: cause", for a log line or a terminal.
  [[nodiscard]] std::string text() const { return cause.empty() ? message : message + ": " + cause; }
};

// std::expected that the compiler will not let a caller ignore.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

// return fail("not_json", "the body is not JSON", "unexpected end");
[[nodiscard]] inline std::unexpected<Error> fail(std::string_view code, std::string message, std::string cause = {}) {
  return std::unexpected<Error>(Error{code, std::move(message), std::move(cause)});
}

// Passes the error of one Result on as the error of another.
template <class T>
[[nodiscard]] std::unexpected<Error> forward_error(Result<T>&& failed) {
  return std::unexpected<Error>(std::move(failed).error());
}

}  // namespace resultsync
