#include "api/cursor.hpp"

#include <algorithm>
#include <charconv>

#include "base/digest.hpp"
#include "base/encoding.hpp"

namespace resultsync::api {
namespace {

constexpr std::size_t kShortHashDigits = 16;

std::string short_hash(std::string_view text) {
  return sha256(text).hex().substr(0, kShortHashDigits);
}

bool is_short_hash(std::string_view text) {
  return text.size() == kShortHashDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Only the one way in which std::to_string writes a number: no sign but a minus, no leading zeros.
template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || std::to_string(value) != text) return std::nullopt;
  return value;
}

// Cuts the text up to the next point off `rest`; without a point that is all of it.
std::string_view take_part(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('.'), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

// The place in a page cursor of list `letter`.
std::optional<std::string_view> place_in(std::string_view text, char letter) {
  const std::string start = std::string("p1.") + letter + ".";
  if (text.size() > kCursorBytesMax || !text.starts_with(start)) return std::nullopt;
  return text.substr(start.size());
}

std::optional<Sequence> parse_sequence(std::string_view text, char letter) {
  const auto place = place_in(text, letter);
  const auto record = place ? number_of<std::uint64_t>(*place) : std::nullopt;
  // Beyond what the store can count to, no page ever ended.
  if (!record || *record > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return Sequence{*record};
}

}  // namespace

bool FeedCursor::is_of(std::string_view feed_epoch, const AppPractitionerId& id) const {
  return epoch == short_hash(feed_epoch) && practitioner == short_hash(id.text());
}

FeedCursor feed_cursor(std::string_view feed_epoch, const AppPractitionerId& id, std::int64_t position) {
  return {short_hash(feed_epoch), short_hash(id.text()), position};
}

std::string format(const FeedCursor& cursor) {
  return "f1." + cursor.epoch + "." + cursor.practitioner + "." + std::to_string(cursor.position);
}

std::optional<FeedCursor> parse_feed_cursor(std::string_view text) {
  if (text.size() > kCursorBytesMax || std::ranges::count(text, '.') != 3) return std::nullopt;
  std::string_view rest = text;
  if (take_part(rest) != "f1") return std::nullopt;
  const std::string_view epoch = take_part(rest);
  const std::string_view practitioner = take_part(rest);
  const auto position = number_of<std::int64_t>(rest);
  if (!is_short_hash(epoch) || !is_short_hash(practitioner) || !position || *position < 0) return std::nullopt;
  return FeedCursor{std::string(epoch), std::string(practitioner), *position};
}

void StreamCursor::add(const AppPractitionerId& id, std::int64_t position) {
  positions[short_hash(id.text())] = position;
}

std::optional<std::int64_t> StreamCursor::position_of(std::string_view feed_epoch, const AppPractitionerId& id,
                                                      bool alone) const {
  if (epoch != short_hash(feed_epoch)) return std::nullopt;
  const auto found = positions.find(short_hash(id.text()));
  if (found != positions.end() && (!one_feed || alone)) return found->second;
  return one_feed ? std::nullopt : std::optional<std::int64_t>(0);
}

StreamCursor stream_cursor(std::string_view feed_epoch) {
  return {.epoch = short_hash(feed_epoch), .positions = {}};
}

std::string format(const StreamCursor& cursor) {
  std::string text = "s1." + cursor.epoch;
  for (const auto& [practitioner, position] : cursor.positions) {
    text.append(".").append(practitioner).append("-").append(std::to_string(position));
  }
  return text;
}

std::optional<StreamCursor> parse_stream_cursor(std::string_view text) {
  if (auto one = parse_feed_cursor(text)) {
    return StreamCursor{.epoch = one->epoch, .positions = {{one->practitioner, one->position}}, .one_feed = true};
  }
  if (text.size() > kStreamCursorBytesMax) return std::nullopt;
  std::string_view rest = text;
  if (take_part(rest) != "s1") return std::nullopt;
  StreamCursor cursor{.epoch = std::string(take_part(rest)), .positions = {}};
  if (!is_short_hash(cursor.epoch)) return std::nullopt;
  while (!rest.empty()) {
    const std::string_view place = take_part(rest);
    const std::size_t dash = std::min(place.find('-'), place.size());
    const auto position = number_of<std::int64_t>(place.substr(std::min(dash + 1, place.size())));
    if (!is_short_hash(place.substr(0, dash)) || !position || *position < 0) return std::nullopt;
    if (!cursor.positions.emplace(place.substr(0, dash), *position).second) return std::nullopt;
  }
  if (format(cursor) != text) return std::nullopt;
  return cursor;
}

std::string format_event_cursor(Sequence record) {
  return "p1.e." + std::to_string(record.value);
}
std::optional<Sequence> parse_event_cursor(std::string_view text) {
  return parse_sequence(text, 'e');
}

std::string format_unmatched_cursor(Sequence record) {
  return "p1.u." + std::to_string(record.value);
}
std::optional<Sequence> parse_unmatched_cursor(std::string_view text) {
  return parse_sequence(text, 'u');
}

std::string format_document_cursor(Sequence record) {
  return "p1.d." + std::to_string(record.value);
}
std::optional<Sequence> parse_document_cursor(std::string_view text) {
  return parse_sequence(text, 'd');
}

std::string format_order_cursor(const store::OrderPlace& place) {
  return "p1.o." + std::to_string(place.updated_at.microseconds) + "." + std::to_string(place.key.value);
}

std::optional<store::OrderPlace> parse_order_cursor(std::string_view text) {
  auto place = place_in(text, 'o');
  if (!place || std::ranges::count(*place, '.') != 1) return std::nullopt;
  const auto updated_at = number_of<std::int64_t>(take_part(*place));
  const auto key = number_of<std::int64_t>(*place);
  if (!updated_at || !key) return std::nullopt;
  return store::OrderPlace{Timestamp{*updated_at}, store::OrderKey{*key}};
}

std::string format_key_cursor(std::int64_t number) {
  return "p1.k." + std::to_string(number);
}
std::optional<std::int64_t> parse_key_cursor(std::string_view text) {
  const auto number = parse_sequence(text, 'k');
  return number ? std::optional(static_cast<std::int64_t>(number->value)) : std::nullopt;
}
std::string format_audit_cursor(std::int64_t seq) {
  return "p1.a." + std::to_string(seq);
}
std::optional<std::int64_t> parse_audit_cursor(std::string_view text) {
  const auto seq = parse_sequence(text, 'a');
  return seq ? std::optional(static_cast<std::int64_t>(seq->value)) : std::nullopt;
}
std::string format_result_cursor(const store::ResultPlace& place) {
  return "p1.r." + std::to_string(place.changed_at.microseconds) + "." + std::to_string(place.key.value);
}

std::optional<store::ResultPlace> parse_result_cursor(std::string_view text) {
  auto place = place_in(text, 'r');
  if (!place || std::ranges::count(*place, '.') != 1) return std::nullopt;
  const auto changed_at = number_of<std::int64_t>(take_part(*place));
  const auto key = number_of<std::int64_t>(*place);
  if (!changed_at || !key) return std::nullopt;
  return store::ResultPlace{Timestamp{*changed_at}, store::TestKey{*key}};
}

std::string format_unacknowledged_cursor(const store::FeedPlace& place) {
  return "p1.w." + std::to_string(place.practitioner.value) + "." + std::to_string(place.position);
}

std::optional<store::FeedPlace> parse_unacknowledged_cursor(std::string_view text) {
  auto place = place_in(text, 'w');
  if (!place || std::ranges::count(*place, '.') != 1) return std::nullopt;
  const auto practitioner = number_of<std::int64_t>(take_part(*place));
  const auto position = number_of<std::int64_t>(*place);
  if (!practitioner || !position) return std::nullopt;
  return store::FeedPlace{store::PractitionerKey{*practitioner}, *position};
}

std::string format_signature_cursor(store::SignatureKey key) {
  return "p1.g." + std::to_string(key.value);
}
std::optional<store::SignatureKey> parse_signature_cursor(std::string_view text) {
  const auto number = parse_sequence(text, 'g');
  return number ? std::optional(store::SignatureKey{static_cast<std::int64_t>(number->value)}) : std::nullopt;
}
std::string format_critical_cursor(store::CriticalKey key) {
  return "p1.c." + std::to_string(key.value);
}
std::optional<store::CriticalKey> parse_critical_cursor(std::string_view text) {
  const auto number = parse_sequence(text, 'c');
  return number ? std::optional(store::CriticalKey{static_cast<std::int64_t>(number->value)}) : std::nullopt;
}

std::string format_practitioner_cursor(const AppPractitionerId& id) {
  return "p1.p." + encode_base64url(id.text());
}

std::optional<AppPractitionerId> parse_practitioner_cursor(std::string_view text) {
  const auto place = place_in(text, 'p');
  auto id = place ? decode_base64url(*place) : std::nullopt;
  if (!id || id->empty() || !is_utf8(*id)) return std::nullopt;
  return AppPractitionerId(std::move(*id));
}

}  // namespace resultsync::api
