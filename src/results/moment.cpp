#include "results/moment.hpp"

#include <fmt/format.h>

#include <chrono>

namespace resultsync::results {
namespace {

constexpr std::size_t kFractionDigitsMax = 9;

class Digits {
 public:
  explicit Digits(std::string_view text) : rest_(text) {}

  // The next `count` digits as a number between the bounds.
  bool take(std::size_t count, int least, int most, int& number) {
    if (!has_digit()) return false;
    if (rest_.size() < count) return fail();
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return fail();
      value = value * 10 + (rest_[i] - '0');
    }
    if (value < least || value > most) return fail();
    number = value;
    rest_.remove_prefix(count);
    return true;
  }

  bool take_fraction(std::string& fraction) {
    if (rest_.empty() || rest_.front() != '.') return false;
    std::size_t end = 1;
    while (end < rest_.size() && rest_[end] >= '0' && rest_[end] <= '9') ++end;
    if (end == 1 || end > 1 + kFractionDigitsMax) return fail();
    fraction = rest_.substr(1, end - 1);
    rest_.remove_prefix(end);
    return true;
  }

  // "+0530", "-05:00", "Z".
  void take_zone(std::optional<int>& offset) {
    if (rest_ == "Z") {
      offset = 0;
      rest_ = {};
    }
    if (rest_.empty() || (rest_.front() != '+' && rest_.front() != '-')) return;
    const int sign = rest_.front() == '-' ? -1 : 1;
    rest_.remove_prefix(1);
    int hours = 0;
    int minutes = 0;
    if (!take(2, 0, 14, hours)) {
      fail();
      return;
    }
    if (!rest_.empty() && rest_.front() == ':') rest_.remove_prefix(1);
    if (!take(2, 0, 59, minutes)) {
      fail();
      return;
    }
    offset = sign * (hours * 60 + minutes);
  }

  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }

 private:
  [[nodiscard]] bool has_digit() const { return ok_ && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }
  bool fail() { return ok_ = false; }
  std::string_view rest_;
  bool ok_ = true;
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool is_day(const Moment& moment) {
  return std::chrono::year_month_day(std::chrono::year(moment.year),
                                     std::chrono::month(static_cast<unsigned>(moment.month)),
                                     std::chrono::day(static_cast<unsigned>(moment.day)))
      .ok();
}

}  // namespace

std::string zone_text(int offset_minutes) {
  const int size = offset_minutes < 0 ? -offset_minutes : offset_minutes;
  return fmt::format("{}{:02}:{:02}", offset_minutes < 0 ? '-' : '+', size / 60, size % 60);
}

Moment read_moment(std::string_view text) {
  Moment moment;
  moment.text = text;
  Digits digits(trim(text));
  Precision precision = Precision::none;
  if (digits.take(4, 1, 9999, moment.year)) {
    precision = Precision::year;
    if (digits.take(2, 1, 12, moment.month)) precision = Precision::month;
    if (precision == Precision::month && digits.take(2, 1, 31, moment.day)) precision = Precision::day;
    if (precision == Precision::day && digits.take(2, 0, 23, moment.hour)) precision = Precision::hour;
    if (precision == Precision::hour && digits.take(2, 0, 59, moment.minute)) precision = Precision::minute;
    if (precision == Precision::minute && digits.take(2, 0, 60, moment.second)) precision = Precision::second;
    if (precision == Precision::second && digits.take_fraction(moment.fraction)) precision = Precision::fraction;
    digits.take_zone(moment.offset_minutes);
  }
  if (digits.done() && is_day(moment)) moment.precision = precision;
  if (moment.second == 60) moment.second = 59;  // FHIR and most stores know no leap second
  return moment;
}

std::string Moment::iso(std::optional<int> zone) const {
  if (!valid()) return "";
  std::string out = fmt::format("{:04}", year);
  if (precision >= Precision::month) out += fmt::format("-{:02}", month);
  if (precision >= Precision::day) out += fmt::format("-{:02}", day);
  if (!has_time()) return out;
  out += fmt::format("T{:02}:{:02}:{:02}", hour, minute, second);
  if (!fraction.empty()) out.append(".").append(fraction);
  if (const std::optional<int> offset = offset_minutes ? offset_minutes : zone) out += zone_text(*offset);
  return out;
}

std::optional<Timestamp> Moment::instant(int zone) const {
  if (!valid()) return std::nullopt;
  using namespace std::chrono;
  const sys_days date = std::chrono::year(year) / month / day;
  std::int64_t micros = 0;
  for (std::size_t i = 0; i < 6; ++i) micros = micros * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  const std::int64_t minutes_of_day = std::int64_t{hour} * 60 + minute - offset_minutes.value_or(zone);
  const std::int64_t seconds_since = date.time_since_epoch().count() * 86'400 + minutes_of_day * 60 + second;
  return Timestamp{seconds_since * 1'000'000 + micros};
}

TimeOfDay read_time_of_day(std::string_view text) {
  TimeOfDay time;
  time.text = text;
  Digits digits(trim(text));
  if (!digits.take(2, 0, 23, time.hour)) return time;
  if (digits.take(2, 0, 59, time.minute) && digits.take(2, 0, 59, time.second)) digits.take_fraction(time.fraction);
  digits.take_zone(time.offset_minutes);
  time.valid = digits.done();
  return time;
}

std::string TimeOfDay::iso() const {
  if (!valid) return "";
  std::string out = fmt::format("{:02}:{:02}:{:02}", hour, minute, second);
  if (!fraction.empty()) out.append(".").append(fraction);
  return out;
}

}  // namespace resultsync::results
