#include "delivery/ids.hpp"

#include <fmt/format.h>

#include <charconv>

namespace resultsync::delivery {
namespace {

// A positive number, in the one spelling that it is written in.
std::optional<std::int64_t> parse_number(std::string_view text, int base) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  if (text != (base == 16 ? fmt::format("{:x}", value) : fmt::format("{}", value))) return std::nullopt;
  return value;
}

}  // namespace

std::string delivery_id(store::DeliveryKey key, std::int64_t nonce) {
  return fmt::format("dlv_{:x}_{:x}", key.value, nonce);
}

std::optional<DeliveryName> parse_delivery_id(std::string_view text) {
  if (!text.starts_with("dlv_")) return std::nullopt;
  text.remove_prefix(4);
  const auto mark = text.find('_');
  if (mark == std::string_view::npos) return std::nullopt;
  const auto key = parse_number(text.substr(0, mark), 16);
  const auto nonce = parse_number(text.substr(mark + 1), 16);
  if (!key || !nonce) return std::nullopt;
  return DeliveryName{store::DeliveryKey{*key}, *nonce};
}

std::string job_id(store::JobKey key) {
  return fmt::format("job_{}", key.value);
}

std::optional<store::JobKey> parse_job_id(std::string_view text) {
  if (!text.starts_with("job_")) return std::nullopt;
  const auto key = parse_number(text.substr(4), 10);
  if (!key) return std::nullopt;
  return store::JobKey{*key};
}

}  // namespace resultsync::delivery
