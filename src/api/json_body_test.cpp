#include "api/json_body.hpp"

#include <gtest/gtest.h>

#include <array>

namespace resultsync::api {
namespace {

constexpr std::array kRules{MemberRule{"clinic_id"}, MemberRule{"source", Presence::kOptional}};

std::vector<MemberError> errors_of(std::string_view body) {
  const auto members = read_members(body, kRules);
  return members ? std::vector<MemberError>{} : members.error().errors;
}
std::string code_of_body(std::string_view body) {
  const auto members = read_members(body, kRules);
  return members ? "taken" : std::string(members.error().code);
}

TEST(JsonBody, gives_its_members) {
  const auto members = read_members(R"({"source":null,"clinic_id":"cli\u00e9 \ud83d\ude00"})", kRules);
  ASSERT_TRUE(members.has_value());
  EXPECT_EQ(members->at("clinic_id"), "cli\xC3\xA9 \xF0\x9F\x98\x80");
  EXPECT_FALSE(members->contains("source"));
}

TEST(JsonBody, what_is_no_json_object_is_said_so) {
  for (const char* body : {"", "{", "[]", "\"x\"", "null", "clinic_id=cli_1", "{\"clinic_id\":\"\xFF\"}", "{}x"}) {
    EXPECT_EQ(code_of_body(body), "bad_json") << body;
  }
}

TEST(JsonBody, each_slip_is_told_by_member) {
  using Errors = std::vector<MemberError>;
  EXPECT_EQ(errors_of("{}"), (Errors{{"clinic_id", "is needed"}}));
  EXPECT_EQ(errors_of(R"({"clinic_id":1})"), (Errors{{"clinic_id", "must be text"}}));
  EXPECT_EQ(errors_of(R"({"clinic_id":null})"), (Errors{{"clinic_id", "must be text"}}));
  EXPECT_EQ(errors_of(R"({"clinic_id":""})"), (Errors{{"clinic_id", "must not be empty"}}));
  EXPECT_EQ(errors_of(R"({"clinic_id":"a\u0000"})"), (Errors{{"clinic_id", "must not hold control characters"}}));
  EXPECT_EQ(errors_of(R"({"clinic_id":"a","clinic_id":"b"})"), (Errors{{"clinic_id", "is given twice"}}));
  EXPECT_EQ(errors_of(R"({"clinic_id":"a","clinicId":"b"})"),
            (Errors{{"clinicId", "is not known here; known are: clinic_id, source"}}));
  EXPECT_EQ(errors_of(R"({"source":[],"x":1})").size(), 3U);
}

TEST(JsonBody, ids_and_bodies_at_their_limits) {
  const auto with_id = [](std::size_t size) { return R"({"clinic_id":")" + std::string(size, 'x') + R"("})"; };
  EXPECT_EQ(code_of_body(with_id(kIdBytesMax)), "taken");
  EXPECT_EQ(code_of_body(with_id(kIdBytesMax + 1)), "invalid_members");
  std::string body = R"({"clinic_id":"x"})";
  body.resize(kBodyBytesMax, ' ');
  EXPECT_EQ(code_of_body(body), "taken");
  EXPECT_EQ(code_of_body(body + " "), "body_too_large");
}

}  // namespace
}  // namespace resultsync::api
