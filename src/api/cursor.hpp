// Where a reader stands, as text that it passes back unchanged. Opaque to it, made of [A-Za-z0-9._-] only. Pure.
//
//   f1.<feed epoch>.<practitioner>.<position>   a place in one practitioner's feed; the first two as 16 digits of a
//   SHA-256 p1.<list>.<place>                           the end of a page of one list
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/sequence.hpp"
#include "store/readers.hpp"
#include "store/reviews.hpp"
#include "store/views.hpp"

namespace resultsync::api {

inline constexpr std::size_t kCursorBytesMax = 512;

struct FeedCursor {
  std::string epoch;          // 16 hexadecimal digits: which life of the store gave it out
  std::string practitioner;   // 16 hexadecimal digits: whose feed it is a place in
  std::int64_t position = 0;  // the last item that was read; 0 before the first
  bool operator==(const FeedCursor&) const = default;

  // Whether it is a place in this feed at all; only then does its position mean anything.
  [[nodiscard]] bool is_of(std::string_view feed_epoch, const AppPractitionerId& id) const;
};
FeedCursor feed_cursor(std::string_view feed_epoch, const AppPractitionerId& id, std::int64_t position);
std::string format(const FeedCursor& cursor);
// Nothing for any text that format() does not make.
std::optional<FeedCursor> parse_feed_cursor(std::string_view text);

// A place in several feeds: s1.<feed epoch>.<practitioner>-<position>.<practitioner>-<position> … A stream of one feed
// gives out that feed's own cursors, which are read here too.
inline constexpr std::size_t kStreamCursorBytesMax = 4096;
struct StreamCursor {
  std::string epoch;                              // as of FeedCursor
  std::map<std::string, std::int64_t> positions;  // by the digits of the practitioner
  bool one_feed = false;                          // it is a FeedCursor

  void add(const AppPractitionerId& id, std::int64_t position);
  // Where the practitioner's feed goes on: from its start if the cursor does not speak of it; nothing if it is no place
  // in these feeds at all. `alone`: the stream has no other feed.
  [[nodiscard]] std::optional<std::int64_t> position_of(std::string_view feed_epoch, const AppPractitionerId& id,
                                                        bool alone) const;
};
StreamCursor stream_cursor(std::string_view feed_epoch);
std::string format(const StreamCursor& cursor);
std::optional<StreamCursor> parse_stream_cursor(std::string_view text);

// The ends of pages. Each list has its own letter, so that a cursor of another list is refused rather than misread.
std::string format_event_cursor(Sequence record);
std::optional<Sequence> parse_event_cursor(std::string_view text);
std::string format_unmatched_cursor(Sequence record);
std::optional<Sequence> parse_unmatched_cursor(std::string_view text);
std::string format_document_cursor(Sequence record);
std::optional<Sequence> parse_document_cursor(std::string_view text);
std::string format_order_cursor(const store::OrderPlace& place);
std::optional<store::OrderPlace> parse_order_cursor(std::string_view text);
std::string format_key_cursor(std::int64_t number);
std::optional<std::int64_t> parse_key_cursor(std::string_view text);
std::string format_audit_cursor(std::int64_t seq);
std::optional<std::int64_t> parse_audit_cursor(std::string_view text);
std::string format_result_cursor(const store::ResultPlace& place);
std::optional<store::ResultPlace> parse_result_cursor(std::string_view text);
std::string format_unacknowledged_cursor(const store::FeedPlace& place);
std::optional<store::FeedPlace> parse_unacknowledged_cursor(std::string_view text);
std::string format_signature_cursor(store::SignatureKey key);
std::optional<store::SignatureKey> parse_signature_cursor(std::string_view text);
std::string format_critical_cursor(store::CriticalKey key);
std::optional<store::CriticalKey> parse_critical_cursor(std::string_view text);
std::string format_practitioner_cursor(const AppPractitionerId& id);
std::optional<AppPractitionerId> parse_practitioner_cursor(std::string_view text);

}  // namespace resultsync::api
