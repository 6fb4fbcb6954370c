#include "results/known_result.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "orders/history.hpp"
#include "results/json.hpp"
#include "results/testing.hpp"
#include "results/versions.hpp"

namespace resultsync::results {
namespace {

using Lines = std::vector<std::string>;

std::string report(const Lines& lines, const std::string& status = "F") {
  std::string text =
      testing::message_of({"OBR|1|P-1|F-1|24323-8^Panel^LN|||20240430080000||||||||||||||||||" + status});
  for (const std::string& line : lines) text.append(line).append("\r");
  return text;
}
std::string analyte(const std::string& name, const std::string& value, const std::string& status) {
  return "OBX|1|NM|" + name + "^" + name + "^L||" + value + "|mmol/L|||||" + status;
}

KnownResult after(const Lines& files) {
  KnownResult known;
  for (const std::string& file : files) known.take(read_result_file(file));
  return known;
}

// "sodium 140 F, potassium 6.6 P"
std::string told(const KnownResult& known) {
  if (known.content() == nullptr) return "unknown";
  std::string out;
  for (const Report& one : known.content()->reports) {
    for (const Observation& observation : one.observations) {
      out += out.empty() ? "" : ", ";
      out += std::string(observation.code.display()) + " " +
             (observation.values.empty() ? "-" : observation.values[0].text) + " " +
             std::string(observation.status->code);
    }
  }
  return out;
}

// "potassium value 6.6 -> 4.6; …", with what is not sent again in brackets.
std::string changes(const Lines& files, const std::string& next) {
  const KnownResult known = after(files);
  if (known.content() == nullptr) return "unknown";
  const ResultFile file = read_result_file(next);
  std::string out;
  for (const ReportPair& pair : compare(known.content()->reports, file.content.reports)) {
    for (const AnalyteDiff& one : pair.diff.analytes) {
      for (const Change& change : one.changes)
        out +=
            one.name + " " + std::string(change_name(change.kind)) + " " + change.before + " -> " + change.after + "; ";
    }
    for (const std::string& name : pair.not_sent_again) out += "[" + name + "] ";
  }
  return out;
}

const std::string kBoth = report({analyte("sodium", "140", "F"), analyte("potassium", "6.6", "P")});
const std::string kPotassium = report({analyte("potassium", "6.6", "F")});
const std::string kSodium = report({analyte("sodium", "141", "C")}, "C");

TEST(KnownResult, an_analyte_that_comes_back_after_a_partial_resend_is_a_change_and_not_new) {
  EXPECT_EQ(told(after({kBoth, kPotassium})), "sodium 140 F, potassium 6.6 F");
  EXPECT_EQ(changes({kBoth, kPotassium}, kSodium),
            "sodium value 140 -> 141; sodium status final -> corrected; [potassium] ");
  EXPECT_EQ(told(after({kBoth, kPotassium, kSodium})), "sodium 141 C, potassium 6.6 F");
}

TEST(KnownResult, a_whole_resend_says_what_it_leaves_out_and_that_stands) {
  const std::string without_potassium = report({analyte("sodium", "140", "F")});
  EXPECT_EQ(changes({kBoth}, without_potassium), "[potassium] ");
  EXPECT_EQ(told(after({kBoth, without_potassium})), "sodium 140 F, potassium 6.6 P");
}

TEST(KnownResult, preliminary_final_corrected_cancelled_one_analyte_at_a_time) {
  const Lines story{report({analyte("sodium", "140", "P"), analyte("potassium", "6.6", "P")}, "P"),
                    report({analyte("sodium", "140", "F")}, "P"),  //
                    report({analyte("potassium", "", "U")}, "F"),  //
                    report({analyte("potassium", "4.6", "C")}, "C"), report({analyte("sodium", "", "X")}, "C")};
  EXPECT_EQ(told(after({story.begin(), story.begin() + 3})), "sodium 140 F, potassium 6.6 U")
      << "U says that the value that was sent is now final";
  EXPECT_EQ(changes({story.begin(), story.begin() + 3}, story[3]),
            "potassium value 6.6 -> 4.6; potassium status final -> corrected; [sodium] ");
  EXPECT_EQ(changes({story.begin(), story.begin() + 4}, story[4]),
            "sodium value 140 -> ; sodium status final -> cancelled; [potassium] ");
  EXPECT_EQ(told(after(story)), "sodium - X, potassium 4.6 C");
}

TEST(KnownResult, a_wrong_patient_and_a_deletion_hold_until_the_lab_says_otherwise) {
  const std::string wrong = report({analyte("potassium", "6.6", "W")}, "C");
  const std::string deleted = report({analyte("potassium", "", "D")}, "C");
  EXPECT_EQ(told(after({kBoth, wrong})), "sodium 140 F, potassium 6.6 W");
  EXPECT_EQ(changes({kBoth, wrong}, kPotassium), "potassium status entered-in-error -> final; [sodium] ");
  EXPECT_EQ(told(after({kBoth, deleted})), "sodium 140 F");
  EXPECT_EQ(changes({kBoth}, deleted), "potassium removed 6.6 mmol/L -> ; [sodium] ");
  EXPECT_EQ(changes({kBoth, deleted}, kPotassium), "potassium added  -> 6.6 mmol/L; [sodium] ");
}

TEST(KnownResult, a_withdrawal_takes_all_back_and_what_cannot_be_read_leaves_nothing_known) {
  EXPECT_EQ(told(after({kBoth, ""})), "");
  EXPECT_EQ(changes({kBoth, ""}, kPotassium), "potassium added  -> 6.6 mmol/L; ");
  EXPECT_EQ(told(after({kBoth, "https://files.example.com/r"})), "unknown");
  EXPECT_EQ(told(after({kBoth, "https://files.example.com/r", kPotassium})), "potassium 6.6 F");
  KnownResult erased = after({kBoth});
  erased.take_unreadable();
  EXPECT_EQ(erased.content(), nullptr);
}

TEST(KnownResult, a_patient_is_carried_along_and_documents_only_while_they_are_spoken_of) {
  const std::string pdf = "OBX|9|ED|PDF^Report^L||^application^pdf^Base64^JVBERi0x||||||F";
  const std::string newer_pdf = "OBX|9|ED|PDF^Report^L||^application^pdf^Base64^JVBERi0y||||||C";
  const std::string other = testing::message_of({"OBR|1|P-2|F-2|1-8^Other^LN", analyte("x", "1", "F")});
  const KnownResult known = after({report({pdf}), report({newer_pdf}), other});
  ASSERT_NE(known.content(), nullptr);
  ASSERT_EQ(known.content()->documents.size(), 1U);
  EXPECT_EQ(known.content()->documents[0].bytes(), "%PDF-2");
  ASSERT_EQ(known.content()->reports.size(), 2U);
  EXPECT_EQ(known.content()->reports[0].patient, 0U);
  EXPECT_EQ(known.content()->patients.size(), 1U) << "both files speak of one patient";
}

TEST(KnownResult, susceptibilities_of_two_organisms_stay_apart) {
  const auto panel = [](const std::string& sub_id, const std::string& value, const std::string& status) {
    return testing::message_of({"OBR|1|P-9|F-9|29576-6^Susceptibility^LN|||||||||||||||||||||F|630-4&Culture&LN^" +
                                    sub_id + "^Organism|||P-1^F-1",
                                "OBX|1|NM|18906-8^Ciprofloxacin^LN||" + value + "|ug/mL||S|||" + status});
  };
  EXPECT_EQ(told(after({panel("1", "0.5", "F"), panel("2", "4", "F"), panel("2", "8", "C")})),
            "Ciprofloxacin 0.5 F, Ciprofloxacin 8 C");
}

RC_GTEST_PROP(KnownResult, to_be_told_the_same_again_changes_nothing, ()) {
  const auto values = *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 4));
  Lines files;
  for (const int value : values)
    files.push_back(report({analyte(value % 2 == 0 ? "sodium" : "potassium", std::to_string(value), "F")}));
  const std::string once = told(after(files));
  if (!files.empty()) files.push_back(files.back());
  RC_ASSERT(told(after(files)) == once);
}

