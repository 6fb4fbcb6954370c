// Which addresses this house may connect to when somebody else named the URL. An endpoint's owner, a vendor's document
// link, a redirect: each could point into the network we stand in (server-side request forgery). So whatever is not
// plain public unicast is refused, unless the operator allowed it by name. Values; nothing here touches the network.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace resultsync::http {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes = {};  // an IPv4 address: the first four
  bool is_v6 = false;

  // The strict forms only: four decimal numbers without leading zeros, or RFC 4291 §2.2 without brackets and without a
  // zone (`fe80::1%eth0` names a link of ours).
  static std::optional<IpAddress> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

// What an address is, if it is not plain public unicast: "loopback", "private", "link-local" …; empty if it is.
// (IANA's special-purpose registries, RFC 6890; every form that carries an IPv4 address inside an IPv6 one; and the
// public-looking address at which one cloud answers for the machine itself.)
std::string_view not_public(const IpAddress& address);

// A value; safe to read from many threads.
class AddressPolicy {
 public:
  static AddressPolicy public_only() { return {}; }
  // Entries: "10.1.2.0/24", "fd00::/8", "127.0.0.1", "hooks.example.com" (this host, whatever it resolves to), each
  // with an optional ":port" ("[::1]:8080" for an IPv6 address). One with a port opens that port only, also if it is
  // none of the usual ones. At most 1,000 entries. Errors: `bad_allow_entry`.
  static Result<AddressPolicy> with_allowed(const std::vector<std::string>& entries);

  struct Destination {
    std::string_view host;  // as in the URL, without brackets
    std::uint16_t port = 0;
    bool usual_port = true;  // the caller's own rule about ports lets it pass
  };
  // Whether a connection for `destination` may go to `address`, which its host resolved to. Errors: `address_refused`,
  // with the cause ("10.0.0.7 is private").
  [[nodiscard]] Result<void> check(const Destination& destination, const IpAddress& address) const;

 private:
  struct Entry {
    std::string host;  // lower case, no dot at its end; empty: a network
    IpAddress network = {};
    unsigned prefix_bits = 0;
    std::optional<std::uint16_t> port;
    [[nodiscard]] bool matches(std::string_view host_name, const IpAddress& address) const;
  };
  static std::optional<Entry> parse_entry(std::string_view text);

  std::vector<Entry> entries_;
};

}  // namespace resultsync::http
