#include "http/address_policy.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "http/framing.hpp"

namespace resultsync::http {
namespace {

constexpr std::size_t kEntriesMax = 1000;
constexpr std::size_t kHostBytesMax = 253;  // RFC 1035 §2.3.4

struct Special {
  std::string_view network;
  unsigned prefix_bits;
  std::string_view what;
};
// The first that matches names the address.
constexpr std::array kSpecialV4{
    Special{"0.0.0.0", 8, "unspecified"},
    Special{"10.0.0.0", 8, "private"},
    Special{"100.64.0.0", 10, "shared by a carrier (CGNAT)"},
    Special{"127.0.0.0", 8, "loopback"},
    Special{"168.63.129.16", 32, "the service of a cloud for its own machines"},
    Special{"169.254.0.0", 16, "link-local"},
    Special{"172.16.0.0", 12, "private"},
    Special{"192.0.0.0", 24, "reserved for protocols"},
    Special{"192.0.2.0", 24, "for documentation"},
    Special{"192.88.99.0", 24, "a 6to4 relay"},
    Special{"192.168.0.0", 16, "private"},
    Special{"198.18.0.0", 15, "for benchmarks"},
    Special{"198.51.100.0", 24, "for documentation"},
    Special{"203.0.113.0", 24, "for documentation"},
    Special{"224.0.0.0", 4, "multicast"},
    Special{"255.255.255.255", 32, "broadcast"},
    Special{"240.0.0.0", 4, "reserved"},
};
constexpr std::array kSpecialV6{
    Special{"::", 128, "unspecified"},
    Special{"::1", 128, "loopback"},
    Special{"::ffff:0:0", 96, "an IPv4 address in disguise (mapped)"},
    Special{"::ffff:0:0:0", 96, "an IPv4 address in disguise (translated)"},
    Special{"::", 96, "an IPv4 address in disguise (compatible)"},
    Special{"64:ff9b::", 96, "an IPv4 address in disguise (NAT64)"},
    Special{"64:ff9b:1::", 48, "an IPv4 address in disguise (local NAT64)"},
    Special{"100::", 64, "for discarding"},
    Special{"2001::", 32, "an IPv4 address in disguise (Teredo)"},
    Special{"2001::", 23, "reserved for protocols"},
    Special{"2001:db8::", 32, "for documentation"},
    Special{"2002::", 16, "an IPv4 address in disguise (6to4)"},
    Special{"3ffe::", 16, "of a network that is no more (6bone)"},
    Special{"3fff::", 20, "for documentation"},
    Special{"5f00::", 16, "a segment routing label"},
    Special{"fc00::", 7, "private (unique-local)"},
    Special{"fe80::", 10, "link-local"},
    Special{"fec0::", 10, "private (site-local)"},
    Special{"ff00::", 8, "multicast"},
};

bool in_network(const IpAddress& address, const IpAddress& network, unsigned prefix_bits) {
  if (address.is_v6 != network.is_v6) return false;
  for (std::size_t i = 0; i < address.bytes.size() && prefix_bits > 0; ++i) {
    const unsigned bits = std::min(prefix_bits, 8U);
    const unsigned mask = (0xFF00U >> bits) & 0xFFU;
    if ((address.bytes[i] & mask) != (network.bytes[i] & mask)) return false;
    prefix_bits -= bits;
  }
  return true;
}

struct Network {
  IpAddress address;
  unsigned prefix_bits;
  std::string_view what;
};
template <std::size_t count>
std::vector<Network> networks(const std::array<Special, count>& specials) {
  std::vector<Network> read;
  for (const Special& special : specials) {
    read.push_back({IpAddress::parse(special.network).value(), special.prefix_bits, special.what});
  }
  return read;
}

template <class Number>
std::optional<Number> number_in(std::string_view text, Number max) {
  Number number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc{} || read.ptr != text.data() + text.size() || number > max) {
    return std::nullopt;
  }
  return number;
}

std::string lower_without_dot(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string lower(host);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  IpAddress read;
  read.is_v6 = text.find(':') != std::string_view::npos;
  // inet_pton() takes none of the old spellings (octal, hexadecimal, fewer than four numbers) and no zone.
  if (::inet_pton(read.is_v6 ? AF_INET6 : AF_INET, terminated.c_str(), read.bytes.data()) != 1) return std::nullopt;
  return read;
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> written{};
  ::inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes.data(), written.data(), written.size());
  return written.data();
}

