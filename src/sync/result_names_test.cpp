#include "sync/result_names.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fhir/fhir.hpp"
#include "results/result_file.hpp"

namespace resultsync::sync {
namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What a search could match and the index would not find.
std::vector<std::string> missing(const std::string& text) {
  const auto file = results::read_result_file(text);
  const ResultNames names = names_in(file.content);
  fhir::Context context;
  context.id_prefix = "t1";
  std::vector<std::string> gaps;
  for (const fhir::Resource& resource : fhir::convert(file.content, context)) {
    const std::string where(fhir::type_name(resource.type));
    for (const fhir::Token& token : resource.codes) {
      if (!std::ranges::binary_search(names.codes, token.code, std::less<>{}))
        gaps.push_back(where + " code " + std::string(token.code));
    }
    const bool people = resource.type == fhir::Type::practitioner || resource.type == fhir::Type::organization ||
                        resource.type == fhir::Type::practitioner_role ||
                        resource.type == fhir::Type::document_reference;
    for (const fhir::Token& token : resource.identifiers) {
      if (!people && !std::ranges::binary_search(names.identifiers, token.code, std::less<>{}))
        gaps.push_back(where + " identifier " + std::string(token.code));
    }
    const bool dated = resource.type == fhir::Type::observation || resource.type == fhir::Type::diagnostic_report;
    if (dated && resource.date && (names.taken.from > resource.date->from || names.taken.to < resource.date->to))
      gaps.push_back(where + " date");
  }
  return gaps;
}

TEST(ResultNames, hold_whatever_a_fhir_search_can_match) {
  // Tests run somewhere within the tree.
  auto root = std::filesystem::current_path();
  while (root.has_relative_path() && !std::filesystem::exists(root / "tests/fhir/messages")) root = root.parent_path();
  const auto folder = root / "tests/fhir/messages";
  std::size_t messages = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".hl7") continue;
    ++messages;
    const auto gaps = missing(bytes_of(entry.path()));
    EXPECT_TRUE(gaps.empty()) << entry.path().filename() << ": " << (gaps.empty() ? "" : gaps.front());
  }
  EXPECT_GT(messages, 5U);
}

TEST(ResultNames, are_bounded) {
  std::string text = "MSH|^~\\&|LAB|LAB|||20260101||ORU^R01|1|P|2.5.1\rOBR|1|P1|F1|X^Panel^L\r";
  for (std::size_t i = 0; i <= kIndexCodesMax; ++i) text += "OBX|1|NM|C" + std::to_string(i) + "^c^L||1\r";
  EXPECT_EQ(names_in(results::read_result_file(text).content).codes.size(), kIndexCodesMax);
}

}  // namespace
}  // namespace resultsync::sync
