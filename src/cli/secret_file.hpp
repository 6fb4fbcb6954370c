// Where a secret stands, and reading it. Secrets never stand in a configuration, an argument or a variable themselves.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace resultsync::cli {

// `file:PATH`, relative to `folder`, or `credential:NAME` of $CREDENTIALS_DIRECTORY: the path of the file. The error
// never repeats what was written: it may be the secret itself. Errors: `literal_secret`, `no_credentials`,
// `bad_credential_name`.
Result<std::string> resolve_secret_place(std::string_view place, const std::string& folder);

// The file's content without one trailing newline. Errors: `secret_empty`, and those of runtime::read_file().
Result<Secret<std::string>> read_secret_file(const std::string& path);

}  // namespace resultsync::cli
