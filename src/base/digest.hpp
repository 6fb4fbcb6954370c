// SHA-256, the name of every body, content and Document in this house.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace resultsync {

struct Sha256 {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const Sha256&) const = default;

  [[nodiscard]] std::string hex() const;  // 64 lower-case digits
  [[nodiscard]] std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  static std::optional<Sha256> from_bytes(std::string_view raw);  // exactly 32 bytes
};

// The digest of `text`. Thread-safe.
Sha256 sha256(std::string_view text);

}  // namespace resultsync
