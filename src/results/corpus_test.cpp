// Real messages, in ../shared or where RESULTSYNC_SHARED says: no OBX is lost, and values, units, ranges, flags and
// statuses are those of the FHIR bundles that stand beside some of them, but for the departures that README.md lists.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

#include "results/testing.hpp"

namespace resultsync::results {
namespace {

namespace fs = std::filesystem;
namespace dom = simdjson::dom;

fs::path corpus() {
  const char* shared = std::getenv("RESULTSYNC_SHARED");
  const fs::path beside = fs::path(__FILE__).parent_path() / ".." / ".." / ".." / "shared";
  return (shared != nullptr ? fs::path(shared) : beside) / "corpus" / "hl7";
}

std::vector<fs::path> messages() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(corpus())) {
    if (entry.path().extension() == ".hl7") found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

#define NEEDS_CORPUS() \
  if (!fs::exists(corpus())) GTEST_SKIP() << "skipped: no ../shared"

TEST(ResultsCorpus, every_obx_is_an_observation_or_explained) {
  NEEDS_CORPUS();
  std::size_t obx = 0, represented = 0;
  std::map<std::string, std::size_t> reasons, problems;
  for (const fs::path& path : messages()) {
    const std::string bytes = bytes_of(path);
    std::size_t lines = 0;
    for (std::size_t at = bytes.find("OBX|"); at != std::string::npos; at = bytes.find("OBX|", at + 1)) {
      lines += at > 0 && (bytes[at - 1] == '\r' || bytes[at - 1] == '\n') ? 1 : 0;
    }
    const Interpretation result = testing::interpret_text(bytes);
    EXPECT_TRUE(result.account.balanced()) << path;
    EXPECT_EQ(result.account.obx_in, lines) << path;
    obx += lines;
    represented += result.account.observations;
    for (const Unused& unused : result.account.explained) ++reasons[std::string(unused.reason)];
    for (const Unused& unused : result.account.unused) ++reasons[unused.segment + " " + std::string(unused.reason)];
    for (const Report& report : result.reports) {
      for (const Observation& observation : report.observations) {
        for (const Problem& problem : observation.problems) ++problems[std::string(problem.code)];
      }
    }
  }
  std::cout << obx << " OBX, " << represented << " in observations\n";
  for (const auto& [reason, count] : reasons) std::cout << "  " << reason << ": " << count << '\n';
  for (const auto& [problem, count] : problems) std::cout << "  problem " << problem << ": " << count << '\n';
  EXPECT_EQ(represented + 1, obx) << "one OBX holds nothing but its set id";
}

std::string text_at(dom::element resource, std::string_view pointer) {
  dom::element found;
  if (resource.at_pointer(pointer).get(found) != simdjson::SUCCESS) return "";
  if (found.is_string()) return std::string(found.get_string().value());
  return simdjson::minify(found);
}

// What a bundle says of an Observation, as a line to be found among ours.
struct Line {
  std::string code, value, unit, range, flag, status;
  auto operator<=>(const Line&) const = default;
};

Line expected_line(dom::element observation) {
  Line line;
  line.code = text_at(observation, "/code/coding/0/code");
  for (const char* place : {"/valueQuantity/value", "/valueString", "/valueCodeableConcept/coding/0/code",
                            "/valueDateTime", "/valueRange/low/value"}) {
    if (line.value.empty()) line.value = text_at(observation, place);
  }
  line.unit = text_at(observation, "/valueQuantity/unit");
  line.range = text_at(observation, "/referenceRange/0/text");
  line.flag = text_at(observation, "/interpretation/0/coding/0/code");
  line.status = text_at(observation, "/status");
  return line;
}

std::vector<const Observation*> all_observations(const Interpretation& result) {
  std::vector<const Observation*> all;
  for (const Report& report : result.reports) {
    for (const Observation& observation : report.observations) all.push_back(&observation);
  }
  for (const auto& of_patient : result.patient_observations) all.push_back(&of_patient.observation);
  return all;
}

bool has_code(const Codes& codes, std::string_view code) {
  return std::ranges::any_of(codes.codings,
                             [&](const Coding& coding) { return coding.code == code || coding.text == code; });
}

bool same_number(std::string_view a, std::string_view b) {
  const auto x = read_decimal(a);
  const auto y = read_decimal(b);
  return x && y && compare(*x, *y) == 0;
}

bool same_value(const Observation& ours, const std::string& expected) {
  if (expected.empty() || ours.values.empty()) return expected.empty() == ours.values.empty() || expected.empty();
  const Value& value = ours.values.front();
  if (const auto* codes = value.as<Codes>()) return has_code(*codes, expected);
  if (const auto* quantity = value.as<Quantity>()) return same_number(quantity->number.text, expected);
  if (const auto* range = value.as<QuantityRange>()) return range->low && same_number(range->low->text, expected);
  if (const auto* moment = value.as<Moment>()) return expected.starts_with(moment->iso().substr(0, 10));
  return value.text == expected;
}

TEST(ResultsCorpus, values_are_those_of_the_given_bundles) {
  NEEDS_CORPUS();
  std::size_t compared = 0;
  std::map<std::string, std::size_t> equal, different;
  for (const fs::path& path : messages()) {
    fs::path bundle_path;
    for (const std::string_view ending : {".fhir", ".expected.json"}) {
      const fs::path candidate = path.parent_path() / (path.stem().string() + std::string(ending));
      if (fs::exists(candidate)) bundle_path = candidate;
    }
    if (bundle_path.empty()) continue;
    const Interpretation result = testing::interpret_text(bytes_of(path));
    std::vector<const Observation*> ours = all_observations(result);
    dom::parser parser;
    dom::element bundle;
    dom::array entries;
    const simdjson::padded_string json(bytes_of(bundle_path));
    if (parser.parse(json).get(bundle) != simdjson::SUCCESS || bundle["entry"].get(entries) != simdjson::SUCCESS)
      continue;
    for (const dom::element entry : entries) {
      if (text_at(entry, "/resource/resourceType") != "Observation") continue;
      const Line line = expected_line(entry.at_pointer("/resource").value());
      // The first of ours with that code, and that value if there are several.
      const auto by_code = [&](const Observation* o) { return has_code(o->code, line.code); };
      auto found =
          std::ranges::find_if(ours, [&](const Observation* o) { return by_code(o) && same_value(*o, line.value); });
      if (found == ours.end()) found = std::ranges::find_if(ours, by_code);
      if (found == ours.end()) {
        ++different["no such code"];
        std::cout << path.filename() << ' ' << line.code << " (" << line.value << "): not among ours\n";
        continue;
      }
      ++compared;
      const Observation& o = **found;
      ours.erase(found);
      const auto note = [&](const char* what, bool same, const std::string& theirs, std::string_view mine) {
        ++(same ? equal : different)[what];
        if (!same)
          std::cout << path.filename() << ' ' << line.code << ' ' << what << ": theirs " << theirs.substr(0, 60)
                    << ", ours " << mine.substr(0, 60) << '\n';
      };
      note("value", same_value(o, line.value), line.value, o.values.empty() ? "" : o.values[0].text);
      if (!line.unit.empty())
        note("unit", has_code(o.unit->sent, line.unit) || o.unit->text() == line.unit, line.unit, o.unit->text());
      if (!line.range.empty()) note("range", o.ranges.text == line.range, line.range, o.ranges.text);
      if (!line.flag.empty())
        note("flag", !o.flags.empty() && o.flags[0].code == line.flag, line.flag,
             o.flags.empty() ? "" : o.flags[0].code);
      note("status", status_name(o.status->status) == line.status, line.status, status_name(o.status->status));
    }
  }
  std::cout << compared << " observations compared\n";
  for (const auto& [what, count] : equal)
    std::cout << "  " << what << ": " << count << " equal, " << different[what] << " different\n";
  EXPECT_GT(compared, 100U);
  EXPECT_EQ(different["unit"] + different["range"] + different["flag"], 0U);
}

}  // namespace
}  // namespace resultsync::results
