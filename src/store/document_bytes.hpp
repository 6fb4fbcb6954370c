// A document's bytes as they stand in the views: one byte that names the codec, zstd (where it gains anything), sealed
// under the document's SHA-256. Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "runtime/vault.hpp"

namespace resultsync::store {

std::string seal_document(const runtime::Vault& vault, std::string bytes);
// Errors: `bad_seal`, `bad_compression`, `bad_document` (the bytes are not those of the digest).
Result<std::string> open_document(const runtime::Vault& vault, const Sha256& sha256, std::string_view sealed);

}  // namespace resultsync::store
