#include "hl7/reader.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <chrono>

#include "base/encoding.hpp"
#include "hl7/groups.hpp"
#include "hl7/json.hpp"

namespace resultsync::hl7 {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kHeader = "MSH|^~\\&|LAB|X|APP|Y|20240102||ORU^R01^ORU_R01|1|P|2.5.1";

std::string lines(std::initializer_list<std::string_view> segments, std::string_view end = "\r") {
  std::string text(kHeader);
  text += end;
  for (const std::string_view segment : segments) text.append(segment).append(end);
  return text;
}

std::vector<std::string> names(const Message& message) {
  std::vector<std::string> out;
  for (const Segment segment : message.segments()) out.emplace_back(segment.name());
  return out;
}
using Names = std::vector<std::string>;

std::vector<std::string> codes(const std::vector<Diagnostic>& diagnostics) {
  std::vector<std::string> out;
  for (const Diagnostic& d : diagnostics) out.emplace_back(d.code());
  return out;
}

TEST(Reader, segments_end_in_any_way) {
  for (const std::string_view end : {"\r"sv, "\n"sv, "\r\n"sv, "\r\r\n"sv, "\n\n"sv, " \r\n"sv}) {
    const Reading reading = read(lines({"PID|1||7", "OBX|1|NM|a^b||5.4"}, end));
    ASSERT_EQ(reading.messages().size(), 1U);
    const Message& message = reading.messages()[0];
    EXPECT_EQ(names(message), (Names{"MSH", "PID", "OBX"}));
    EXPECT_EQ(message.segment(1).text(3).substr(0, 1), "7");
    EXPECT_EQ(message.segment(2).text(3, 2), "b");
    EXPECT_TRUE(message.diagnostics().empty());
  }
}

TEST(Reader, header_fields_count_from_the_separator) {
  const Reading reading = read(lines({}));
  const Segment msh = reading.messages()[0].segment(0);
  EXPECT_EQ(msh.text(1), "|");
  EXPECT_EQ(msh.text(2), "^~\\&");
  EXPECT_EQ(msh.field(2).repetitions().size(), 1U);
  EXPECT_EQ(msh.text(3), "LAB");
  EXPECT_EQ(reading.messages()[0].code(), "ORU");
  EXPECT_EQ(reading.messages()[0].event(), "R01");
  EXPECT_EQ(reading.messages()[0].structure(), "ORU_R01");
  EXPECT_EQ(reading.messages()[0].version(), "2.5.1");
  EXPECT_EQ(reading.messages()[0].control_id(), "1");
}

TEST(Reader, parts_of_fields) {
  const Reading reading = read(lines({"PID|1||A^^^M&1.2&ISO^MR~B^^^^SS||"}));
  const Segment pid = reading.messages()[0].segment(1);
  const Field ids = pid.field(3);
  EXPECT_EQ(ids.repetitions().size(), 2U);
  EXPECT_EQ(ids.repetition(2).component(5).text(), "SS");
  EXPECT_EQ(ids.component(4).subcomponent(2).text(), "1.2");
  EXPECT_EQ(ids.component(1).subcomponent(1).text(), "A");
  EXPECT_EQ(ids.component(4).subcomponent(4).presence(), Presence::absent);
  EXPECT_EQ(ids.repetition(3).presence(), Presence::absent);
  EXPECT_EQ(ids.component(2).presence(), Presence::empty);
  EXPECT_EQ(pid.raw_from(3), "A^^^M&1.2&ISO^MR~B^^^^SS||");
}

TEST(Reader, null_empty_and_absent_differ) {
  const Reading reading = read(lines({"PID|\"\"||\"\"^x|"}));
  const Segment pid = reading.messages()[0].segment(1);
  EXPECT_EQ(pid.field(1).presence(), Presence::null);
  EXPECT_EQ(pid.text(1), "");
  EXPECT_EQ(pid.field(2).presence(), Presence::empty);
  EXPECT_EQ(pid.component(3, 1).presence(), Presence::null);
  EXPECT_EQ(pid.field(4).presence(), Presence::empty);
  EXPECT_EQ(pid.field(5).presence(), Presence::absent);
  EXPECT_EQ(pid.field(0).presence(), Presence::absent);
}

TEST(Reader, a_broken_text_is_joined) {
  const Reading reading = read(lines({"OBX|1|TX|a||first", "", "second\\.br\\third|u||", "OBX|2|TX|a||x"}, "\r\n"));
  const Message& message = reading.messages()[0];
  EXPECT_EQ(names(message), (Names{"MSH", "OBX", "OBX"}));
  EXPECT_EQ(message.segment(1).text(5), "first\n\nsecond\nthird");
  EXPECT_EQ(message.segment(1).text(6), "u");
  EXPECT_EQ(codes(message.diagnostics()), Names{"continuation_line"});
  EXPECT_EQ(message.diagnostics()[0].segment, 1U);
  EXPECT_EQ(message.diagnostics()[0].offset, kHeader.size() + 2 + 17 + 2 + 2);
}

TEST(Reader, a_broken_text_is_joined_alike_in_every_character_set) {
  const Reading reading = read(lines({"OBX|1|TX|a||\xb5g", "", "  \xb5l", "OBX|2"}, "\r\n"));
  EXPECT_EQ(reading.messages()[0].segment(1).text(5), "µg\n\n  µl");
  EXPECT_EQ(reading.messages()[0].segment(2).text(1), "2");
}

TEST(Reader, text_that_resembles_a_segment_name_stays_text) {
  const Reading reading = read(lines({"OBX|1|TX|a||one", "DNA found", "DNA", "the|end", "NTE", "NTE|1"}));
  const Message& message = reading.messages()[0];
  EXPECT_EQ(names(message), (Names{"MSH", "OBX", "NTE", "NTE"}));
  EXPECT_EQ(message.segment(1).text(5), "one\nDNA found\nDNA\nthe");
  EXPECT_EQ(message.segment(2).field_count(), 0U);
}

TEST(Reader, lines_that_are_no_segment_are_kept) {
  const Reading reading = read(lines({"garbage", "PID|1"}));
  const Message& message = reading.messages()[0];
  EXPECT_EQ(names(message), (Names{"MSH", "", "PID"}));
  EXPECT_EQ(message.segment(1).raw(), "garbage");
  EXPECT_EQ(codes(message.diagnostics()), Names{"not_a_segment"});
}

TEST(Reader, unknown_segments_are_kept) {
  const Reading reading = read(lines({"ZPS|1|a", "QQQ|x", "  OBX|1|NM", "obx|2|NM"}));
  const Message& message = reading.messages()[0];
  EXPECT_EQ(names(message), (Names{"MSH", "ZPS", "QQQ", "OBX", "OBX"}));
  EXPECT_EQ(codes(message.diagnostics()), (Names{"unknown_segment", "leading_white_space", "segment_name_case"}));
  EXPECT_EQ(message.segment(4).text(1), "2");
}

TEST(Reader, mllp_frames_and_several_messages) {
  const std::string one = lines({"PID|1"});
  const Reading reading = read("\x0b" + one + "\x1c\r\x0b" + one + "\x1c\r\n" + one + "\x1c" + one);
  EXPECT_EQ(reading.messages().size(), 4U);
  for (const Message& message : reading.messages()) {
    EXPECT_EQ(names(message), (Names{"MSH", "PID"}));
    EXPECT_EQ(message.segment(1).raw(), "PID|1");
  }
  const Reading trailing = read("\x0b" + one + "\x1c\rnoise\r");
  EXPECT_EQ(names(trailing.messages()[0]), (Names{"MSH", "PID", ""}));
  EXPECT_EQ(codes(trailing.messages()[0].diagnostics()), Names{"text_after_frame_end"});
}

TEST(Reader, batches) {
  const std::string one = lines({"PID|1"});
  const std::string batch = "FHS|^~\\&|LAB\rBHS|^~\\&|LAB\r" + one + one + "BTS|2\rFTS|1\r";
  const Reading reading = read(batch);
  EXPECT_EQ(reading.messages().size(), 2U);
  ASSERT_EQ(reading.envelope().size(), 4U);
  EXPECT_EQ(reading.envelope()[0].segment(0).text(3), "LAB");
  EXPECT_EQ(reading.envelope()[2].segment(0).text(1), "2");
  EXPECT_TRUE(reading.diagnostics().empty());
  EXPECT_EQ(codes(read("BHS|^~\\&\r" + one + "BTS|2\rleftover\r").diagnostics()),
            (Names{"batch_count_differs", "text_outside_message"}));
}

TEST(Reader, batch_lines_do_not_split_an_input_without_a_header) {
  const Reading reading = read("FHS|^~\\&|LAB\rOBX|1\rBTS|1\rOBX|2\rFTS|1\rOBX|3\r");
  ASSERT_EQ(reading.messages().size(), 1U);
  EXPECT_EQ(names(reading.messages()[0]), (Names{"FHS", "OBX", "BTS", "OBX", "FTS", "OBX"}));
  EXPECT_EQ(codes(reading.messages()[0].diagnostics()), Names{"no_header"});
  EXPECT_TRUE(read("FHS|^~\\&|LAB\rBHS|^~\\&\rBTS|0\rFTS|1\r").messages().empty());
}

TEST(Reader, text_before_the_first_message_is_kept_outside) {
  const Reading reading = read("Subject: results\r\n\r\n" + lines({"PID|1"}));
  ASSERT_EQ(reading.messages().size(), 1U);
  ASSERT_EQ(reading.outside().size(), 1U);
  EXPECT_EQ(reading.outside()[0].text, "Subject: results");
}

TEST(Reader, without_a_header_there_is_a_message_all_the_same) {
  const Reading reading = read("OBR|1|a\rOBX|1|NM|x||4\r");
  ASSERT_EQ(reading.messages().size(), 1U);
  EXPECT_EQ(names(reading.messages()[0]), (Names{"OBR", "OBX"}));
  EXPECT_EQ(reading.messages()[0].segment(1).text(5), "4");
  EXPECT_EQ(codes(reading.messages()[0].diagnostics()), Names{"no_header"});
  EXPECT_EQ(read("hello").messages()[0].segment(0).raw(), "hello");
  EXPECT_TRUE(read("").messages().empty());
  EXPECT_EQ(codes(read(" \r\n\x0b\x1c\r").diagnostics()), Names{"no_message"});
}

TEST(Reader, custom_delimiters) {
  const Reading reading = read("MSH*@!%$*LAB\rOBX*1*NM*c@d$e!f**x%F%y\r");
  const Segment obx = reading.messages()[0].segment(1);
  EXPECT_EQ(obx.component(3, 2).subcomponent(2).text(), "e");
  EXPECT_EQ(obx.field(3).repetition(2).text(), "f");
  EXPECT_EQ(obx.text(5), "x*y");
}

TEST(Reader, byte_order_marks_and_wide_inputs) {
  const std::string text = lines({"PID|1||Müller 中"});
  const Reading marked = read("\xef\xbb\xbf" + text);
  EXPECT_EQ(marked.messages()[0].segment(1).text(3), "Müller 中");
  EXPECT_EQ(marked.messages()[0].segment(0).offset(), 3U);
  for (const char* set : {"UTF-16", "UTF-16LE", "UTF-32", "UTF-32LE"}) {
    std::string bytes;
    ASSERT_TRUE(append_encoded(*find_character_set(set), "\xef\xbb\xbf" + text, bytes));
    const Reading reading = read(bytes);
    ASSERT_EQ(reading.messages().size(), 1U) << set;
    const Message& message = reading.messages()[0];
    EXPECT_EQ(message.segment(1).text(3), "Müller 中") << set;
    const std::size_t unit = std::string_view(set).contains("16") ? 2 : 4;
    EXPECT_EQ(message.segment(1).offset(), unit * (1 + kHeader.size() + 1)) << set;
  }
}

std::string with_set(std::string_view msh_18, std::string_view name) {
  std::string text(kHeader);
  text.append("||||||").append(msh_18).append("\rPID|1||").append(name).append("\r");
  return text;
}

TEST(Reader, character_sets_declared_rightly_and_wrongly) {
  struct Case {
    std::string_view msh_18, bytes, text, code;
  };
  for (const Case& c :
       {Case{"8859/1", "M\xfcller", "Müller", ""}, Case{"UNICODE UTF-8", "Müller", "Müller", ""},
        Case{"ASCII", "Müller", "Müller", "charset_is_utf8"}, Case{"", "Müller", "Müller", "charset_undeclared"},
        Case{"ASCII", "M\xfcller", "Müller", "charset_guessed"}, Case{"", "\xb5mol", "µmol", "charset_guessed"},
        Case{"UNICODE UTF-8", "\xb5mol", "µmol", "charset_guessed"},
        Case{"UNICODE UTF-8", "é\xff", "é\xef\xbf\xbd", "character_broken"},
        Case{"EBCDIC", "Müller", "Müller", "charset_unknown"}, Case{"8859/7", "\xe1", "α", ""},
        Case{"~ISO IR87", "\x1b$B;3ED\x1b(B", "山田", ""}, Case{"GB 18030-2000", "\xd6\xd0", "中", ""},
        Case{"8859/1", "caf\\XE9\\", "café", ""}, Case{"8859/1", "\xe9 \\X00E0\\", "é à", ""}}) {
    const Reading reading = read(with_set(c.msh_18, c.bytes));
    const Message& message = reading.messages()[0];
    EXPECT_EQ(message.segment(1).text(3), c.text) << c.msh_18;
    EXPECT_EQ(codes(message.diagnostics()), c.code.empty() ? Names{} : Names{std::string(c.code)}) << c.msh_18;
    EXPECT_TRUE(is_utf8(message.text()));
  }
}

TEST(Reader, lines_in_two_character_sets) {
  const Reading reading = read(lines({"PID|1||Müller", "NTE|1||\xb5mol"}));
  EXPECT_EQ(reading.messages()[0].segment(1).text(3), "Müller");
  EXPECT_EQ(reading.messages()[0].segment(2).text(3), "µmol");
}

TEST(Reader, escapes_are_checked_where_they_stand) {
  const Reading reading = read(lines({"OBX|1|ST|a||x\\Q\\"}));
  const auto& diagnostics = reading.messages()[0].diagnostics();
  ASSERT_EQ(codes(diagnostics), Names{"escape_unknown"});
  EXPECT_EQ(diagnostics[0].offset, kHeader.size() + 1 + 13);
}

TEST(Reader, text_of_a_lab_that_does_not_escape_can_be_put_together) {
  const Reading reading = read(lines({"OBX|1|FT|a||R&D ~ 5^3 <b>a|b</b>||||F"}));
  const Segment obx = reading.messages()[0].segment(1);
  EXPECT_EQ(obx.text(5), "R&D ~ 5^3 <b>a");
  EXPECT_EQ(obx.decode(obx.raw_from(5)), "R&D ~ 5^3 <b>a|b</b>||||F");
}

TEST(Reader, views_outlive_a_move) {
  Reading reading = read(lines({"PID|1||7"}));
  const Segment pid = reading.messages()[0].segment(1);
  const Reading moved = std::move(reading);
  EXPECT_EQ(pid.text(3), "7");
}

TEST(Reader, truncated_values_are_marked) {
  const Reading reading = read("MSH|^~\\&#|LAB\rPID|abc#|d\r");
  EXPECT_TRUE(reading.messages()[0].segment(1).field(1).truncated());
  EXPECT_FALSE(reading.messages()[0].segment(1).field(2).truncated());
}

TEST(Reader, diagnostics_have_a_limit) {
  std::string text = lines({"NTE|1"});
  for (int i = 0; i < 5000; ++i) text += "more\r";
  const Reading reading = read(text);
  const auto& diagnostics = reading.messages()[0].diagnostics();
  EXPECT_EQ(diagnostics.size(), Diagnostics::kMax);
  EXPECT_EQ(diagnostics.back().code(), "too_many_diagnostics");
}

// Pieces that meet in real messages, in any order.
rc::Gen<std::string> arbitrary_input() {
  static const std::vector<std::string> kPieces = {"MSH|^~\\&|",
                                                   "MSH|^~\\\\&|",
                                                   "MSH*@!%$*",
                                                   "FHS|^~\\&|",
                                                   "BTS|1",
                                                   "\rOBX|",
                                                   "\nOBX|1|NM|",
                                                   "\rPID|",
                                                   "\rOBR|1|",
                                                   "\rSPM|1",
                                                   "\rORC|RE",
                                                   "\rNTE|1||",
                                                   "\rZZZ|",
                                                   "\rPV1|",
                                                   "\r",
                                                   "\n",
                                                   "\r\n",
                                                   "|",
                                                   "^",
                                                   "~",
                                                   "&",
                                                   "\\",
                                                   "\\.br\\",
                                                   "\\XE9\\",
                                                   "text",
                                                   "\"\"",
                                                   "\xc3\xa9",
                                                   "\xe9",
                                                   "\x0b",
                                                   "\x1c\r",
                                                   "||||||8859/1",
                                                   "||||||UNICODE UTF-8",
                                                   std::string(1, '\0'),
                                                   " ",
                                                   "\t",
                                                   "\x1b$B",
                                                   "\xef\xbb\xbf",
                                                   "\rTXA|1",
                                                   "\rTQ1|1",
                                                   "#"};
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kPieces)),
                      [](const std::vector<std::string>& pieces) {
                        std::string text;
                        for (const std::string& piece : pieces) text += piece;
                        return text;
                      });
}

