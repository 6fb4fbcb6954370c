#include "cli/store_on_disk.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "base/encoding.hpp"
#include "runtime/file.hpp"
#include "runtime/random.hpp"

namespace resultsync::cli {
namespace {
constexpr std::size_t kKeyBytes = 32;
}

std::string master_key_path(const std::string& data_dir) {
  return (std::filesystem::path(data_dir) / "master.key").string();
}

std::string audit_key_path(const std::string& data_dir) {
  return (std::filesystem::path(data_dir) / "audit.key").string();
}
std::string audit_checkpoints_path(const std::string& data_dir) {
  return (std::filesystem::path(data_dir) / "audit.checkpoints").string();
}

std::string receipts_path(const std::string& data_dir) {
  return (std::filesystem::path(data_dir) / "deliveries.receipts").string();
}

Result<void> append_line(const std::string& path, const std::string& line) {
  auto file = runtime::File::open_read_write(path);
  if (!file && file.error().code == "not_found") file = runtime::File::create_new(path, 0600);
  if (!file) return forward_error(std::move(file));
  const auto size = file->size();
  if (!size) return std::unexpected(size.error());
  if (auto written = file->write_at(*size, line + "\n"); !written) return written;
  return file->sync_data();
}

Result<Secret<std::string>> load_or_create_admin_key(const std::string& path) {
  auto text = runtime::read_file(path, 4096);
  if (!text && text.error().code != "not_found") return forward_error(std::move(text));
  if (!text) {
    Secret<std::string> key(encode_base64url(runtime::random_bytes(kKeyBytes)));
    if (auto written = runtime::write_file_durably(path, key.reveal(), 0600); !written)
      return forward_error(std::move(written));
    return key;
  }
  if (text->ends_with('\n')) text->pop_back();
  const auto bytes = decode_base64url(*text);
  if (!bytes || bytes->size() < 16) {
    return fail("bad_admin_key", fmt::format("{} holds no admin key", path),
                "delete it to have a new one made at the next start; the old one is void then");
  }
  return Secret<std::string>(std::move(*text));
}

}  // namespace resultsync::cli
