#include "base/timestamp.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>

namespace resultsync {
namespace {

// Reads fixed-width numbers and single characters from the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  std::optional<int> digits(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return std::nullopt;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }

  // Takes the next character if it is one of `accepted`; 0 if it is not.
  char one_of(std::string_view accepted) {
    if (rest_.empty() || accepted.find(rest_.front()) == std::string_view::npos) return 0;
    const char taken = rest_.front();
    rest_.remove_prefix(1);
    return taken;
  }

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool at_digit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }

 private:
  std::string_view rest_;
};

std::optional<std::int64_t> read_date(Scanner& scan) {
  const auto year = scan.digits(4);
  if (!year || !scan.one_of("-")) return std::nullopt;
  const auto month = scan.digits(2);
  if (!month || !scan.one_of("-")) return std::nullopt;
  const auto day = scan.digits(2);
  if (!day || *year == 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  return std::int64_t{std::chrono::sys_days{date}.time_since_epoch().count()} * 86'400;
}

std::optional<std::int64_t> read_time_of_day(Scanner& scan) {
  const auto hour = scan.digits(2);
  if (!hour || *hour > 23 || !scan.one_of(":")) return std::nullopt;
  const auto minute = scan.digits(2);
  if (!minute || *minute > 59) return std::nullopt;
  int second = 0;
  if (scan.one_of(":")) {
    const auto seconds = scan.digits(2);
    if (!seconds || *seconds > 60) return std::nullopt;
    second = *seconds;
  }
  return std::int64_t{*hour} * 3'600 + std::int64_t{*minute} * 60 + second;
}

std::optional<std::int64_t> read_fraction(Scanner& scan) {
  if (!scan.one_of(".,")) return 0;
  if (!scan.at_digit()) return std::nullopt;
  std::int64_t microseconds = 0;
  for (int place = 100'000; scan.at_digit(); place /= 10) microseconds += std::int64_t{place} * *scan.digits(1);
  return microseconds;
}

struct Offset {
  std::int64_t seconds = 0;
  bool present = false;
};

std::optional<Offset> read_offset(Scanner& scan) {
  if (scan.at_end()) return Offset{};
  if (scan.one_of("Zz")) return Offset{0, true};
  const char sign = scan.one_of("+-");
  const auto hours = scan.digits(2);
  if (!sign || !hours || *hours > 23) return std::nullopt;
  int minutes = 0;
  if (!scan.at_end()) {
    scan.one_of(":");
    const auto read = scan.digits(2);
    if (!read || *read > 59) return std::nullopt;
    minutes = *read;
  }
  const std::int64_t seconds = std::int64_t{*hours} * 3'600 + std::int64_t{minutes} * 60;
  return Offset{sign == '-' ? -seconds : seconds, true};
}

}  // namespace

Result<ParsedTimestamp> parse_timestamp(std::string_view text) {
  Scanner scan(text);
  const auto bad = [] { return fail("bad_timestamp", "the text is not an ISO 8601 date and time"); };
  const auto date = read_date(scan);
  if (!date) return bad();
  if (scan.at_end()) return ParsedTimestamp{Timestamp::from_seconds(*date), false};
  if (!scan.one_of("Tt ")) return bad();
  const auto time_of_day = read_time_of_day(scan);
  if (!time_of_day) return bad();
  const auto fraction = read_fraction(scan);
  if (!fraction) return bad();
  const auto offset = read_offset(scan);
  if (!offset || !scan.at_end()) return bad();
  const std::int64_t seconds = *date + *time_of_day - offset->seconds;
  return ParsedTimestamp{Timestamp{seconds * 1'000'000 + *fraction}, offset->present};
}

std::string format_timestamp(Timestamp time) {
  const std::int64_t seconds = time.seconds();
  const std::int64_t fraction = time.microseconds - seconds * 1'000'000;
  const auto moment = std::chrono::sys_seconds{std::chrono::seconds{seconds}};
  const auto day = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date{day};
  const std::int64_t of_day = (moment - day).count();
  const auto text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), of_day / 3'600,
                                of_day / 60 % 60, of_day % 60);
  return fraction == 0 ? text + "Z" : text + fmt::format(".{:06}Z", fraction);
}

}  // namespace resultsync
