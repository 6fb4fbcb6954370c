// What the process answers to whoever started it. Documented in docs/reference/cli.md and in every man page; scripts
// rely on them.
#pragma once

#include <array>
#include <string_view>

#include "base/result.hpp"

namespace resultsync::cli {

enum class ExitCode : int {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,
  kNotFound = 3,
  kAuth = 4,
  kConflict = 5,
  kUnavailable = 6,
  kVerificationFailed = 7,
  kStoreFailure = 74,  // EX_IOERR of sysexits.h
  kConfig = 78,        // EX_CONFIG of sysexits.h
};

struct ExitCodeMeaning {
  ExitCode code;
  std::string_view meaning;
};
inline constexpr std::array<ExitCodeMeaning, 10> kExitCodes = {{
    {ExitCode::kOk, "done"},
    {ExitCode::kFailure, "failed for a reason that has no code of its own"},
    {ExitCode::kUsage, "the command line is wrong"},
    {ExitCode::kNotFound, "what was asked for does not exist"},
    {ExitCode::kAuth, "the server refused the key, or a file may not be read"},
    {ExitCode::kConflict,
     "it contradicts what is there already (an address or a data directory in use, a newer store, a settled clinic)"},
    {ExitCode::kUnavailable, "no server answers, or it is overloaded or not ready"},
    {ExitCode::kVerificationFailed, "a signature, the log or the views are not what they should be"},
    {ExitCode::kStoreFailure,
     "the server stopped because its store failed; nothing was acknowledged that is not durable"},
    {ExitCode::kConfig, "the configuration is wrong"},
}};

// The exit code that an error's code stands for; kFailure where it stands for none.
ExitCode exit_code_of(const Error& error);

}  // namespace resultsync::cli
