// What is read from outside: forms, bodies, switches.
#include <gtest/gtest.h>

#include <set>

#include "sandbox/form.hpp"
#include "sandbox/intent_body.hpp"
#include "sandbox/numbers.hpp"
#include "sandbox/pages.hpp"
#include "sandbox/switches.hpp"

namespace resultsync::sandbox {
namespace {

TEST(Form, reads_what_a_browser_posts_and_refuses_what_is_broken) {
  const auto form = Form::read("a=1&b=two+words&b=%C3%A9&c");
  ASSERT_TRUE(form);
  EXPECT_EQ(form->only("a"), "1");
  EXPECT_EQ(form->only("b"), "") << "a parameter that stands twice is none";
  EXPECT_EQ(form->all("b"), (std::vector<std::string>{"two words", "\u00e9"}));
  EXPECT_TRUE(form->has("c"));
  EXPECT_FALSE(Form::read("a=%zz"));
  EXPECT_FALSE(Form::read("a=%ff"));
  std::string many;
  for (int i = 0; i < 200; ++i) many += "x=1&";
  EXPECT_TRUE(Form::read(many));
  EXPECT_FALSE(Form::read(many + "x=1"));
}

TEST(Form, parameters_are_added_to_addresses_encoded) {
  EXPECT_EQ(with_parameter("http://a/b", "s", "x y&z=\u00e9"), "http://a/b?s=x%20y%26z%3D%C3%A9");
  EXPECT_EQ(with_parameter("http://a/b?c=d", "s", "1"), "http://a/b?c=d&s=1");
}

TEST(IntentBody, limits_hold_at_the_limit_and_one_past_it) {
  const auto with_tests = [](int count) {
    std::string ids;
    for (int i = 0; i < count; ++i) ids += std::string(i ? "," : "") + "\"labts_1\"";
    return R"({"return_url":"https://a/","patient":"pat_1","lab_tests":[)" + ids + "]}";
  };
  EXPECT_TRUE(read_intent(with_tests(30), BodyForm::kFlat, Completeness::kWhole).errors.empty());
  EXPECT_FALSE(read_intent(with_tests(31), BodyForm::kFlat, Completeness::kWhole).errors.empty());
  const std::string large =
      R"({"return_url":"https://a/","patient":"pat_1","metadata":")" + std::string(17'000, 'x') + "\"}";
  EXPECT_FALSE(read_intent(large, BodyForm::kFlat, Completeness::kWhole).errors.empty());
}

TEST(IntentBody, the_slip_of_the_readme_is_read_too) {
  const auto read = read_intent(
      R"({"return_url":"https://a/","patient_data":{"first_name":"a","last_name":"b","email":"a@b.c","lab_tests":["labts_1"]}})",
      BodyForm::kFlat, Completeness::kWhole);
  EXPECT_TRUE(read.errors.empty());
  EXPECT_EQ(read.body.lab_tests.value(), std::vector<std::string>{"labts_1"});
}

TEST(IntentBody, nothing_that_is_posted_breaks_it) {
  for (const char* body :
       {"", "{", "null", "[]", "1", R"({"data":null})", R"({"data":{"type":"order_intent"}})",
        R"({"data":{"type":"order_intent","attributes":[],"relationships":3}})",
        R"({"data":{"type":"order_intent","attributes":{"patient_data":{"email":1}}}})",
        R"({"data":{"type":"order_intent","relationships":{"lab_tests":{"data":[1,null,{"type":"x"}]}}}})"}) {
    EXPECT_FALSE(read_intent(body, BodyForm::kJsonApi, Completeness::kWhole).errors.empty()) << body;
    EXPECT_FALSE(read_patient(body, Completeness::kWhole).errors.empty()) << body;
  }
}

TEST(Switches, each_can_be_set_to_what_it_shows) {
  Switches switches;
  make_hostile(switches);
  for (const SwitchDescription& one : switch_descriptions()) {
    const std::string value = switch_value(switches, one.name);
    EXPECT_TRUE(set_switch(switches, one.name, value)) << one.name << "=" << value;
    EXPECT_EQ(switch_value(switches, one.name), value);
    EXPECT_EQ(set_switch(switches, one.name, "-1e99").error().code, "bad_value") << one.name;
    EXPECT_EQ(set_switch(switches, one.name, "").error().code, "bad_value") << one.name;
  }
  EXPECT_EQ(set_switch(switches, "nothing", "1").error().code, "unknown_switch");
  EXPECT_TRUE(set_switch(switches, "loss", "1"));
  EXPECT_FALSE(set_switch(switches, "loss", "1.01"));
  EXPECT_FALSE(set_switch(switches, "loss", "nan"));
}

TEST(Numbers, a_share_of_draws_comes_out_true_and_always_the_same_ones) {
  int came = 0;
  for (int i = 0; i < 10'000; ++i) came += drawn(0.2, 7, "loss", std::to_string(i)) ? 1 : 0;
  EXPECT_NEAR(came, 2000, 150);
  EXPECT_FALSE(drawn(0, 7, "loss", "x"));
  EXPECT_TRUE(drawn(1, 7, "loss", "x"));
}

TEST(Numbers, ids_are_of_the_networks_form_and_never_twice) {
  std::set<std::string> ids;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    const std::string id = id_of("ord_", 3, i * 4096);
    EXPECT_EQ(id.size(), 11U);
    EXPECT_TRUE(ids.insert(id).second);
  }
}

TEST(Pages, text_from_outside_stays_text) {
  EXPECT_EQ(escaped_html(R"(<a href="x">&'</a>)"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
  const World world({.orders_per_day = 0});
  const std::string page = consent_page(world, {.client_id = "<script>",
                                                .redirect_uri = "http://127.0.0.1/\"><script>",
                                                .response_type = "code",
                                                .scope = {},
                                                .state = "'\"><script>",
                                                .code_challenge = {},
                                                .code_challenge_method = {}});
  EXPECT_EQ(page.find("<script"), std::string::npos);
}

}  // namespace
}  // namespace resultsync::sandbox
