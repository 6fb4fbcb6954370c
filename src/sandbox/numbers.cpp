#include "sandbox/numbers.hpp"

#include <cstddef>

namespace resultsync::sandbox {
namespace {

constexpr std::string_view kIdDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::uint64_t kIdsPerPrefix = 3'521'614'606'208;  // 62^7
constexpr std::uint64_t kIdStride = 1'580'030'173'933;      // no divisor in common with 62: no id comes twice

}  // namespace

std::uint64_t mixed(std::uint64_t seed, std::string_view name, std::uint64_t number) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto take = [&](std::uint64_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
  for (int i = 0; i < 64; i += 8) take((seed >> i) & 0xff);
  for (const char c : name) take(static_cast<unsigned char>(c));
  for (int i = 0; i < 64; i += 8) take((number >> i) & 0xff);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  return hash ^ (hash >> 31);
}

bool drawn(double share, std::uint64_t seed, std::string_view what, std::string_view about) {
  if (share <= 0) return false;
  std::string name(what);
  name += '/';
  name += about;
  return static_cast<double>(mixed(seed, name) >> 11) < share * 9007199254740992.0;  // 2^53
}

std::string id_of(std::string_view prefix, std::uint64_t seed, std::uint64_t number) {
  const auto product = static_cast<unsigned __int128>(number) * kIdStride;
  auto rest = static_cast<std::uint64_t>((product + mixed(seed, prefix)) % kIdsPerPrefix);
  std::string text(7, '0');
  for (char& digit : text) {
    digit = kIdDigits[rest % kIdDigits.size()];
    rest /= kIdDigits.size();
  }
  return std::string(prefix) + text;
}

std::string as_decimal(std::int64_t value, int decimals) {
  std::string digits = std::to_string(value);
  if (decimals == 0) return digits;
  const auto places = static_cast<std::size_t>(decimals);
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  return digits.insert(digits.size() - places, ".");
}

}  // namespace resultsync::sandbox
