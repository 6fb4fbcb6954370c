#include "fhir/json.hpp"

#include <gtest/gtest.h>

namespace resultsync::fhir {
namespace {

TEST(FhirJson, what_is_empty_leaves_no_trace) {
  std::string out;
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
  EXPECT_EQ(out, R"({"a":"1","list":["x",{"n":7}],"code":"A B"})");
}

TEST(FhirJson, a_member_that_makes_the_buffer_grow_is_no_longer_than_any_other) {
  for (std::size_t size = 0; size < 600; ++size) {
    std::string out(size, '{');
    out.shrink_to_fit();
    Json json(out);
    json.literal("key", "value");
    EXPECT_EQ(out, std::string(size, '{') + R"("key":"value")");
    json.raw("n", "1");
    EXPECT_EQ(out.size(), size + 19);
  }
}

}  // namespace
}  // namespace resultsync::fhir
