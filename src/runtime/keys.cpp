#include "runtime/keys.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "base/digest.hpp"
#include "base/encoding.hpp"
#include "runtime/file.hpp"
#include "runtime/random.hpp"

namespace resultsync::runtime {
namespace {

constexpr std::size_t kKeyFileBytesMax = 256;

Result<void> refuse_exposed(const File& file) {
  struct stat status{};
  if (::fstat(file.descriptor(), &status) != 0) return std::unexpected(file_error(errno, "look at", file.path()));
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) == 0) return {};
  return fail("key_file_exposed",
              fmt::format("the key file {} can be read by others than its owner (mode {:04o})", file.path(),
                          status.st_mode & 07777U),
              fmt::format("run: chmod 600 {}", file.path()));
}

Result<Secret<Key256>> parse_key(std::string_view text, const std::string& path) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  Secret<std::string> raw(decode_hex(text).value_or(""));
  Key256 key{};
  if (raw.reveal().size() != key.size()) {
    return fail("bad_key_file", fmt::format("the key file {} does not hold 64 hexadecimal digits", path));
  }
  std::ranges::transform(raw.reveal(), key.begin(), [](char byte) { return static_cast<std::uint8_t>(byte); });
  return Secret<Key256>(key);
}

std::string_view view_of(const Key256& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

}  // namespace

Secret<Key256> random_key() {
  const Secret<std::string> raw(random_bytes(sizeof(Key256)));
  Key256 key{};
  std::ranges::transform(raw.reveal(), key.begin(), [](char byte) { return static_cast<std::uint8_t>(byte); });
  return Secret<Key256>(key);
}

MasterKey::MasterKey(Secret<Key256> key)
    : key_(std::move(key)), id_(sha256(view_of(key_.reveal())).hex().substr(0, 8)) {}

Secret<Key256> MasterKey::derived(std::string_view purpose) const {
  Key256 key{};
  const Key256& master = key_.reveal();
  ::HMAC(EVP_sha256(), master.data(), static_cast<int>(master.size()),
         reinterpret_cast<const unsigned char*>(purpose.data()), purpose.size(), key.data(), nullptr);
  return Secret<Key256>(key);
}

Result<MasterKey> MasterKey::load(const std::string& path) {
  auto file = File::open_read(path);
  if (!file) return forward_error(std::move(file));
  if (auto safe = refuse_exposed(*file); !safe) return forward_error(std::move(safe));
  auto text = file->read_at(0, kKeyFileBytesMax);
  if (!text) return forward_error(std::move(text));
  const Secret<std::string> kept(std::move(*text));
  auto key = parse_key(kept.reveal(), path);
  if (!key) return forward_error(std::move(key));
  return MasterKey(std::move(*key));
}

Result<MasterKey> MasterKey::load_or_create(const std::string& path) {
  auto loaded = load(path);
  if (loaded || loaded.error().code != "not_found") return loaded;

  // link(2) fails where the name is taken, rename(2) would replace: so two first starts at once end with one key.
  const std::string draft = path + ".draft-" + encode_hex(random_bytes(4));
  {
    const Secret<Key256> fresh = random_key();
    const Secret<std::string> text(encode_hex(view_of(fresh.reveal())) + "\n");
    if (auto written = write_file_durably(draft, text.reveal(), 0600); !written)
      return forward_error(std::move(written));
  }
  const int linked = ::link(draft.c_str(), path.c_str());
  const int link_error = linked == 0 ? 0 : errno;
  ::unlink(draft.c_str());
  if (linked != 0 && link_error != EEXIST) return std::unexpected(file_error(link_error, "create the key file", path));
  const std::string directory = std::filesystem::path(path).parent_path().string();
  if (auto synced = sync_directory(directory.empty() ? "." : directory); !synced)
    return forward_error(std::move(synced));
  return load(path);
}

}  // namespace resultsync::runtime