RC_GTEST_PROP(Reader, any_input_gives_valid_text_and_a_whole_tree, ()) {
  const std::string input = *arbitrary_input();
  const Reading reading = read(input);
  for (const Message& message : reading.messages()) {
    RC_ASSERT(is_utf8(message.text()));
    const Tree tree = group(message);
    std::vector<int> seen(message.segment_count(), 0);
    std::size_t obx = 0;
    for (const Node& node : tree.nodes) {
      if (!node.is_group()) ++seen[node.segment];
    }
    for (const int count : seen) RC_ASSERT(count == 1);
    for (const Segment segment : message.segments()) obx += segment.name() == "OBX" ? 1 : 0;
    RC_ASSERT(tree.observations.size() == obx);
    JsonWriter json;
    write_json(message, tree, json);
    RC_ASSERT(is_utf8(json.text()));
  }
}

RC_GTEST_PROP(Reader, every_line_that_begins_like_an_obx_is_one, ()) {
  const std::string input = std::string(kHeader) + *rc::gen::map(arbitrary_input(), [](std::string text) {
                              for (std::size_t at = 0; (at = text.find("MSH", at)) != std::string::npos;)
                                text[at] = 'm';
                              for (std::size_t at = 0; (at = text.find("HS|", at)) != std::string::npos;)
                                text[at] = 'h';
                              return text;
                            });
  std::size_t expected = 0;
  for (std::size_t at = 0; (at = input.find("OBX|", at)) != std::string::npos; ++at) {
    expected += at > 0 && (input[at - 1] == '\r' || input[at - 1] == '\n') ? 1 : 0;
  }
  std::size_t found = 0;
  const Reading reading = read(input);
  for (const Message& message : reading.messages()) {
    for (const Segment segment : message.segments("OBX")) found += segment.name() == "OBX" ? 1 : 0;
  }
  RC_ASSERT(found >= expected);
}

