#include "vendors/signature_scheme.hpp"

#include <gtest/gtest.h>

#include <set>

#include "vendors/network.hpp"

namespace resultsync::vendors {
namespace {

SignatureScheme preset(std::string_view name) {
  return signature_preset(name).value();
}

std::string code_of(const Result<SignatureScheme>& result) {
  return result ? "fine" : std::string(result.error().code);
}
std::string code_of(const Result<void>& result) {
  return result ? "fine" : std::string(result.error().code);
}

TEST(SignatureScheme, every_preset_holds_together_and_has_a_name_of_its_own) {
  std::set<std::string> names;
  for (const SignatureScheme& scheme : signature_presets()) {
    EXPECT_EQ(code_of(check_scheme(scheme)), "fine") << scheme.name;
    EXPECT_TRUE(names.insert(scheme.name).second) << scheme.name;
    EXPECT_FALSE(scheme.summary.empty()) << scheme.name;
  }
}

TEST(SignatureScheme, an_unknown_name_is_answered_with_the_known_ones) {
  const auto unknown = signature_preset("md5");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, "unknown_scheme");
  EXPECT_TRUE(unknown.error().cause.contains("standard-webhooks")) << unknown.error().cause;
}

TEST(SignatureScheme, a_configured_header_name_replaces_those_of_the_preset) {
  const auto renamed =
      with_header_names(preset("svix"), {.signature = "X-Lab-Signature", .timestamp = {}, .id = {}}).value();
  ASSERT_EQ(renamed.headers.size(), 1U);
  EXPECT_EQ(renamed.headers.front().signature, "X-Lab-Signature");
  EXPECT_EQ(renamed.headers.front().id, "svix-id");
  EXPECT_EQ(with_header_names(preset("terra"), {}).value().headers.size(), 2U) << "nothing configured, nothing changed";
}

TEST(SignatureScheme, header_names_that_make_no_sense_are_refused) {
  const auto code = [](std::string_view name, const HeaderNames& names) {
    return code_of(with_header_names(preset(name), names));
  };
  EXPECT_EQ(code("t-v1", {.signature = "", .timestamp = {}, .id = {}}), "bad_header_name");
  EXPECT_EQ(code("t-v1", {.signature = "Two Words", .timestamp = {}, .id = {}}), "bad_header_name");
  EXPECT_EQ(code("t-v1", {.signature = "A\r\nB", .timestamp = {}, .id = {}}), "bad_header_name");
  EXPECT_EQ(code("t-v1", {.signature = {}, .timestamp = "X-Time", .id = {}}), "bad_header_name")
      << "it reads no such header";
  EXPECT_EQ(code("github", {.signature = {}, .timestamp = {}, .id = "X-Id"}), "bad_header_name");
  EXPECT_EQ(code("standard-webhooks", {.signature = "Webhook-ID", .timestamp = {}, .id = {}}), "ambiguous_scheme");
}

TEST(SignatureScheme, what_is_signed_can_be_taken_apart_in_one_way_only) {
  const auto code = [](std::string content) {
    SignatureScheme scheme = preset("standard-webhooks");
    scheme.signed_content = std::move(content);
    return code_of(check_scheme(scheme));
  };
  EXPECT_EQ(code("{id}.{t}.{body}"), "fine");
  EXPECT_EQ(code("v0:{id}.{t}.{body}"), "fine");
  for (const std::string content : {"", "{id}", "{body}{t}.", "{id}{t}.{body}", "{t}{body}", "{id}.{id}.{t}.{body}",
                                    "{url}.{body}", "{id}.{t}.{body", "{body}.{body}"}) {
    EXPECT_EQ(code(content), "bad_scheme") << content;
  }
}

TEST(SignatureScheme, parts_that_do_not_fit_together_are_refused) {
  SignatureScheme unsigned_time = preset("stripe");
  unsigned_time.signed_content = "{body}";
  EXPECT_EQ(code_of(check_scheme(unsigned_time)), "bad_scheme");

  SignatureScheme no_prefix = preset("github");
  no_prefix.prefix.clear();
  EXPECT_EQ(code_of(check_scheme(no_prefix)), "bad_scheme");

  SignatureScheme no_version = preset("stripe");
  no_version.versions.clear();
  EXPECT_EQ(code_of(check_scheme(no_version)), "bad_scheme");

  SignatureScheme version_t = preset("stripe");
  version_t.versions = {{.tag = "t"}};
  EXPECT_EQ(code_of(check_scheme(version_t)), "bad_scheme");
}

Source source(std::string id, std::vector<std::string> paths) {
  Source made;
  made.id = SourceId(std::move(id));
  made.paths = std::move(paths);
  return made;
}

TEST(Sources, are_found_by_their_paths_and_by_their_names) {
  const std::vector<Source> sources{source("rupa", {"/webhook"}), source("fullscript", {})};
  ASSERT_EQ(code_of(check_sources(sources)), "fine");
  EXPECT_EQ(source_at(sources, "/webhook"), &sources[0]);
  EXPECT_EQ(source_at(sources, "/webhooks/rupa"), &sources[0]);
  EXPECT_EQ(source_at(sources, "/webhooks/fullscript"), &sources[1]);
  for (const char* path :
       {"/", "", "/webhooks/", "/webhooks/other", "/webhook/", "/webhooks/rupa/x", "webhook", "/WEBHOOK"}) {
    EXPECT_EQ(source_at(sources, path), nullptr) << path;
  }
}

TEST(Sources, that_would_get_in_each_others_way_are_refused) {
  EXPECT_EQ(code_of(check_sources({})), "no_sources");
  EXPECT_EQ(code_of(check_sources({source("Rupa Health", {})})), "bad_source_id");
  EXPECT_EQ(code_of(check_sources({source("rupa", {"webhook"})})), "bad_path");
  EXPECT_EQ(code_of(check_sources({source("rupa", {}), source("rupa", {})})), "duplicate_source");
  EXPECT_EQ(code_of(check_sources({source("a", {"/webhook"}), source("b", {"/webhook"})})), "duplicate_path");
  EXPECT_EQ(code_of(check_sources({source("a", {"/webhooks/b"}), source("b", {})})), "duplicate_source");
  EXPECT_EQ(code_of(check_sources({source("a", {"/webhooks/a"})})), "fine") << "its own path, said twice";
}

}  // namespace
}  // namespace resultsync::vendors
