#include "cli/exit_code.hpp"

#include <algorithm>

namespace resultsync::cli {

ExitCode exit_code_of(const Error& error) {
  struct Row {
    std::string_view code;
    ExitCode exit;
  };
  constexpr Row kRows[] = {
      {"usage", ExitCode::kUsage},
      {"bad_url", ExitCode::kUsage},
      {"not_found", ExitCode::kNotFound},
      {"permission_denied", ExitCode::kAuth},
      {"unauthorized", ExitCode::kAuth},
      {"key_file_exposed", ExitCode::kAuth},
      {"conflict", ExitCode::kConflict},
      {"locked", ExitCode::kConflict},
      {"address_in_use", ExitCode::kConflict},
      {"newer_format", ExitCode::kConflict},
      {"no_server", ExitCode::kUnavailable},
      {"unavailable", ExitCode::kUnavailable},
      {"connect_failed", ExitCode::kUnavailable},
      {"timeout", ExitCode::kUnavailable},
      {"connection_lost", ExitCode::kUnavailable},
      {"tls_failed", ExitCode::kUnavailable},
      {"verification_failed", ExitCode::kVerificationFailed},
      {"corrupt_record", ExitCode::kVerificationFailed},
      {"missing_segment", ExitCode::kVerificationFailed},
      {"corrupt_views", ExitCode::kVerificationFailed},
      {"store_failed", ExitCode::kStoreFailure},
      {"bad_config", ExitCode::kConfig},
      {"no_secrets", ExitCode::kConfig},
      {"bad_certificate", ExitCode::kConfig},
      {"bad_ca_file", ExitCode::kConfig},
  };
  const auto* row = std::ranges::find(kRows, error.code, &Row::code);
  return row == std::ranges::end(kRows) ? ExitCode::kFailure : row->exit;
}

}  // namespace resultsync::cli
