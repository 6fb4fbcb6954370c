// Every setting there is, as one table: the configuration, `check-config --settings` and docs/reference/config.md say
// the same.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace resultsync::cli {

// What may be set, and what it means.
struct SettingKind {
  enum class Form { kText, kAddress, kPath, kBytes, kCount, kBoolean, kChoice, kList };
  std::string_view key;  // "server.public"; a `*` stands for the name of a source
  Form form;
  std::string_view fallback;  // the default, as text; empty: none, or it depends on other settings
  std::string_view meaning;
  std::string_view choices = {};  // kChoice: "flag|strict"
  static constexpr std::int64_t kNoLimit = 1'000'000'000;
  std::int64_t least = 0;        // kCount
  std::int64_t most = kNoLimit;  // kCount, kBytes
};
std::span<const SettingKind> setting_kinds();

// What a setting of a source is by default where its vendor is known to differ from the table: key "signature" of
// "generic". Nothing: the table's default.
std::optional<std::string_view> vendor_default(std::string_view vendor, std::string_view key);

// "32 MiB", "1GB", "512": bytes. Nothing for anything else.
std::optional<std::int64_t> parse_bytes(std::string_view text);

}  // namespace resultsync::cli
