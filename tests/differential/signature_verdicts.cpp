// Reads requests, one a line, and answers each with one word: `accepted`, `stale`, or the error code. For
// signatures.mjs, which asks the libraries of others the same.
//
//   <scheme> <now, unix seconds> <secret> <body> [<header name> <header value>]…     each field in base64, separated by
//   single spaces
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "base/encoding.hpp"
#include "vendors/verify.hpp"

namespace {

using namespace resultsync;

std::string verdict(const std::vector<std::string>& fields) {
  const auto scheme = vendors::signature_preset(fields.at(0));
  if (!scheme) return std::string(scheme.error().code);
  const std::vector<Secret<std::string>> secrets{Secret<std::string>(fields.at(2))};
  const auto keys = vendors::SigningKeys::read(*scheme, secrets);
  if (!keys) return std::string(keys.error().code);
  http::Headers headers;
  for (std::size_t i = 4; i + 1 < fields.size(); i += 2) headers.add(fields[i], fields[i + 1]);
  const auto verified =
      vendors::verify(*scheme, *keys, headers, fields.at(3), Timestamp::from_seconds(std::stoll(fields.at(1))));
  if (!verified) return std::string(verified.error().code);
  return verified->stale() ? "stale" : "accepted";
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::vector<std::string> fields;
    std::size_t begin = 0;
    while (begin <= line.size()) {
      const auto end = std::min(line.find(' ', begin), line.size());
      auto field = decode_base64(line.substr(begin, end - begin));
      if (!field) return 2;
      fields.push_back(*std::move(field));
      begin = end + 1;
    }
    if (fields.size() < 4) return 2;
    std::puts(verdict(fields).c_str());
  }
  return 0;
}
