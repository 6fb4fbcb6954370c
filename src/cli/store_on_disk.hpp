// What a data directory holds, and where: <data_dir>/{log/, views.db, audit.db, master.key, admin.key, audit.key,
// audit.checkpoints, deliveries.receipts, server.json, lock}.
#pragma once

#include <string>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace resultsync::cli {

std::string master_key_path(const std::string& data_dir);
std::string audit_key_path(const std::string& data_dir);          // the seed that signs the audit log's checkpoints
std::string audit_checkpoints_path(const std::string& data_dir);  // those checkpoints, one a line
std::string receipts_path(const std::string& data_dir);           // see delivery/receipts.hpp

// Adds a line to the end of the file, durably; makes the file (mode 0600) where there is none.
Result<void> append_line(const std::string& path, const std::string& line);

// The admin key of the API: 32 random bytes as base64url, and nothing else in the file (mode 0600). Made and durable
// before this returns where there was none. Errors: `bad_admin_key` (the file holds something else), and those of
// files.
Result<Secret<std::string>> load_or_create_admin_key(const std::string& path);

}  // namespace resultsync::cli
