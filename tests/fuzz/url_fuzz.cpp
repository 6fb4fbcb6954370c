// What names an address for us: URLs, addresses and the entries of allow-lists. Whatever is taken must have one
// meaning.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/address_policy.hpp"
#include "http/client.hpp"
#include "http/framing.hpp"
#include "http/request_head.hpp"

namespace {

using namespace resultsync::http;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void read_url(std::string_view text) {
  const auto url = parse_url(text);
  if (!url) return;
  const auto numeric = IpAddress::parse(url->host);
  require(numeric.has_value() == (ends_in_number(url->host) || url->host.find(':') != std::string::npos),
          "a host is a name or an address in its strict form");
  require(url->host.find_first_of("@%/\\ \t\r\n") == std::string::npos, "a host hides nothing");
  const auto head = request_head("POST", *url, url->target, {}, 2, Afterwards::kKeep);
  require(head.has_value() && check_request_head(*head).has_value(), "what is sent is a request as we would take it");
  if (numeric) {
    const bool allowed = AddressPolicy::public_only().check({.host = url->host, .port = 443}, *numeric).has_value();
    require(allowed == not_public(*numeric).empty(), "only what is public passes");
  }
}

void read_entry(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) {
    require(IpAddress::parse(address->text()) == address, "an address reads back");
    require(AddressPolicy::with_allowed({address->text()}).has_value(), "every address is an entry");
  }
  (void)AddressPolicy::with_allowed({std::string(text)});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_url(text);
  read_entry(text);
  return 0;
}
