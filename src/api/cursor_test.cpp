#include "api/cursor.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace resultsync::api {
namespace {

const AppPractitionerId kAnna("anna");

TEST(Cursor, of_a_feed_reads_back_and_knows_its_feed) {
  const auto cursor = parse_feed_cursor(format(feed_cursor("epoch", kAnna, 42)));
  ASSERT_TRUE(cursor.has_value());
  EXPECT_EQ(cursor->position, 42);
  EXPECT_TRUE(cursor->is_of("epoch", kAnna));
  EXPECT_FALSE(cursor->is_of("another epoch", kAnna));
  EXPECT_FALSE(cursor->is_of("epoch", AppPractitionerId("Anna")));
}

TEST(Cursor, is_made_of_characters_that_need_no_encoding) {
  const std::string allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  for (const std::string& text : {format(feed_cursor("epoch/+ .", AppPractitionerId("a b/ü"), 9)),
                                  format_practitioner_cursor(AppPractitionerId("a/ü?&\xF0\x9F\x98\x80")),
                                  format_order_cursor({Timestamp{-5}, store::OrderKey{7}}),
                                  format_event_cursor(Sequence{3}), format_unmatched_cursor(Sequence{4})}) {
    EXPECT_EQ(text.find_first_not_of(allowed), std::string::npos) << text;
  }
}

TEST(Cursor, malformed_text_is_none) {
  const std::string good = format(feed_cursor("epoch", kAnna, 42));
  ASSERT_TRUE(parse_feed_cursor(good));
  const std::string start = good.substr(0, good.rfind('.') + 1);
  for (const std::string& text :
       {std::string(), std::string("f1"), std::string("f1..."), "f2" + good.substr(2), good + ".", good + " ",
        "x" + good, start, start + "-1", start + "+1", start + "042", start + "1e3", start + "9223372036854775808",
        good.substr(0, 4) + "G" + good.substr(5), good + std::string(1, '\0'), std::string(10'000, '1')}) {
    EXPECT_FALSE(parse_feed_cursor(text)) << text;
  }
}

TEST(Cursor, of_one_list_is_none_of_another) {
  EXPECT_FALSE(parse_unmatched_cursor(format_event_cursor(Sequence{1})));
  EXPECT_FALSE(parse_event_cursor(format_unmatched_cursor(Sequence{1})));
  EXPECT_FALSE(parse_event_cursor(format(feed_cursor("epoch", kAnna, 1))));
  EXPECT_FALSE(parse_order_cursor(format_event_cursor(Sequence{1})));
  EXPECT_FALSE(parse_practitioner_cursor(format_event_cursor(Sequence{1})));
  EXPECT_FALSE(parse_feed_cursor(format_event_cursor(Sequence{1})));
  EXPECT_FALSE(parse_event_cursor("p1.e.18446744073709551615")) << "beyond what a store counts to";
}

TEST(Cursor, of_pages_reads_back) {
  EXPECT_EQ(parse_event_cursor(format_event_cursor(Sequence{77})), Sequence{77});
  const auto place = parse_order_cursor(format_order_cursor({Timestamp{-1'700'000'000'000'001}, store::OrderKey{12}}));
  ASSERT_TRUE(place);
  EXPECT_EQ(place->updated_at.microseconds, -1'700'000'000'000'001);
  EXPECT_EQ(place->key.value, 12);
  const AppPractitionerId longest(std::string(255, 'x'));
  EXPECT_EQ(parse_practitioner_cursor(format_practitioner_cursor(longest)), longest);
}

RC_GTEST_PROP(Cursor, only_what_is_given_out_is_taken, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("f1p.eou0129-aA_")));
  if (const auto cursor = parse_feed_cursor(text)) RC_ASSERT(format(*cursor) == text);
  if (const auto place = parse_order_cursor(text)) RC_ASSERT(format_order_cursor(*place) == text);
  if (const auto record = parse_event_cursor(text)) RC_ASSERT(format_event_cursor(*record) == text);
}

}  // namespace
}  // namespace resultsync::api
