#include "fhir/json.hpp"

#include <gtest/gtest.h>

#include <string>

namespace resultsync::fhir {
namespace {

TEST(FhirJson, what_is_empty_leaves_no_trace) {
  Buffer out;
  Json json(out);
  json.object([&] {
    EXPECT_FALSE(json.object("name", [&] { json.string("family", " "); }));
    EXPECT_FALSE(json.array("given", [] {}));
    json.literal("a", "1");
    EXPECT_TRUE(json.array("list", [&] {
      json.string("x");
      json.string("");
      json.object([&] { json.number("n", 7); });
    }));
    json.code("code", " A  B ");
  });
  EXPECT_EQ(out.view(), R"({"a":"1","list":["x",{"n":7}],"code":"A B"})");
}

TEST(FhirJson, a_member_that_makes_the_buffer_grow_is_no_longer_than_any_other) {
  for (std::size_t size = 0; size < 600; ++size) {
    Buffer out;
    out.append(std::string(size, '{'));
    Json json(out);
    json.literal("key", "value");
    EXPECT_EQ(out.view(), std::string(size, '{') + R"("key":"value")");
    json.raw("n", "1");
    EXPECT_EQ(out.size(), size + 19);
  }
}

TEST(FhirJson, what_is_special_is_made_safe_wherever_it_stands) {
  for (std::size_t before = 0; before < 40; ++before) {
    const std::string plain(before, 'x');
    Buffer out;
    Json(out).string(plain + "\"\\\x01\xc3\xa9\x7f\xff" + plain + "\n");
    EXPECT_EQ(out.view(), "\"" + plain + "\\\"\\\\\xEF\xBF\xBD\xc3\xa9\xEF\xBF\xBD\xEF\xBF\xBD" + plain + "\\n\"")
        << before;
  }
}

}  // namespace
}  // namespace resultsync::fhir
