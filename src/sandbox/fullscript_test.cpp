#include "sandbox/fullscript.hpp"

#include <gtest/gtest.h>

#include <set>

#include "orders/json_body.hpp"
#include "sandbox/form.hpp"
#include "vendors/fullscript.hpp"

namespace resultsync::sandbox {
namespace {

struct Told {
  std::string state;
  std::string type;
  std::set<std::string> bodies;  // as the common form
};

// What a world tells of its orders, in the order in which it happens.
std::vector<Told> tell(World& world, std::int64_t days) {
  std::vector<Told> all;
  World::Told told = [&](const Happening& happening) {
    Told one{std::string(fullscript_state_of(world.orders()[happening.order])),
             std::string(fullscript_event_type(happening.what)),
             {}};
    if (!one.type.empty()) {
      for (const Envelope form : {Envelope::kWrapped, Envelope::kEvent, Envelope::kBare, Envelope::kMixed})
        one.bodies.insert(vendors::fullscript_event(fullscript_event_body(world, happening, 1, form)));
    }
    all.push_back(std::move(one));
  };
  world.advance_to({world.options().start.microseconds + days * 86'400'000'000}, told);
  return all;
}

TEST(FullscriptWorld, tells_of_results_and_payments_only_and_the_same_in_every_envelope) {
  World world({.seed = 3, .orders_max = 30, .orders_per_day = 20, .corrections_permille = 400});
  std::set<std::string> states;
  for (const Told& one : tell(world, 120)) {
    if (one.type.empty()) continue;
    EXPECT_EQ(one.bodies.size(), 1U);
    const orders::JsonBody body(*one.bodies.begin());
    EXPECT_FALSE(orders::text_of(orders::member(body.root(), "clinic_id")).empty());
    if (one.type == "lab_order.updated") {
      EXPECT_EQ(std::string_view(body.root()->at_pointer("/data/object/attributes/status")), one.state);
      states.insert(one.state);
    }
  }
  for (const char* state : {"partial_results", "results_ready", "results_amended"})
    EXPECT_TRUE(states.contains(state)) << state;
}

TEST(FullscriptWorld, an_order_shows_a_result_for_each_test_that_has_one_and_none_before) {
  World world({.seed = 3, .orders_max = 5, .orders_per_day = 20});
  tell(world, 120);
  for (std::size_t i = 0; i < world.orders().size(); ++i) {
    JsonWriter json;
    json.begin_object().key("order");
    write_lab_order(json, world, i, LabOrderDetail::kWhole,
                    [](const DocumentName&) { return std::string("https://x.example.com/a"); });
    const orders::JsonBody answer(json.end_object().take());
    const orders::JsonBody read(vendors::fullscript_orders(answer));
    const auto there = std::ranges::count_if(world.orders()[i].tests,
                                             [](const OrderedTest& test) { return test.current.has_value(); });
    EXPECT_EQ(static_cast<std::ptrdiff_t>(simdjson::dom::array(read.root()->at_pointer("/included")).size()), there);
  }
}

TEST(Form, a_flat_json_object_of_texts_is_one_and_nothing_else_is) {
  EXPECT_EQ(Form::read_json(R"({"a":"1","b":"x y"})")->only("b"), "x y");
  EXPECT_EQ(Form::read_json(R"({"a":"1","a":"2"})")->only("a"), "") << "twice is none";
  for (const char* body : {"", "[]", "a=1", R"({"a":1})", R"({"a":{"b":"c"}})", R"({"a":null})"})
    EXPECT_FALSE(Form::read_json(body)) << body;
}

}  // namespace
}  // namespace resultsync::sandbox
