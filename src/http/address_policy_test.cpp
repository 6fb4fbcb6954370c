#include "http/address_policy.hpp"

#include <gtest/gtest.h>

namespace resultsync::http {
namespace {

IpAddress ip(std::string_view text) {
  const auto address = IpAddress::parse(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(IpAddress{});
}

TEST(IpAddress, is_read_in_its_strict_forms_only) {
  EXPECT_EQ(ip("192.0.2.1").text(), "192.0.2.1");
  EXPECT_EQ(ip("2606:4700::1111").text(), "2606:4700::1111");
  EXPECT_EQ(ip("2606:4700:0:0:0:0:0:1111").text(), "2606:4700::1111");
  for (const char* bad :
       {"", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "0x1.2.3.4", "256.1.1.1", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4.",
        "2130706433", "fe80::1%eth0", "fe80::1%1", "[::1]", ":::", "12345::", "::1::", "a.example", "١.٢.٣.٤"}) {
    EXPECT_FALSE(IpAddress::parse(bad).has_value()) << bad;
  }
}

TEST(NotPublic, names_what_an_address_is) {
  const std::vector<std::pair<const char*, const char*>> special{
      {"0.0.0.0", "unspecified"},
      {"0.1.2.3", "unspecified"},
      {"10.0.0.0", "private"},
      {"10.255.255.255", "private"},
      {"100.64.0.0", "CGNAT"},
      {"100.127.255.255", "CGNAT"},
      {"127.0.0.1", "loopback"},
      {"127.255.255.254", "loopback"},
      {"168.63.129.16", "cloud"},
      {"169.254.169.254", "link-local"},
      {"172.16.0.0", "private"},
      {"172.31.255.255", "private"},
      {"192.0.0.8", "protocols"},
      {"192.0.2.200", "documentation"},
      {"192.88.99.1", "6to4"},
      {"192.168.0.1", "private"},
      {"198.18.0.0", "benchmarks"},
      {"198.19.255.255", "benchmarks"},
      {"198.51.100.7", "documentation"},
      {"203.0.113.7", "documentation"},
      {"224.0.0.1", "multicast"},
      {"239.255.255.255", "multicast"},
      {"240.0.0.0", "reserved"},
      {"255.255.255.255", "broadcast"},
      {"::", "unspecified"},
      {"::1", "loopback"},
      {"::ffff:8.8.8.8", "mapped"},
      {"::ffff:7f00:1", "mapped"},
      {"::ffff:0:8.8.8.8", "translated"},
      {"::8.8.8.8", "compatible"},
      {"64:ff9b::8.8.8.8", "NAT64"},
      {"64:ff9b:1:ffff::8.8.8.8", "NAT64"},
      {"100::1", "discarding"},
      {"2001::1", "Teredo"},
      {"2001:2::1", "protocols"},
      {"2001:10::1", "protocols"},
      {"2001:20::1", "protocols"},
      {"2001:db8::1", "documentation"},
      {"2002:7f00:1::", "6to4"},
      {"3ffe::1", "6bone"},
      {"3fff:fff::1", "documentation"},
      {"5f00::1", "segment"},
      {"fc00::1", "unique-local"},
      {"fdff::1", "unique-local"},
      {"fe80::1", "link-local"},
      {"febf::1", "link-local"},
      {"fec0::1", "site-local"},
      {"ff02::1", "multicast"},
      {"200::1", "reserved"},
      {"4000::1", "reserved"},
      {"1fff::1", "reserved"},
  };
  for (const auto& [address, what] : special) {
    EXPECT_NE(not_public(ip(address)).find(what), std::string_view::npos) << address << ": " << not_public(ip(address));
  }
  // One before and one past the edges.
  for (const char* address : {"1.0.0.0",        "9.255.255.255",   "11.0.0.0",
                              "100.63.255.255", "100.128.0.0",     "126.255.255.255",
                              "128.0.0.0",      "168.63.129.15",   "169.253.255.255",
                              "169.255.0.0",    "172.15.255.255",  "172.32.0.0",
                              "192.0.1.0",      "192.167.255.255", "192.169.0.0",
                              "198.17.255.255", "198.20.0.0",      "223.255.255.255",
                              "8.8.8.8",        "2001:200::1",     "2001:4860:4860::8888",
                              "2003::1",        "2606:4700::1111", "3ffd::1"}) {
    EXPECT_EQ(not_public(ip(address)), "") << address;
  }
}

std::string outcome(const AddressPolicy& policy, std::string_view host, std::string_view address,
                    std::uint16_t port = 443) {
  const auto checked =
      policy.check({.host = host, .port = port, .usual_port = port == 443 || port >= 1024}, ip(address));
  return checked ? "allowed" : checked.error().cause;
}

TEST(AddressPolicy, refuses_what_is_not_public) {
  const auto policy = AddressPolicy::public_only();
  EXPECT_EQ(outcome(policy, "a.example", "8.8.8.8"), "allowed");
  EXPECT_EQ(outcome(policy, "a.example", "10.0.0.7"), "10.0.0.7 is private");
  EXPECT_EQ(outcome(policy, "a.example", "8.8.8.8", 22), "port 22 is none that may be connected to");
}

TEST(AddressPolicy, an_entry_allows_its_network_its_port_or_its_host) {
  const auto policy = AddressPolicy::with_allowed(
      {"10.1.2.0/24", "fd00::/8:8443", "127.0.0.1:25", "[::1]:8080", "Hooks.example.com.", "in.example:81"});
  ASSERT_TRUE(policy.has_value());
  EXPECT_EQ(outcome(*policy, "a.example", "10.1.2.255"), "allowed");
  EXPECT_EQ(outcome(*policy, "a.example", "10.1.3.0"), "10.1.3.0 is private");
  EXPECT_EQ(outcome(*policy, "a.example", "10.1.2.1", 22), "port 22 is none that may be connected to");
  EXPECT_EQ(outcome(*policy, "a.example", "fd12::1", 8443), "allowed");
  EXPECT_EQ(outcome(*policy, "a.example", "fd12::1", 443), "fd12::1 is private (unique-local)");
  EXPECT_EQ(outcome(*policy, "127.0.0.1", "127.0.0.1", 25), "allowed");
  EXPECT_EQ(outcome(*policy, "127.0.0.1", "127.0.0.1", 8080), "127.0.0.1 is loopback");
  EXPECT_EQ(outcome(*policy, "::1", "::1", 8080), "allowed");
  EXPECT_EQ(outcome(*policy, "hooks.EXAMPLE.com", "192.168.1.1"), "allowed");
  EXPECT_EQ(outcome(*policy, "hooks.example.com.", "192.168.1.1"), "allowed");
  EXPECT_EQ(outcome(*policy, "x.hooks.example.com", "192.168.1.1"), "192.168.1.1 is private");
  EXPECT_EQ(outcome(*policy, "in.example", "192.168.1.1", 81), "allowed");
  EXPECT_EQ(outcome(*policy, "in.example", "192.168.1.1", 443), "192.168.1.1 is private");
  // A network of IPv4 says nothing about the same address in an IPv6 disguise.
  EXPECT_EQ(outcome(*policy, "a.example", "::ffff:10.1.2.3"),
            "::ffff:10.1.2.3 is an IPv4 address in disguise (mapped)");
}

TEST(AddressPolicy, an_entry_that_nobody_could_mean_is_refused) {
  for (const char* bad : {"",
                          "10.0.0.0/33",
                          "fd00::/129",
                          "10.0.0.0/",
                          "10.0.0.0/x",
                          "10.0.0.0/8/8",
                          "10.0.0.1:0",
                          "10.0.0.1:65536",
                          "10.0.0.1:",
                          "[::1",
                          "[::1]8080",
                          "[::1]:",
                          "127.1",
                          "0x7f.0.0.1",
                          "2130706433",
                          "a b",
                          "a.example/24",
                          "*.example",
                          "http://a.example",
                          "u@a.example",
                          "fe80::1%eth0",
                          "a.example:8080:1"}) {
    const auto policy = AddressPolicy::with_allowed({bad});
    ASSERT_FALSE(policy.has_value()) << bad;
    EXPECT_EQ(policy.error().code, "bad_allow_entry");
  }
  EXPECT_TRUE(AddressPolicy::with_allowed(std::vector<std::string>(1000, "10.0.0.1")).has_value());
  EXPECT_FALSE(AddressPolicy::with_allowed(std::vector<std::string>(1001, "10.0.0.1")).has_value());
}

}  // namespace
}  // namespace resultsync::http
