#include "delivery/answer.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"

namespace resultsync::delivery {
namespace {

TEST(Answer, what_was_sent_does_not_come_back_in_what_is_kept) {
  const std::string sent = R"({"patient":{"first_name":"Canary","last_name":"Müller"},"order":"ord_9"})";
  EXPECT_EQ(redacted_answer(R"({"error":"no patient Canary Müller","order":"ord_9"})", sent),
            R"({"error":"no … … …","…":"…"})");
}

TEST(Answer, what_looks_like_a_key_is_not_kept) {
  EXPECT_EQ(redacted_answer("bad key sk_live_0123456789abcdef, go away", "{}"), "bad key …, go away");
  EXPECT_EQ(redacted_answer("nineteen_characters", "{}"), "nineteen_characters");
  EXPECT_EQ(redacted_answer("twenty_characters_xx", "{}"), "…");
}

TEST(Answer, is_cut_printable_and_well_formed) {
  EXPECT_EQ(redacted_answer(std::string(10'000, '.'), "{}").size(), kAnswerBytesKept);
  EXPECT_EQ(redacted_answer("a\x1b[31mb\r\nc", "{}"), "a [31mb  c");
  EXPECT_TRUE(is_utf8(redacted_answer("\xff\xfe\x80 caf\xc3", "{}")));
  EXPECT_EQ(redacted_answer("", "{}"), "");
}

}  // namespace
}  // namespace resultsync::delivery
