#include "fhir/ids.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace resultsync::fhir {
namespace {

struct TypeRow {
  std::string_view name;
  std::string_view tag;  // in ids; at most 3 characters, so that an id has at most 61 of FHIR's 64
};
constexpr std::array<TypeRow, kTypes> kRows{{{"DiagnosticReport", "rep"},
                                             {"Observation", "obs"},
                                             {"ServiceRequest", "req"},
                                             {"Specimen", "spm"},
                                             {"Patient", "pat"},
                                             {"Practitioner", "pra"},
                                             {"PractitionerRole", "rol"},
                                             {"Organization", "org"},
                                             {"DocumentReference", "doc"},
                                             {"Provenance", "prv"}}};

constexpr std::size_t kHexDigits = 16;

bool is_id_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

void write_hex(std::uint64_t value, char* to) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) *to++ = kDigits[(value >> static_cast<unsigned>(shift)) & 0xfU];
}

}  // namespace

// FNV-1a (draft-eastlake-fnv), each text followed by a byte that UTF-8 has not.
NameHash& NameHash::add(std::string_view text) {
  for (const char c : text) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  state_ = (state_ ^ 0xffU) * 0x100000001b3;
  return *this;
}

NameHash& NameHash::add(std::uint64_t number) {
  for (unsigned shift = 0; shift < 64; shift += 8) state_ = (state_ ^ ((number >> shift) & 0xffU)) * 0x100000001b3;
  return *this;
}

// The last bytes have not yet reached all bits: the finaliser of splitmix64.
std::uint64_t NameHash::value() const {
  std::uint64_t z = state_;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111eb;
  return z ^ (z >> 31U);
}

std::size_t id_size(std::string_view prefix, Type type) {
  return prefix.size() + kRows[static_cast<std::size_t>(type)].tag.size() + kHexDigits + 2;
}

void write_id(std::string_view prefix, Type type, std::uint64_t hash, char* to) {
  to = std::ranges::copy(prefix, to).out;
  *to++ = '.';
  to = std::ranges::copy(kRows[static_cast<std::size_t>(type)].tag, to).out;
  *to++ = '-';
  write_hex(hash, to);
}

std::uint64_t key_of(Type type, std::uint64_t hash) {
  return hash + static_cast<std::uint64_t>(type);
}

std::uint64_t key_of(Type type, std::string_view id) {
  std::uint64_t hash = 0;
  const std::string_view digits = id.substr(id.size() - std::min(id.size(), kHexDigits));
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), hash, 16);
  const bool made_here = digits.size() == kHexDigits && error == std::errc{} && end == digits.data() + digits.size();
  return key_of(type, made_here ? hash : NameHash().add(id).value());
}

bool is_id_prefix(std::string_view text) {
  return !text.empty() && text.size() <= kIdPrefixBytesMax && std::ranges::all_of(text, is_id_character);
}

// What can be read of the name, then a hash of all of it.
std::string id_prefix_of(std::string_view name) {
  if (is_id_prefix(name)) return std::string(name);
  std::string prefix;
  for (const char c : name.substr(0, kIdPrefixBytesMax - kHexDigits - 1)) prefix += is_id_character(c) ? c : '-';
  prefix += '-';
  prefix.append(kHexDigits, '0');
  write_hex(NameHash().add(name).value(), prefix.data() + prefix.size() - kHexDigits);
  return prefix;
}

std::string_view prefix_of(std::string_view id) {
  const std::size_t dot = id.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : id.substr(0, dot);
}

std::string_view type_name(Type type) {
  return kRows[static_cast<std::size_t>(type)].name;
}

std::optional<Type> find_type(std::string_view name) {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<Type>(i);
  }
  return std::nullopt;
}

}  // namespace resultsync::fhir
