#include "runtime/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/json_writer.hpp"
#include "runtime/clock.hpp"

namespace resultsync::runtime::log {
namespace {

spdlog::logger& sink() {
  static const auto logger = [] {
    auto made = spdlog::stderr_logger_mt("resultsync");
    made->set_pattern("%v");
    made->set_level(spdlog::level::info);
    return made;
  }();
  return *logger;
}

void write_field(JsonWriter& json, const Field& field) {
  json.key(field.name);
  std::visit(
      [&](const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string_view>) {
          json.string(value);
        } else if constexpr (std::is_same_v<std::decay_t<decltype(value)>, bool>) {
          json.boolean(value);
        } else {
          json.number(value);
        }
      },
      field.value);
}

void write(spdlog::level::level_enum level, std::string_view level_name, std::string_view event, Fields fields) {
  if (!sink().should_log(level)) return;
  JsonWriter json;
  json.begin_object()
      .member("time", format_timestamp(SystemClock{}.now()))
      .member("level", level_name)
      .member("event", event);
  for (const Field& field : fields) write_field(json, field);
  json.end_object();
  sink().log(level, "{}", json.text());
  sink().flush();
}

}  // namespace

void set_level(Level least) {
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                                   spdlog::level::err, spdlog::level::off};
  sink().set_level(kLevels[static_cast<int>(least)]);
}

void debug(std::string_view event, Fields fields) {
  write(spdlog::level::debug, "debug", event, fields);
}
void info(std::string_view event, Fields fields) {
  write(spdlog::level::info, "info", event, fields);
}
void warning(std::string_view event, Fields fields) {
  write(spdlog::level::warn, "warning", event, fields);
}
void error(std::string_view event, Fields fields) {
  write(spdlog::level::err, "error", event, fields);
}

}  // namespace resultsync::runtime::log
