#include "store/document_bytes.hpp"

#include "store/log/codec.hpp"

namespace resultsync::store {

std::string seal_document(const runtime::Vault& vault, std::string bytes) {
  const Sha256 name = sha256(bytes);
  log::Encoded encoded = log::compress_with(log::Codec::kZstd, std::move(bytes));
  encoded.bytes.insert(encoded.bytes.begin(), static_cast<char>(encoded.codec));
  return vault.seal(name.hex(), encoded.bytes);
}

Result<std::string> open_document(const runtime::Vault& vault, const Sha256& name, std::string_view sealed) {
  auto opened = vault.open(name.hex(), sealed);
  if (!opened) return forward_error(std::move(opened));
  if (opened->empty()) return fail("bad_compression", "a document's codec is missing");
  const auto codec = static_cast<log::Codec>(opened->front());
  auto bytes = log::decompress(codec, opened->substr(1));
  if (!bytes) return forward_error(std::move(bytes));
  if (sha256(*bytes) != name) return fail("bad_document", "a document's bytes are not those of its digest");
  return std::move(*bytes);
}

}  // namespace resultsync::store