// Files that were put together have a byte order mark before each message: without it the second one would go on with
// the first, and its results with the first one's patient.
TEST(Reader, a_byte_order_mark_before_a_later_message_begins_it) {
  const std::string one = "\xef\xbb\xbf" + lines({"PID|1||A", "OBX|1|NM|1^a^L||5||||||F"});
  const std::string framed = "\x0b" + one + "\x1c\r";
  for (const std::string& bytes : {one + one, "\xef\xbb\xbf" + one + one, framed + framed}) {
    const Reading reading = read(bytes);
    ASSERT_EQ(reading.messages().size(), 2U) << bytes;
    for (const Message& message : reading.messages()) {
      EXPECT_TRUE(message.has_header());
      EXPECT_EQ(message.segment_count(), 3U);
      EXPECT_TRUE(message.diagnostics().empty()) << message.diagnostics().front().code();
    }
  }
}

TEST(Reader, a_message_type_is_understood_with_other_component_separators) {
  const Reading reading = read("MSH|@~\\&|||||||ORU^R01^ORU_R01|1|P|2.5.1\r");
  EXPECT_EQ(reading.messages().at(0).code(), "ORU");
  EXPECT_EQ(reading.messages().at(0).event(), "R01");
}

TEST(Reader, a_name_with_a_line_break_behind_it_is_not_as_the_standard_has_it) {
  const Reading reading = read(lines({"PID|1", "OBX\n|1|NM|1^a^L||5", "OBX|2|NM|1^a^L||5"}));
  const Message& message = reading.messages().at(0);
  ASSERT_EQ(message.segment_count(), 4U);
  EXPECT_EQ(message.segment(2).text(5), "5");
  EXPECT_FALSE(message.segment(2).as_written());
  EXPECT_TRUE(message.segment(3).as_written());
}

TEST(Reader, time_grows_with_the_size_and_no_faster) {
  const auto took = [](const std::string& text) {
    const auto start = std::chrono::steady_clock::now();
    const Reading reading = read(text);
    for (const Message& message : reading.messages()) group(message);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  for (const std::string_view piece :
       {"PID|1\rOBX|1\r"sv, "OBX|1|NM\r"sv, "x\r"sv, "\\X41\\"sv, "|"sv, "MSH|^~\\&|\r"sv, "ORC|\rOBX|\r"sv, "\xe9\r"sv,
        "\\"sv, "BTS|\r"sv, " "sv, "\x1c"sv, "~^&"sv}) {
    std::string text = lines({"PID|1"});
    while (text.size() < 400'000) text += piece;
    EXPECT_LT(took(text), 20.0) << piece;  // quadratic work on so much would take minutes
  }
}

}  // namespace
}  // namespace resultsync::hl7
