// A FHIR search as it was asked for: its parameters read, checked and bounded. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/fhir/outcome.hpp"
#include "base/timestamp.hpp"
#include "fhir/fhir.hpp"

namespace resultsync::api::fhir_face {

inline constexpr std::size_t kParametersMax = 50;
inline constexpr std::size_t kAlternativesMax = 50;  // `code=a,b,…`
inline constexpr std::size_t kValueBytesMax = 2048;
inline constexpr std::int64_t kCountUsual = 50;
inline constexpr std::int64_t kCountMax = 200;

// The kinds of FHIR R4 §3.1.1.4 that are known here.
enum class Kind : std::uint8_t { token, reference, date, string };
struct Definition {
  std::string_view name;
  Kind kind;
  bool personal = false;  // only in the body of a POST: a URL is written down in too many places (P4)
};
// The parameters of a type, besides those of all types.
std::span<const Definition> definitions_of(fhir::Type type);
inline constexpr std::string_view kCommonParameters[] = {"_id", "_lastUpdated"};

struct TokenValue {
  std::optional<std::string> system;  // "" for codes without one; nothing: any
  std::string code;                   // "": any of the system
};
struct ReferenceValue {
  std::optional<fhir::Type> type;
  std::string id;
};
struct DateValue {
  enum class Prefix : std::uint8_t { eq, ne, lt, le, gt, ge };
  Prefix prefix = Prefix::eq;
  fhir::Span span;  // a coarse date is all the instants that it may mean
};

// One parameter: what is looked for is one of the values. Every parameter must be satisfied.
struct Criterion {
  std::string name;
  Kind kind = Kind::token;
  std::vector<TokenValue> tokens;
  std::vector<ReferenceValue> references;
  std::vector<DateValue> dates;
  std::vector<std::string> strings;
};
struct Include {
  fhir::Type from;
  std::string parameter;  // "*": every reference
  std::optional<fhir::Type> to;
};

// The end of a page: within which ordered test, at which version of it, after how many of its matches.
struct Cursor {
  std::int64_t test = 0;
  int version = 0;
  std::size_t skip = 0;
};
std::string format(const Cursor& cursor);
std::optional<Cursor> parse_cursor(std::string_view text);

struct SearchRequest {
  fhir::Type type = fhir::Type::observation;
  std::vector<Criterion> criteria;
  std::vector<Include> includes, reverse_includes;
  std::int64_t count = kCountUsual;
  bool count_only = false;  // _summary=count, _count=0
  bool has_personal = false;
  std::optional<std::string> practitioner;  // _practitioner: of the application
  std::optional<Cursor> cursor;
  std::vector<std::pair<std::string, std::string>> understood;  // what the answer is an answer to; nothing personal
  std::vector<std::string> ignored;                             // names
};

struct Pair {
  std::string name, value;
};
// Of a query or of a form (application/x-www-form-urlencoded). Nothing if an escape is broken, or a bound is passed.
std::optional<std::vector<Pair>> read_pairs(std::string_view encoded);

enum class Handling { lenient, strict };
enum class Method { get, post };
struct SearchInput {
  fhir::Type type;
  std::vector<Pair> url;   // of the URL
  std::vector<Pair> form;  // of the body
  Handling handling = Handling::lenient;
  std::string_view base;  // "https://host/fhir/R4"; references may begin with it
};
// What is asked for, or why it cannot be: unknown modifiers and unreadable values always, unknown parameters if
// handling is strict.
std::expected<SearchRequest, Issue> read_search(const SearchInput& input);

}  // namespace resultsync::api::fhir_face
