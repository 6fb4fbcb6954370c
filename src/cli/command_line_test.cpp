#include "cli/command_line.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "cli/table.hpp"

namespace resultsync::cli {
namespace {

struct Outcome {
  ExitCode code;
  std::string out;
  std::string talk;
};
Outcome run(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream talk;
  Terminal terminal(out, talk);
  const ExitCode code = run_command_line(arguments, terminal);
  return {code, out.str(), talk.str()};
}

TEST(CommandLine, every_command_has_help_and_every_option_an_explanation) {
  for (const CommandEntry& entry : commands()) {
    std::vector<std::string> words;
    std::istringstream name{std::string(entry.name)};
    for (std::string word; name >> word;) words.push_back(word);
    words.emplace_back("--help");
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, ExitCode::kOk) << entry.name;
    EXPECT_NE(outcome.out.find("Usage: resultsync " + std::string(entry.name)), std::string::npos) << outcome.out;
    EXPECT_EQ(outcome.out.find("] (required)"), std::string::npos) << "a default that nobody gets: " << outcome.out;
    Options options;
    const auto command = entry.make();
    command->declare(options);
    std::set<std::string> names;
    for (const Option& option : options.all()) {
      EXPECT_FALSE(option.help.empty()) << entry.name << " " << option.names;
      for (const std::string& one : option.each_name())
        EXPECT_TRUE(names.insert(one).second) << entry.name << ": " << one << " twice";
      EXPECT_NE(outcome.out.find(option.each_name().back()), std::string::npos) << entry.name << " " << option.names;
    }
  }
}

TEST(CommandLine, a_wrong_command_line_answers_2_and_says_what_is_meant) {
  const Outcome command = run({"evnts"});
  EXPECT_EQ(command.code, ExitCode::kUsage);
  EXPECT_NE(command.talk.find("did you mean events?"), std::string::npos) << command.talk;
  const Outcome option = run({"status", "--nonsense"});
  EXPECT_EQ(option.code, ExitCode::kUsage);
  EXPECT_NE(option.talk.find("no option --nonsense"), std::string::npos) << option.talk;
  EXPECT_EQ(run({"events", "gte", "x"}).code, ExitCode::kUsage);
  EXPECT_EQ(run({"connect", "anna"}).code, ExitCode::kUsage);
  EXPECT_EQ(run({"status", "-o", "yaml"}).code, ExitCode::kUsage);
  EXPECT_EQ(run({"trigger", "--count", "-1"}).code, ExitCode::kUsage);
  EXPECT_EQ(run({"trigger", "--duplicates", "2"}).code, ExitCode::kUsage);
  EXPECT_EQ(run({"trigger", "--count", "x"}).code, ExitCode::kUsage);
}

TEST(CommandLine, without_a_command_it_lists_them) {
  const Outcome outcome = run({});
  EXPECT_EQ(outcome.code, ExitCode::kOk);
  EXPECT_NE(outcome.talk.find("demo"), std::string::npos);
  EXPECT_EQ(run({"--version"}).out, run({"version"}).out);
}

TEST(CommandLine, the_list_has_every_command_and_each_section_once) {
  const auto list = run({"help"});
  for (const CommandEntry& entry : commands()) {
    if (entry.hidden) continue;
    EXPECT_NE(list.out.find("\n  " + std::string(entry.name) + " "), std::string::npos)
        << entry.name << " is not listed";
    const std::string title = "\n" + std::string(title_of(entry.section)) + "\n";
    EXPECT_EQ(list.out.find(title), list.out.rfind(title)) << "commands of one section stand apart: " << title;
  }
}

TEST(CommandLine, a_client_without_a_server_says_how_to_start_one) {
  const Outcome outcome = run({"status", "--data-dir", "/nonexistent-data-dir"});
  EXPECT_EQ(outcome.code, ExitCode::kUnavailable);
  EXPECT_NE(outcome.talk.find("resultsync serve --config"), std::string::npos) << outcome.talk;
}

TEST(CommandLine, completions_offer_every_command_and_option) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Outcome outcome = run({"completion", shell});
    EXPECT_EQ(outcome.code, ExitCode::kOk);
    for (const CommandEntry& entry : commands()) {
      if (entry.hidden) continue;
      EXPECT_NE(outcome.out.find(entry.name.substr(entry.name.rfind(' ') + 1)), std::string::npos)
          << shell << " " << entry.name;
    }
    EXPECT_NE(outcome.out.find("secret-file"), std::string::npos) << shell;
  }
  EXPECT_EQ(run({"completion", "tcsh"}).code, ExitCode::kUsage);
}

