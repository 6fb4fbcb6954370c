#include "sandbox/world.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "base/digest.hpp"
#include "hl7/reader.hpp"
#include "results/interpret.hpp"
#include "sandbox/dialects.hpp"
#include "sandbox/paper.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::int64_t kDay = 86'400'000'000;

// All that a world tells of in its first days, one line each.
std::vector<std::string> story(WorldOptions options, int days, std::int64_t step) {
  World world(options);
  std::vector<std::string> lines;
  World::Told told = [&](const Happening& one) {
    const Order& order = world.orders()[one.order];
    std::string line = format_timestamp(one.at) + " " + one.event.text() + " " + order.id.text() + " " +
                       std::string(what_name(one.what)) + " " + std::string(status_text(order.state));
    if (one.test && order.tests[*one.test].current) {
      const LabReport& report = order.tests[*one.test].versions[*order.tests[*one.test].current];
      line += " " + sha256(write_hl7(report, "")).hex();
    }
    lines.push_back(line);
  };
  for (std::int64_t at = step; at <= days * kDay; at += step) world.advance_to({options.start.microseconds + at}, told);
  return lines;
}

// Every report that a world makes in its first days.
std::vector<LabReport> reports(WorldOptions options, int days) {
  World world(options);
  std::vector<LabReport> all;
  World::Told told = [&](const Happening& one) {
    if (one.test && one.what != What::kWithdrawn)
      all.push_back(world.orders()[one.order].tests[*one.test].versions.back());
  };
  world.advance_to({options.start.microseconds + days * kDay}, told);
  return all;
}

TEST(World, is_a_function_of_its_seed_whatever_the_steps_in_which_time_goes_by) {
  const auto at_once = story({.seed = 7}, 30, 30 * kDay);
  EXPECT_GT(at_once.size(), 300U);
  EXPECT_EQ(at_once, story({.seed = 7}, 30, kDay / 7));
  EXPECT_NE(at_once, story({.seed = 8}, 30, 30 * kDay));
}

TEST(World, the_story_of_a_seed_never_changes) {
  // Guides, demos and replayable failures name a seed. Whoever changes what happens changes this line, and knows it.
  std::string all;
  for (const std::string& line : story({.seed = 1}, 10, 10 * kDay)) all += line + "\n";
  EXPECT_EQ(sha256(all).hex(), "4f345d06c4a5047578bacac30d5aad4842bd08a76cab5d6ad23db0f458517546");
}

TEST(World, what_people_do_leaves_the_other_orders_as_they_are) {
  const auto untouched = story({.seed = 5}, 20, 20 * kDay);
  World world({.seed = 5});
  std::set<std::string> by_itself;
  std::size_t told_of = 0;
  World::Told told = [&](const Happening& one) {
    ++told_of;
    by_itself.insert(one.event.text());
  };
  const std::size_t placed = world.place_order({.practitioner = 0, .patient = 0, .tests = {0, 11}}, told);
  ASSERT_TRUE(world.release({placed, 0}, Stage::kFinal, told));
  world.advance_to({world.options().start.microseconds + 20 * kDay}, told);
  for (const std::string& line : untouched) EXPECT_TRUE(by_itself.contains(line.substr(line.find("evt_"), 11))) << line;
  EXPECT_GT(told_of, untouched.size());
}

