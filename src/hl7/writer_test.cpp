#include "hl7/writer.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "hl7/json.hpp"
#include "hl7/reader.hpp"

namespace resultsync::hl7 {
namespace {

std::string content(const Message& message) {
  JsonWriter json;
  json.begin_array();
  for (const Segment segment : message.segments()) write_json(segment, json);
  for (const Node& node : group(message).nodes) json.string(node.name);
  return json.end_array().take();
}

std::string rewritten(const std::string& bytes) {
  return write(read(bytes).messages().at(0));
}

TEST(Writer, a_clean_message_is_written_as_it_was) {
  const std::string bytes = "MSH|^~\\&|LAB\rPID|1||a^b&c~\"\"||\rOBX|1|TX|x||one\\.br\\two\r";
  EXPECT_EQ(rewritten(bytes), bytes);
}

TEST(Writer, line_ends_and_framing_are_made_regular) {
  EXPECT_EQ(rewritten("\x0bMSH|^~\\&|LAB\r\n\r\n  PID|1\n\x1c\r"), "MSH|^~\\&|LAB\rPID|1\r");
}

TEST(Writer, the_character_set_is_kept) {
  const std::string latin1 = "MSH|^~\\&||||||||||||||||8859/1\rPID|M\xfcller\r";
  EXPECT_EQ(rewritten(latin1), latin1);
  EXPECT_EQ(rewritten("MSH|^~\\&|\rPID|M\xfcller\r"), "MSH|^~\\&|\rPID|M\xfcller\r");
  std::string wide;
  append_encoded(*find_character_set("UTF-16LE"), "\xef\xbb\xbfMSH|^~\\&|\rPID|é\r", wide);
  EXPECT_EQ(rewritten(wide), wide);
}

TEST(Writer, utf8_between_nuls_stays_utf8) {
  using namespace std::string_literals;
  const std::string bytes = "\xef\xbb\xbf\0O\0R\0U|1|\0a\0b\r"s;
  EXPECT_EQ(rewritten(bytes), bytes);
}

TEST(Writer, what_its_set_lacks_is_written_in_utf8_and_declared) {
  EXPECT_EQ(rewritten("MSH|^~\\&||||||||||||||||KS X 1001|x\rPID|\xc7\xd1\xff\r"),
            "MSH|^~\\&||||||||||||||||UNICODE UTF-8|x\rPID|한\xef\xbf\xbd\r");
}

TEST(Writer, text_after_a_frame_stays_after_it) {
  const std::string bytes = "MSH|^~\\&|\rPID|1\r\x1c\rnoise\r";
  EXPECT_EQ(rewritten(bytes), bytes);
}

TEST(Writer, a_line_after_a_batch_header_without_a_message_header_is_written_as_it_was) {
  const std::string bytes = "FHS|^~\\&|\rnoise\rOBX|1|NM|E|x\rmore\r";
  EXPECT_EQ(rewritten(bytes), bytes);
}

RC_GTEST_PROP(Writer, what_is_written_reads_the_same, ()) {
  static const std::vector<std::string> kPieces = {
      "\rOBX|1|NM|", "\rPID|",  "\rOBR|",   "\rSPM|", "\rORC|", "\rNTE||",
      "\rZZZ|",      "\rnoise", "\r  PV1|", "\r",     "\n",     "\r\n",
      "|",           "^",       "~",        "&",      "\\",     "\\.br\\",
      "\\X41\\",     "text",    "\"\"",     " ",      "\x1c\r", "\x0b",
      "µ",           "#",       "\robx|",   "\xe9",   "\xc3",   std::string(1, '\0')};
  static const std::vector<std::string> kHeaders = {"MSH|^~\\&|a|b",
                                                    "FHS|^~\\&|a|b",
                                                    "MSH|^~\\\\&|",
                                                    "MSH|^~\\&#|||||||ORU^R01|1|P|2.5.1|||||",
                                                    "MSH|^~\\&||||||||||||||||8859/1|",
                                                    "MSH|^~\\&||||||||||||||||UNICODE UTF-8|",
                                                    "MSH|^~\\&||||||||||||||||8859/7|",
                                                    "MSH|^~\\&||||||||||||||||GB 18030-2000|",
                                                    ""};
  std::string bytes = *rc::gen::elementOf(kHeaders);
  for (const std::string& piece : *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kPieces)))
    bytes += piece;
  const Reading first = read(bytes);
  for (const Message& message : first.messages()) {
    const Reading second = read(write(message));
    RC_ASSERT(second.messages().size() == 1U);
    RC_ASSERT(content(second.messages()[0]) == content(message));
    RC_ASSERT(write(second.messages()[0]) == write(message));
  }
}

}  // namespace
}  // namespace resultsync::hl7
