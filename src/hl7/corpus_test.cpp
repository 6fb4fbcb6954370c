// Real messages: every one is read, loses no OBX, survives write and read, and has the groups and values that its
// `.tree.json` says. They stand beside the repository, in ../shared, or where RESULTSYNC_SHARED says.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

#include "hl7/groups.hpp"
#include "hl7/json.hpp"
#include "hl7/reader.hpp"
#include "hl7/writer.hpp"

namespace resultsync::hl7 {
namespace {

namespace fs = std::filesystem;
namespace dom = simdjson::dom;

fs::path corpus() {
  const char* shared = std::getenv("RESULTSYNC_SHARED");
  const fs::path beside = fs::path(__FILE__).parent_path() / ".." / ".." / ".." / "shared";
  return (shared != nullptr ? fs::path(shared) : beside) / "corpus" / "hl7";
}

std::vector<fs::path> files(std::string_view ending) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(corpus())) {
    if (entry.path().string().ends_with(ending)) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string json_of(const Message& message) {
  JsonWriter json;
  json.begin_array();
  for (const Node& node : group(message).nodes) json.string(node.name);
  for (const Segment segment : message.segments()) write_json(segment, json);
  return json.end_array().take();
}

// Lines of the bytes that begin with OBX and the field separator, counted without the reader.
std::size_t obx_lines(const std::string& bytes) {
  std::size_t count = 0;
  for (std::size_t at = bytes.find("OBX|"); at != std::string::npos; at = bytes.find("OBX|", at + 1)) {
    count += at > 0 && (bytes[at - 1] == '\r' || bytes[at - 1] == '\n') ? 1 : 0;
  }
  return count;
}

#define NEEDS_CORPUS() \
  if (!fs::exists(corpus())) GTEST_SKIP() << "skipped: no ../shared"

TEST(Corpus, every_message_is_read_with_all_its_results) {
  NEEDS_CORPUS();
  std::size_t messages = 0;
  for (const fs::path& path : files(".hl7")) {
    const std::string bytes = bytes_of(path);
    const Reading reading = read(bytes);
    ASSERT_EQ(reading.messages().size(), 1U) << path;
    const Message& message = reading.messages().front();
    const Tree tree = group(message);
    EXPECT_TRUE(tree.grouped) << path;
    EXPECT_EQ(tree.observations.size(), obx_lines(bytes)) << path;
    for (const Diagnostic& d : message.diagnostics())
      EXPECT_NE(d.severity(), Severity::error) << path << ' ' << d.code();
    ++messages;
  }
  EXPECT_GE(messages, 72U);
}

TEST(Corpus, what_is_written_reads_the_same) {
  NEEDS_CORPUS();
  for (const fs::path& path : files(".hl7")) {
    const Reading reading = read(bytes_of(path));
    const Reading again = read(write(reading.messages().front()));
    ASSERT_EQ(again.messages().size(), 1U) << path;
    EXPECT_EQ(json_of(again.messages().front()), json_of(reading.messages().front())) << path;
  }
}

// Compares our tree with one that names every part by its data type:
// {"PID":[{"PID.5":[{"XPN.1":[{"FN.1":["Everyman"]}]}]}]}. It keeps the order of equals, and leaves out what is empty.
class TreeComparison {
 public:
  TreeComparison(const Message& message, const Tree& tree) : message_(message), tree_(tree) {}

  void group(std::uint32_t node, dom::object expected, const std::string& where) {
    std::map<std::string, std::vector<std::uint32_t>> ours;
    for (std::uint32_t child = tree_.nodes[node].first_child; child != kNoNode; child = tree_.nodes[child].next) {
      const Node& it = tree_.nodes[child];
      ours[(it.is_group() ? "ORU_R01." : "") + std::string(it.name)].push_back(child);
    }
    for (const auto& [key, values] : expected) {
      const std::string name(key);
      const auto found = ours.find(name);
      if (found == ours.end()) {
        ADD_FAILURE() << where << " lacks " << name;
        continue;
      }
      const dom::array items = values.get_array();
      EXPECT_EQ(found->second.size(), items.size()) << where << '/' << name;
      std::size_t i = 0;
      for (const dom::element item : items) {
        if (i == found->second.size()) break;
        const std::uint32_t child = found->second[i++];
        const std::string place = where + '/' + name + '[' + std::to_string(i) + ']';
        if (tree_.nodes[child].is_group()) {
          group(child, item.get_object(), place);
        } else {
          segment(message_.segment(tree_.nodes[child].segment), item.get_object(), place);
        }
      }
      ours.erase(found);
    }
    for (const auto& [name, nodes] : ours) ADD_FAILURE() << where << " has " << name << " too";
  }

 private:
  static std::size_t number(std::string_view key) {
    return static_cast<std::size_t>(std::stoul(std::string(key.substr(key.rfind('.') + 1))));
  }

  void segment(const Segment& ours, dom::object expected, const std::string& where) {
    std::size_t valued = 0;
    for (const auto& [key, repetitions] : expected) {
      ++valued;
      const Field field = ours.field(static_cast<std::uint32_t>(number(key)));
      std::size_t i = 0;
      for (const dom::element repetition : repetitions.get_array()) {
        part(field.repetition(++i), repetition, where + '/' + std::string(key));
      }
    }
    std::size_t ours_valued = 0;
    for (std::uint32_t n = 1; n <= ours.field_count(); ++n) ours_valued += has_text(ours.field(n)) ? 1 : 0;
    EXPECT_EQ(ours_valued, valued) << where;
  }

  bool has_text(const Field& field) const {
    const Delimiters& d = message_.delimiters();
    const char nothing[] = {d.component, d.repetition, d.subcomponent};
    return field.raw().find_first_not_of(std::string_view(nothing, 3)) != std::string_view::npos ||
           field.position() < 10;  // MSH-2 is nothing but delimiters
  }

  void part(const Repetition& ours, dom::element expected, const std::string& where) {
    // Their model gives a primitive type one component and drops what else the sender wrote.
    if (expected.is_string()) return text(ours.component(1).text(), expected, where);
    for (const auto& [key, values] : expected.get_object().value()) {
      const Component component = ours.component(number(key));
      const dom::element value = values.get_array().at(0);
      if (value.is_string()) {
        text(component.text(), value, where + '/' + std::string(key));
        continue;
      }
      for (const auto& [name, parts] : value.get_object().value()) {
        text(component.subcomponent(number(name)).text(), parts.get_array().at(0), where + '/' + std::string(name));
      }
    }
  }

  // The trees keep the line end of the file's last line as part of its last value, and drop spaces at the beginning of
  // one.
  static void text(std::string_view ours, dom::element expected, const std::string& where) {
    std::string_view wanted = expected.get_string();
    if (wanted.ends_with('\n')) wanted.remove_suffix(1);
    ours.remove_prefix(std::min(ours.find_first_not_of(' '), ours.size()));
    EXPECT_EQ(ours, wanted) << where;
  }

  const Message& message_;
  const Tree& tree_;
};

TEST(Corpus, groups_and_values_are_those_of_the_given_trees) {
  NEEDS_CORPUS();
  std::size_t equal = 0;
  for (const fs::path& path : files(".tree.json")) {
    std::string message_path = path.string();
    message_path.replace(message_path.size() - std::string_view(".tree.json").size(), std::string::npos, ".hl7");
    const Reading reading = read(bytes_of(message_path));
    const Message& message = reading.messages().at(0);
    const Tree tree = group(message);
    dom::parser parser;
    const simdjson::padded_string json(bytes_of(path));
    dom::element expected;
    ASSERT_EQ(parser.parse(json).get(expected), simdjson::SUCCESS) << path;
    TreeComparison(message, tree).group(0, expected["ORU_R01"].get_object(), path.filename());
    equal += HasFailure() ? 0 : 1;
  }
  std::cout << equal << " trees are equal\n";
  EXPECT_GE(equal, 8U);
}

}  // namespace
}  // namespace resultsync::hl7