std::string_view not_public(const IpAddress& address) {
  static const std::vector<Network> v4 = networks(kSpecialV4);
  static const std::vector<Network> v6 = networks(kSpecialV6);
  for (const Network& network : address.is_v6 ? v6 : v4) {
    if (in_network(address, network.address, network.prefix_bits)) return network.what;
  }
  // Of IPv6 only 2000::/3 has been given out (RFC 3587); what is not given out yet is not public yet.
  if (address.is_v6 && (address.bytes[0] & 0xE0) != 0x20) return "reserved";
  return {};
}

bool AddressPolicy::Entry::matches(std::string_view host_name, const IpAddress& address) const {
  return host.empty() ? in_network(address, network, prefix_bits) : host == host_name;
}

std::optional<AddressPolicy::Entry> AddressPolicy::parse_entry(std::string_view text) {
  Entry entry;
  std::string_view name = text;
  std::string_view port;
  const auto cut_port = [&](std::size_t colon) {
    port = name.substr(colon + 1);
    name = name.substr(0, colon);
    entry.port = number_in<std::uint16_t>(port, 65'535);
    return entry.port && *entry.port > 0;
  };
  const std::size_t last_colon = text.rfind(':');
  const bool one_colon = last_colon != std::string_view::npos && text.find(':') == last_colon;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    if (end + 1 < text.size() && (text[end + 1] != ':' || !cut_port(end + 1))) return std::nullopt;
    name = text.substr(1, end - 1);
  } else if (const std::size_t slash = text.find('/');
             one_colon ||
             (slash != std::string_view::npos && last_colon != std::string_view::npos && last_colon > slash)) {
    if (!cut_port(last_colon)) return std::nullopt;
  }

  const std::size_t slash = name.find('/');
  if (const auto network = IpAddress::parse(name.substr(0, slash))) {
    const unsigned bits_max = network->is_v6 ? 128 : 32;
    entry.network = *network;
    entry.prefix_bits = bits_max;
    if (slash != std::string_view::npos) {
      const auto bits = number_in<unsigned>(name.substr(slash + 1), bits_max);
      if (!bits) return std::nullopt;
      entry.prefix_bits = *bits;
    }
    return entry;
  }
  entry.host = lower_without_dot(name);
  const bool is_name = entry.host.size() <= kHostBytesMax && is_host(entry.host) &&
                       entry.host.find_first_of("[:") == std::string::npos && !ends_in_number(entry.host);
  return is_name ? std::optional(std::move(entry)) : std::nullopt;
}

Result<AddressPolicy> AddressPolicy::with_allowed(const std::vector<std::string>& entries) {
  if (entries.size() > kEntriesMax) return fail("bad_allow_entry", "the allow-list has more than 1,000 entries");
  Result<AddressPolicy> policy{std::in_place};
  for (const std::string& text : entries) {
    auto entry = parse_entry(text);
    if (!entry) {
      return fail("bad_allow_entry", "`" + text +
                                         "` of the allow-list is neither an address, a network like 10.1.2.0/24 nor "
                                         "a host name, with or without a port");
    }
    policy->entries_.push_back(std::move(*entry));
  }
  return policy;
}

Result<void> AddressPolicy::check(const Destination& destination, const IpAddress& address) const {
  const std::string host = lower_without_dot(destination.host);
  bool allowed = false;
  for (const Entry& entry : entries_) {
    if (!entry.matches(host, address)) continue;
    if (entry.port == destination.port) return {};
    allowed = allowed || !entry.port;
  }
  const auto refused = [](std::string cause) {
    return fail("address_refused", "connections to this address are not allowed", std::move(cause));
  };
  if (!destination.usual_port) {
    return refused("port " + std::to_string(destination.port) + " is none that may be connected to");
  }
  const std::string_view what = not_public(address);
  if (what.empty() || allowed) return {};
  return refused(address.text() + " is " + std::string(what));
}

}  // namespace resultsync::http