// S1: whatever order the events arrive in, what is known in the end is the same.
RC_GTEST_PROP(KnownResult, what_is_known_does_not_depend_on_the_order_of_arrival, ()) {
  static const std::vector<std::string> kStatuses{"P", "F", "C", "X", "W", "D", "U"};
  const auto one = rc::gen::tuple(rc::gen::inRange(0, 3), rc::gen::inRange(1, 4), rc::gen::elementOf(kStatuses));
  const auto sent = *rc::gen::container<std::vector<std::tuple<int, int, std::string>>>(one);
  std::vector<std::size_t> arrival(sent.size());
  for (std::size_t i = 0; i < arrival.size(); ++i) arrival[i] = i;
  std::map<std::uint64_t, std::string> bodies;

  const auto known_of = [&](const std::vector<std::size_t>& order) {
    orders::OrderHistory history;
    std::map<std::uint64_t, std::string> files;
    std::uint64_t record = 0;
    for (const std::size_t i : order) {
      const auto& [name, value, status] = sent[i];
      const std::string file = report({analyte("a" + std::to_string(name), std::to_string(value), status)});
      orders::Event event;
      event.key = {Timestamp::from_seconds(static_cast<std::int64_t>(i)), EventId("e" + std::to_string(i))};
      event.order.emplace();
      event.order->tests.push_back({OrderedTestId("t"), {}, sha256(file), true});
      files[++record] = file;
      orders::apply(history, event, Sequence{record});
    }
    KnownResult known;
    if (history.tests.empty()) return told(known);
    const auto& points = history.tests[0].points;
    const Sequence last = points.back().record;
    for (const Sequence before : orders::contents_before(history.tests[0], last, Sequence{record}))
      known.take(read_result_file(files[before.value]));
    known.take(read_result_file(files[last.value]));
    return told(known);
  };
  const std::string in_order = known_of(arrival);
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  std::ranges::sort(arrival, {}, [&](std::size_t i) { return (i + 1) * 2654435761U ^ seed; });
  RC_ASSERT(known_of(arrival) == in_order);
}

}  // namespace
}  // namespace resultsync::results