TEST(World, gives_no_id_twice) {
  World world({.seed = 3, .orders_per_day = 60});
  std::set<std::string> ids;
  World::Told told = [&](const Happening& one) { EXPECT_TRUE(ids.insert(one.event.text()).second); };
  world.advance_to({world.options().start.microseconds + 40 * kDay}, told);
  for (const Order& order : world.orders()) {
    EXPECT_TRUE(ids.insert(order.id.text()).second);
    for (const OrderedTest& test : order.tests) EXPECT_TRUE(ids.insert(test.id.text()).second);
  }
  EXPECT_GT(ids.size(), 5'000U);
}

TEST(World, patients_have_a_history_before_the_start) {
  World world({.seed = 2});
  std::size_t completed = 0;
  for (const Order& order : world.orders()) completed += order.state == OrderState::kCompleted ? 1 : 0;
  EXPECT_GE(completed, world.orders().size() / 2);
  EXPECT_EQ(world.orders().size(), 24U);
}

TEST(World, ends_when_all_planned_orders_are_finished) {
  World world({.seed = 2, .orders_max = 5});
  World::Told told = [](const Happening&) {};
  world.advance_to({world.options().start.microseconds + 200 * kDay}, told);
  EXPECT_EQ(world.orders().size(), 29U);
  EXPECT_EQ(world.next_due(), std::nullopt);
  EXPECT_EQ(world.planned_orders(), 0U);
}

TEST(World, a_result_goes_from_preliminary_over_final_to_corrected_and_nothing_else) {
  World world({.seed = 1, .orders_per_day = 0});
  std::vector<What> seen;
  World::Told told = [&](const Happening& one) { seen.push_back(one.what); };
  const std::size_t order = world.place_order({.practitioner = 0, .patient = 0, .tests = {1}, .held = true}, told);
  const World::TestPlace place{order, 0};
  EXPECT_EQ(world.correct(place, told).error().code, "conflict");
  ASSERT_TRUE(world.release(place, Stage::kPreliminary, told));
  EXPECT_EQ(world.release(place, Stage::kPreliminary, told).error().code, "conflict");
  EXPECT_EQ(world.correct(place, told).error().code, "conflict");
  ASSERT_TRUE(world.release(place, Stage::kFinal, told));
  EXPECT_EQ(world.release(place, Stage::kFinal, told).error().code, "conflict");
  ASSERT_TRUE(world.correct(place, told));
  ASSERT_TRUE(world.cancel_order(order, told));
  EXPECT_EQ(world.correct(place, told).error().code, "conflict");
  EXPECT_EQ(seen, (std::vector<What>{What::kSubmitted, What::kPreliminary, What::kFinal, What::kCompleted,
                                     What::kCorrected, What::kOrderCanceled}));
  const auto& versions = world.orders()[order].tests[0].versions;
  ASSERT_EQ(versions.size(), 3U);
  std::size_t changed = 0;
  for (std::size_t i = 0; i < versions[2].measurements.size(); ++i)
    changed += versions[2].measurements[i].value != versions[1].measurements[i].value ? 1 : 0;
  EXPECT_EQ(changed, 1U) << "a correction changes one value";
}

// S7, seen from the other side: whatever the laboratories of the sandbox write, the reader explains to the last OBX.
TEST(Dialects, every_message_is_read_with_an_observation_or_a_document_for_every_obx) {
  std::map<std::string, int> versions;
  std::size_t parents = 0;
  for (const LabReport& report : reports({.seed = 9, .orders_per_day = 25, .cancellations_permille = 80}, 40)) {
    const std::string bytes = write_hl7(report, embeds_pdf(report) ? draw_report(report) : "");
    const hl7::Reading reading = hl7::read(std::string(bytes));
    ASSERT_EQ(reading.messages().size(), 1U);
    const hl7::Message& message = reading.messages()[0];
    EXPECT_TRUE(message.diagnostics().empty()) << bytes;
    const results::Interpretation result = results::interpret(message);
    ++versions[result.header.version];
    std::size_t obx = 0;
    for (std::size_t at = bytes.find("\rOBX|"); at != std::string::npos; at = bytes.find("\rOBX|", at + 1)) ++obx;
    EXPECT_EQ(result.account.obx_in, obx);
    EXPECT_EQ(result.account.observations, obx) << bytes;
    EXPECT_TRUE(result.account.balanced());
    ASSERT_FALSE(result.reports.empty());
    for (const auto& one : result.reports) parents += one.parent.report != results::kNone ? 1 : 0;
    ASSERT_EQ(result.patients.size(), 1U);
  }
  EXPECT_EQ(versions.size(), 3U) << "2.3, 2.4 and 2.5.1";
  EXPECT_GT(parents, 0U);
}

TEST(Paper, is_a_pdf_with_the_same_bytes_every_time) {
  for (const LabReport& report : reports({.seed = 4}, 12)) {
    const std::string pdf = draw_report(report);
    EXPECT_TRUE(pdf.starts_with("%PDF-1."));
    EXPECT_EQ(sha256(pdf), sha256(draw_report(report)));
    EXPECT_LT(pdf.size(), 64U * 1024);
  }
}

}  // namespace
}  // namespace resultsync::sandbox
