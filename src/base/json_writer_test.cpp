#include "base/json_writer.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace resultsync {
namespace {

TEST(JsonWriter, writes_nested_values_with_commas_where_they_belong) {
  JsonWriter json;
  json.begin_object()
      .member("id", "evt_1")
      .key("tests")
      .begin_array()
      .number(1)
      .begin_object()
      .end_object()
      .null()
      .end_array();
  json.member("current", true).member("note", std::optional<std::string>{}).key("raw").raw("[1]").end_object();
  EXPECT_EQ(json.text(), R"({"id":"evt_1","tests":[1,{},null],"current":true,"note":null,"raw":[1]})");
}

TEST(JsonWriter, escapes_what_json_asks_for_and_repairs_the_rest) {
  EXPECT_EQ(json_string("a\"b\\c\n\x01"), R"("a\"b\\c\n\u0001")");
  EXPECT_EQ(json_string("\xb5"), "\"\xef\xbf\xbd\"");
  EXPECT_EQ(json_string("µ"), "\"µ\"");
}

TEST(JsonWriter, numbers_keep_their_value) {
  JsonWriter json;
  json.begin_array().number(std::numeric_limits<std::int64_t>::min()).number(std::numeric_limits<std::uint64_t>::max());
  json.number(0.1).number(std::numeric_limits<double>::infinity()).end_array();
  EXPECT_EQ(json.text(), "[-9223372036854775808,18446744073709551615,0.1,null]");
}

}  // namespace
}  // namespace resultsync
