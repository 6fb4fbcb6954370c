#include "store/slots.hpp"

namespace resultsync::store {
namespace {

// FNV-1a, 64 bits.
constexpr std::uint64_t kOffset = 14'695'981'039'346'656'037U;
constexpr std::uint64_t kPrime = 1'099'511'628'211U;

std::uint64_t mixed(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  return hash;
}

}  // namespace

Slot slot_of(const SourceId& source, std::string_view name, std::size_t slots) {
  std::uint64_t hash = mixed(mixed(mixed(kOffset, source.text()), std::string_view("\n")), name);
  hash ^= hash >> 32U;  // its low bits alone know little of the last character
  return static_cast<Slot>(hash % slots);
}

}  // namespace resultsync::store