// A folder of its own with files in it.
class Signing : public ::testing::Test {
 protected:
  Signing() {
    std::string name = (std::filesystem::temp_directory_path() / "resultsync-sign-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
    std::ofstream(folder_ / "body") << R"({"id":"evt_1"})";
    std::ofstream(folder_ / "other") << R"({"id":"evt_2"})";
    std::ofstream(folder_ / "secret") << "a-secret-of-the-network-0123456789\n";
  }
  ~Signing() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }
  std::filesystem::path folder_;
};

TEST_F(Signing, what_is_signed_verifies_under_every_scheme) {
  for (const char* scheme :
       {"t-v1", "fullscript", "standard-webhooks", "svix", "stripe", "github", "hex-body", "base64-body", "terra"}) {
    const bool standard = std::string_view(scheme).starts_with("s") && std::string_view(scheme) != "stripe";
    if (standard)
      std::ofstream(folder_ / "secret") << "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    else
      std::ofstream(folder_ / "secret") << "a-secret-of-the-network-0123456789\n";
    const Outcome signed_ = run({"sign", path("body"), "--secret-file", path("secret"), "--signature", scheme});
    ASSERT_EQ(signed_.code, ExitCode::kOk) << scheme << signed_.talk;
    for (const bool right : {true, false}) {
      std::vector<std::string> arguments = {
          "verify-signature", path(right ? "body" : "other"), "--secret-file", path("secret"), "--signature", scheme};
      std::istringstream lines(signed_.out);
      for (std::string line; std::getline(lines, line);) {
        arguments.emplace_back("-H");
        arguments.push_back(line);
      }
      const Outcome verified = run(arguments);
      EXPECT_EQ(verified.code, right ? ExitCode::kOk : ExitCode::kVerificationFailed) << scheme << verified.talk;
      if (!right) EXPECT_NE(verified.out.find("signature_mismatch"), std::string::npos) << scheme << verified.out;
    }
  }
}

TEST_F(Signing, an_old_signature_is_told_apart_from_a_wrong_one) {
  const Outcome signed_ =
      run({"sign", path("body"), "--secret-file", path("secret"), "--time", "2021-01-01T00:00:00Z"});
  std::string header = signed_.out;
  header.pop_back();
  const Outcome late = run({"verify-signature", path("body"), "--secret-file", path("secret"), "-H", header});
  EXPECT_EQ(late.code, ExitCode::kVerificationFailed);
  EXPECT_NE(late.out.find("timestamp_too_old"), std::string::npos) << late.out;
  const Outcome then = run({"verify-signature", path("body"), "--secret-file", path("secret"), "-H", header, "--at",
                            "2021-01-01T00:01:00Z"});
  EXPECT_EQ(then.code, ExitCode::kOk) << then.talk;
}

TEST_F(Signing, mistakes_are_told) {
  EXPECT_EQ(run({"sign", path("body")}).code, ExitCode::kConfig);
  EXPECT_EQ(run({"sign", path("absent"), "--secret-file", path("secret")}).code, ExitCode::kNotFound);
  EXPECT_EQ(run({"verify-signature", path("body"), "--secret-file", path("secret"), "-H", "no colon"}).code,
            ExitCode::kUsage);
  EXPECT_EQ(run({"sign", path("body"), "--secret-file", path("secret"), "--time", "yesterday"}).code, ExitCode::kUsage);
}

TEST(Table, columns_are_aligned_and_an_empty_one_says_what_to_do) {
  std::ostringstream out;
  std::ostringstream talk;
  const Terminal terminal(out, talk);
  Table table({{"NAME"}, {"COUNT", Column::Side::kRight}, {"NOTE"}}, "Nothing yet. Do something.");
  table.print(terminal);
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(talk.str(), "Nothing yet. Do something.\n");
  table.add({"zoë", "7", ""});
  table.add({"b", "1234567", "two"});
  table.print(terminal);
  EXPECT_EQ(out.str(),
            "NAME    COUNT  NOTE\n"
            "zoë         7  -\n"
            "b     1234567  two\n");
}

TEST(Table, text_from_outside_cannot_command_a_terminal) {
  EXPECT_EQ(printable("a\x1b[2Jb\r\n\t"), "a\\x1b[2Jb\\x0d\\x0a\\x09");
  EXPECT_EQ(printable("\u202eevil"), "\\u202eevil");
  EXPECT_EQ(printable("\xff"), "\uFFFD");
  EXPECT_EQ(display_width("zoë"), 3U);
  EXPECT_EQ(display_width("日本"), 4U);
}

}  // namespace
}  // namespace resultsync::cli
