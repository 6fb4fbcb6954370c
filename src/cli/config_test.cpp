#include "cli/config.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace resultsync::cli {
namespace {

namespace fs = std::filesystem;

// A folder with a configuration and a secret, removed afterwards.
class Config : public ::testing::Test {
 protected:
  Config() {
    std::string name = (fs::temp_directory_path() / "resultsync-config-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
    write("rupa.secret", "a-secret-of-the-network-0123456789\n");
  }
  ~Config() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  [[nodiscard]] LoadedConfig load(const std::string& text, std::map<std::string, std::string> environment = {},
                                  std::map<std::string, std::string> flags = {}) const {
    write("resultsync.toml", text);
    return load_config({.file = (folder_ / "resultsync.toml").string(),
                        .environment = std::move(environment),
                        .flags = std::move(flags)});
  }
  // Loads the text after a source that is right, and expects exactly one problem, at this line, whose sentence holds
  // `what`.
  void expect_problem(const std::string& text, int line, const std::string& what) const {
    const LoadedConfig loaded = load(text);
    ASSERT_EQ(loaded.problems.size(), 1U) << describe(loaded.problems);
    EXPECT_EQ(loaded.problems[0].where, (folder_ / "resultsync.toml").string() + ":" + std::to_string(line));
    EXPECT_NE(loaded.problems[0].what.find(what), std::string::npos) << loaded.problems[0].what;
    EXPECT_FALSE(loaded.problems[0].cure.empty()) << loaded.problems[0].what;
  }
  static std::string origin_of(const LoadedConfig& loaded, const std::string& key) {
    for (const Setting& setting : loaded.settings) {
      if (setting.key == key) return setting.origin;
    }
    return "(not set)";
  }

  fs::path folder_;
};

const std::string kSource = "[sources.rupa]\nsecrets = [\"file:rupa.secret\"]\n";

TEST_F(Config, the_minimal_configuration_works_as_it_stands) {
  const LoadedConfig loaded = load(std::string(minimal_config()));
  EXPECT_TRUE(loaded.problems.empty()) << describe(loaded.problems);
  EXPECT_EQ(loaded.config.data_dir, (folder_ / "data").string());
  ASSERT_EQ(loaded.config.sources.size(), 1U);
  EXPECT_EQ(loaded.config.sources[0].paths, std::vector<std::string>{"/webhook"});
  EXPECT_EQ(loaded.config.sources[0].keys.all().size(), 1U);
  EXPECT_EQ(loaded.config.limits.body_bytes, 32U << 20U);
}

TEST_F(Config, a_flag_beats_the_environment_beats_the_file_beats_the_default) {
  const std::string text = kSource + "[server]\npublic = \"127.0.0.1:1\"\n";
  EXPECT_EQ(load(kSource).config.public_address, "127.0.0.1:8080");
  EXPECT_EQ(load(text).config.public_address, "127.0.0.1:1");
  EXPECT_EQ(load(text, {{"RESULTSYNC_SERVER_PUBLIC", "127.0.0.1:2"}}).config.public_address, "127.0.0.1:2");
  const LoadedConfig flagged =
      load(text, {{"RESULTSYNC_SERVER_PUBLIC", "127.0.0.1:2"}}, {{"server.public", "127.0.0.1:3"}});
  EXPECT_EQ(flagged.config.public_address, "127.0.0.1:3");
  EXPECT_EQ(origin_of(flagged, "server.public"), "--public");
  EXPECT_EQ(origin_of(load(text), "server.public"), (folder_ / "resultsync.toml").string() + ":4");
  EXPECT_EQ(origin_of(load(text), "server.private"), "default");
}

TEST_F(Config, a_source_can_stand_in_the_environment_alone) {
  const LoadedConfig loaded =
      load_config({.file = {},
                   .environment = {{"RESULTSYNC_SOURCES_RUPA_SECRETS", "file:" + (folder_ / "rupa.secret").string()},
                                   {"RESULTSYNC_SOURCES_RUPA_TOLERANCE", "strict"},
                                   {"RESULTSYNC_SOURCES_RUPA_TOLERANCE_SECONDS", "60"},
                                   {"RESULTSYNC_SOURCES_RUPA_EVENT_TYPES", "order.new_result, order.changed"}},
                   .flags = {}});
  ASSERT_TRUE(loaded.problems.empty()) << describe(loaded.problems);
  ASSERT_EQ(loaded.config.sources.size(), 1U);
  EXPECT_EQ(loaded.config.sources[0].stale_policy, vendors::StalePolicy::kRefuse);
  EXPECT_EQ(loaded.config.sources[0].tolerance, std::chrono::seconds(60));
  EXPECT_EQ(loaded.config.sources[0].result_event_types.size(), 2U);
}

TEST_F(Config, a_variable_that_is_no_setting_is_a_warning) {
  const LoadedConfig loaded = load(kSource, {{"RESULTSYNC_SERVER_PUBLIK", "x"}});
  EXPECT_TRUE(loaded.problems.empty());
  ASSERT_EQ(loaded.warnings.size(), 1U);
  EXPECT_EQ(loaded.warnings[0].where, "RESULTSYNC_SERVER_PUBLIK");
}

TEST_F(Config, each_mistake_is_told_with_its_line) {
  expect_problem(kSource + "[server]\npublik = \"127.0.0.1:1\"\n", 4, "no setting server.publik");
  expect_problem(kSource + "[server]\npublic = 8080\n", 4, "must be a text");
  expect_problem(kSource + "[server]\npublic = \"8080\"\n", 4, "no address");
  expect_problem(kSource + "[server]\npublic = \"127.0.0.1:99999\"\n", 4, "no address");
  expect_problem(kSource + "[server]\nprivate = \"0.0.0.0:8081\"\n", 4, "other machines");
  expect_problem(kSource + "[server]\npublic = \"127.0.0.1:1\"\nprivate = \"127.0.0.1:1\"\n", 5, "same address");
  expect_problem(kSource + "[limits]\nbody = \"many\"\n", 4, "must be a size");
  expect_problem(kSource + "[limits]\nbody = \"33 MiB\"\n", 4, "out of range");
  expect_problem(kSource + "[limits]\nconnections = \"10\"\n", 4, "whole number");
  expect_problem(kSource + "[log]\nlevel = \"loud\"\n", 4, "cannot be \"loud\"");
  expect_problem(kSource + "tolerance_seconds = 0\n", 3, "out of range");
  expect_problem(kSource + "signature = \"md5\"\n", 3, "cannot be \"md5\"");
  expect_problem(kSource + "path = \"webhook\"\n", 3, "is no path");
  expect_problem(kSource + "header = \"not a name\"\n", 3, "source rupa");
  expect_problem("[sources.rupa]\npath = \"/webhook\"\n", 1, "has no secrets");
  expect_problem("[sources.rupa]\nsecrets = [\"file:absent\"]\n", 2, "cannot open");
  expect_problem("[sources.rupa]\nsecrets = [\"credential:x\"]\n", 2, "CREDENTIALS_DIRECTORY");
  expect_problem("[sources.Rupa]\nsecrets = [\"file:rupa.secret\"]\n" + kSource, 1, "cannot be the name of a source");
  expect_problem("[sorces.rupa]\n" + kSource, 1, "no setting sorces");
  expect_problem("server = 1\n" + kSource, 1, "must be a table");
}

TEST_F(Config, two_sources_cannot_have_one_path) {
  const LoadedConfig loaded =
      load(kSource + "path = \"/hook\"\n[sources.other]\npath = \"/hook\"\nsecrets = [\"file:rupa.secret\"]\n");
  ASSERT_EQ(loaded.problems.size(), 1U) << describe(loaded.problems);
  EXPECT_NE(loaded.problems[0].what.find("same path /hook"), std::string::npos);
}

TEST_F(Config, a_literal_secret_is_refused_and_not_repeated) {
  const LoadedConfig loaded = load("[sources.rupa]\nsecrets = [\"whsec_literal0123456789\"]\n");
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(describe(loaded.problems).find("whsec_literal"), std::string::npos);
  for (const Setting& setting : loaded.settings) EXPECT_EQ(setting.value.find("whsec_literal"), std::string::npos);
}

TEST_F(Config, a_secret_loses_one_trailing_newline_and_no_more) {
  write("bare.secret", "a-secret-of-the-network-0123456789");
  write("two.secret", "a-secret-of-the-network-0123456789\n\n");
  const LoadedConfig one = load(kSource);
  const LoadedConfig bare = load("[sources.rupa]\nsecrets = [\"file:bare.secret\"]\n");
  ASSERT_TRUE(one.problems.empty() && bare.problems.empty()) << describe(one.problems) << describe(bare.problems);
  const std::string_view message[] = {"body"};
  const auto signature = bare.config.sources[0].keys.all()[0].sign(message);
  EXPECT_TRUE(one.config.sources[0].keys.all()[0].matches_any(std::vector{*signature}, message));
  expect_problem("[sources.rupa]\nsecrets = [\"file:two.secret\"]\n", 2, "ends with white space");
}

TEST_F(Config, a_remote_private_listener_needs_a_word) {
  const LoadedConfig loaded = load(kSource + "[server]\nprivate = \"0.0.0.0:8081\"\nallow_remote_without_tls = true\n");
  EXPECT_TRUE(loaded.problems.empty()) << describe(loaded.problems);
}

TEST_F(Config, escalations_are_ascending_delays_or_none) {
  using namespace std::chrono_literals;
  EXPECT_TRUE(load(kSource).config.critical.panic_flags.empty());
  const auto panic = load(kSource + "critical_flags = [\"PP\", \"ACME:CRIT\"]\n").config.critical.panic_flags;
  ASSERT_EQ(panic.size(), 1U);
  EXPECT_TRUE(panic.begin()->second.holds("CRIT", "ACME"));
  expect_problem(kSource + "critical_flags = [\"N\"]\n", 3, "flag normal values with");
  using Delays = std::vector<sync::CriticalOptions::Delay>;
  EXPECT_EQ(load(kSource).config.critical.escalate_after, (Delays{15min, 1h, 4h}));
  const LoadedConfig loaded = load(kSource + "[critical]\nescalate_after = [\"90s\", \"2h\"]\n");
  EXPECT_TRUE(loaded.problems.empty()) << describe(loaded.problems);
  EXPECT_EQ(loaded.config.critical.escalate_after, (Delays{90s, 2h}));
  EXPECT_EQ(load(kSource + "[critical]\nescalate_after = []\n").config.critical.escalate_after, Delays{});
  for (const char* wrong :
       {"[\"1h\", \"15m\"]", "[\"1h\", \"1h\"]", "[\"0s\"]", "[\"soon\"]", "[\"31d\"]", "[\"-1h\"]"}) {
    expect_problem(kSource + "[critical]\nescalate_after = " + wrong + "\n", 4, "no list of ascending delays");
  }
  std::string many;
  for (int i = 1; i <= 21; ++i) many += "\"" + std::to_string(i) + "h\",";
  expect_problem(kSource + "[critical]\nescalate_after = [" + many + "]\n", 4, "no list of ascending delays");
}

TEST_F(Config, all_problems_are_told_at_once) {
  const LoadedConfig loaded = load("[server]\npublic = 1\nfoo = 2\n[log]\nlevel = \"x\"\n[limits]\nbody = true\n");
  EXPECT_GE(loaded.problems.size(), 5U) << describe(loaded.problems);
}

TEST_F(Config, what_is_not_toml_is_told_with_its_line) {
  const LoadedConfig loaded = load("[server]\npublic = \n");
  ASSERT_FALSE(loaded.problems.empty());
  EXPECT_NE(loaded.problems[0].where.find("resultsync.toml:2"), std::string::npos) << loaded.problems[0].where;
}

TEST_F(Config, a_missing_file_shows_one_that_works) {
  const LoadedConfig loaded = load_config({.file = (folder_ / "absent.toml").string(), .environment = {}, .flags = {}});
  ASSERT_FALSE(loaded.problems.empty());
  EXPECT_NE(describe(loaded.problems).find("[sources.rupa]"), std::string::npos);
}

TEST(Bytes, sizes_are_read_with_their_units) {
  EXPECT_EQ(parse_bytes("32 MiB"), 32 << 20);
  EXPECT_EQ(parse_bytes("1GB"), 1'000'000'000);
  EXPECT_EQ(parse_bytes("512"), 512);
  for (const char* bad : {"", "MiB", "1 Mib", "-1", "1.5 MiB", "1 MiB x", "99999999999 GiB"})
    EXPECT_FALSE(parse_bytes(bad)) << bad;
}

const std::string kGeneric =
    "[sources.newlab]\nvendor = \"generic\"\nsecrets = [\"file:lab.secret\"]\n"
    "pointer_order = \"/data/order\"\npointer_clinic = \"/data/clinic\"\n";

TEST_F(Config, a_network_without_code_has_the_defaults_of_standard_webhooks) {
  write("lab.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  const LoadedConfig loaded = load(kGeneric);
  ASSERT_TRUE(loaded.problems.empty()) << describe(loaded.problems);
  const vendors::Source& source = loaded.config.sources.at(0);
  EXPECT_EQ(source.scheme.name, "standard-webhooks");
  EXPECT_EQ(source.result_event_types, std::vector<std::string>{"*"});
  EXPECT_EQ(source.pointers.type, "/type");
  EXPECT_EQ(source.pointers.order, "/data/order");
  EXPECT_FALSE(source.pointers.id);
  EXPECT_FALSE(source.pointers.tests) << "not set is another thing than empty, which is the whole body";
  const LoadedConfig whole = load(kGeneric + "pointer_tests = \"\"\npointer_pdf = \"/pdf\"\n");
  EXPECT_EQ(whole.config.sources.at(0).pointers.tests, "");
}

TEST_F(Config, a_pointer_that_is_none_is_explained) {
  write("lab.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  expect_problem(kGeneric + "pointer_status = \"data.status\"\n", 6, "begins with a slash");
  expect_problem(kGeneric + "pointer_pdf = \"/pdf\"\n", 6, "no pointer_tests says where those are");
  expect_problem(kSource + "pointer_order = \"/data/order\"\n", 3, "is for sources with vendor = \"generic\"");
  const std::string without = "[sources.newlab]\nvendor = \"generic\"\nsecrets = [\"file:lab.secret\"]\n";
  expect_problem(without + "pointer_clinic = \"/c\"\n", 1, "where its bodies have the order's id");
  expect_problem(without + "pointer_order = \"/o\"\n", 1, "neither where the clinic's id stands");
}

TEST_F(Config, a_network_whose_events_have_no_id_is_warned_of) {
  const LoadedConfig loaded = load(
      "[sources.newlab]\nvendor = \"generic\"\nsignature = \"hex-body\"\nsecrets = [\"file:rupa.secret\"]\n"
      "pointer_order = \"/o\"\npointer_clinic = \"/c\"\n");
  ASSERT_TRUE(loaded.problems.empty()) << describe(loaded.problems);
  ASSERT_EQ(loaded.warnings.size(), 1U);
  EXPECT_TRUE(loaded.warnings[0].what.contains("has no event id")) << loaded.warnings[0].what;
}

TEST_F(Config, fullscript_is_a_set_of_defaults_and_its_challenge_is_read_from_a_file) {
  write("challenge.secret", "a-\"token\"\n");
  write("client.secret", "client-secret-0123456789\n");
  const std::string text =
      "[sources.fullscript]\nvendor = \"fullscript\"\nsecrets = [\"file:rupa.secret\"]\nchallenge = "
      "\"file:challenge.secret\"\napi = \"https://api.example.com\"\nclient_id = \"id\"\nclient_secret = "
      "\"file:client.secret\"\n";
  const LoadedConfig loaded = load(text);
  ASSERT_TRUE(loaded.problems.empty()) << describe(loaded.problems);
  EXPECT_TRUE(loaded.warnings.empty()) << describe(loaded.warnings);
  const vendors::Source& source = loaded.config.sources.at(0);
  EXPECT_EQ(source.scheme.name, "fullscript");
  EXPECT_EQ(source.result_event_types, std::vector<std::string>{"lab_order.updated"});
  EXPECT_EQ(source.acknowledgement, R"({"challenge":"a-\"token\""})");
  EXPECT_FALSE(source.answers_empty);
  const network::SourceSettings& api = loaded.config.network.sources.at(0);
  EXPECT_EQ(api.order_form, network::OrderForm::kFullscript);
  EXPECT_EQ(api.token_form, network::TokenRequestForm::kJson);
  EXPECT_EQ(api.client_authentication, network::ClientAuthentication::kBody);
  EXPECT_TRUE(api.refresh_redirect_uri);
  EXPECT_FALSE(api.pkce);
  EXPECT_EQ(api.order_path, "/api/clinic/labs/orders/{id}");
  EXPECT_TRUE(api.practitioner_path.empty());
  for (const Setting& setting : loaded.settings) EXPECT_EQ(setting.value.find("a-"), std::string::npos) << setting.key;
  EXPECT_EQ(load(text + "pkce = true\norder_path = \"/v2/{id}\"\n").config.network.sources.at(0).order_path, "/v2/{id}")
      << "a default can be set otherwise";
}

TEST_F(Config, each_value_is_shown_as_it_is_with_where_it_comes_from) {
  write("client.secret", "client-secret-0123456789\n");
  const std::string end =
      "secrets = [\"file:rupa.secret\"]\napi = \"https://api.example.com/v2\"\nclient_id = \"id\"\nclient_secret = "
      "\"file:client.secret\"\n";
  const auto shown = [](const LoadedConfig& loaded, const std::string& key) {
    for (const Setting& setting : loaded.settings) {
      if (setting.key == key) return setting.value + " (" + setting.origin + ")";
    }
    return std::string("(not set)");
  };
  const LoadedConfig fullscript = load("[sources.fs]\nvendor = \"fullscript\"\n" + end);
  EXPECT_EQ(shown(fullscript, "sources.fs.me_path"), "\"/api/clinic\" (default of vendor fullscript)");
  EXPECT_EQ(shown(fullscript, "sources.fs.token_seconds"), "7200 (default of vendor fullscript)");
  EXPECT_EQ(shown(fullscript, "sources.fs.pkce"), "false (default of vendor fullscript)");
  EXPECT_EQ(shown(fullscript, "sources.fs.event_types"), "[\"lab_order.updated\"] (default of vendor fullscript)");
  EXPECT_TRUE(shown(fullscript, "sources.fs.other_event_types").starts_with("[\"order.placed\", "));
  EXPECT_EQ(shown(fullscript, "sources.fs.page_size"), "100 (default)") << "as for every vendor";
  EXPECT_EQ(shown(fullscript, "sources.fs.document_hosts"), "[\"api.example.com\"] (default: the host of api)");
  const LoadedConfig rupa = load("[sources.rupa]\ndocument_hosts = [\"files.example.com\"]\n" + end);
  EXPECT_EQ(shown(rupa, "sources.rupa.me_path"), "\"/practitioners/me\" (default)");
  EXPECT_TRUE(shown(rupa, "sources.rupa.document_hosts").starts_with("[\"files.example.com\"] ("));
  EXPECT_TRUE(rupa.config.network.sources.at(0).document_hosts == std::vector<std::string>{"files.example.com"});
  EXPECT_TRUE(fullscript.config.network.sources.at(0).document_hosts.empty());
}

TEST_F(Config, what_fullscript_cannot_do_without_is_told) {
  const std::string bare = "[sources.fullscript]\nvendor = \"fullscript\"\nsecrets = [\"file:rupa.secret\"]\n";
  const LoadedConfig loaded = load(bare);
  ASSERT_TRUE(loaded.problems.empty()) << describe(loaded.problems);
  EXPECT_EQ(loaded.warnings.size(), 2U) << describe(loaded.warnings);
  expect_problem(bare + "challenge = \"a-literal-token\"\n", 4, "must not stand in the configuration");
  expect_problem(bare + "challenge = \"file:absent.secret\"\n", 4, "challenge");
  expect_problem(bare + "challenge_unsigned = true\n", 4, "has no challenge to answer with");
  for (const Setting& setting : load(bare + "challenge = \"a-literal-token\"\n").settings)
    EXPECT_EQ(setting.value.find("a-literal"), std::string::npos);
}

}  // namespace
}  // namespace resultsync::cli
