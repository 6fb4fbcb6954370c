// The service's log: one JSON object a line on stderr, an event with a name and fields, never prose. Nothing here takes
// a Phi<T> or a Secret<T>, and callers pass ids, counts and codes only (P4). Thread-safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace resultsync::runtime::log {

struct Field {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> value;

  Field(std::string_view n, std::string_view v) : name(n), value(v) {}
  Field(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  Field(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  Field(std::string_view n, int v) : name(n), value(std::int64_t{v}) {}
  Field(std::string_view n, std::int64_t v) : name(n), value(v) {}
  Field(std::string_view n, std::uint64_t v) : name(n), value(v) {}
  Field(std::string_view n, double v) : name(n), value(v) {}
  Field(std::string_view n, bool v) : name(n), value(v) {}
};
using Fields = std::initializer_list<Field>;

enum class Level { kDebug, kInfo, kWarning, kError, kOff };
void set_level(Level least);  // default kInfo

// info("server.ready", {{"public", address}, {"records", count}});
void debug(std::string_view event, Fields fields = {});
void info(std::string_view event, Fields fields = {});
void warning(std::string_view event, Fields fields = {});
void error(std::string_view event, Fields fields = {});

}  // namespace resultsync::runtime::log
