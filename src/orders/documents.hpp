// Documents: the files that an event's ordered tests carry or point at. PURE.
//
// A network sends a file as a link, in base64, or as the text itself. What counts is its bytes: a link, the same bytes
// in base64 and the same bytes as text are one content (S4), named by their SHA-256 and never by an address. What a
// link leads to is not in the event: it is fetched, and what was found is a fact beside the event.
//
//   results_pdf = "https://…?sig=1"   fetched, 9f86…   ┐
//   results_pdf = "https://…?sig=2"   fetched, 9f86…   ├─ one content
//   results_pdf = "JVBERi0xLjQK…"     decoded, 9f86…   ┘
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"

namespace resultsync::orders {

// An address to fetch from: http or https, one word. It is a secret (P4).
bool is_link(std::string_view text);

// The bytes that a text value stands for: what it encodes if it is base64 (RFC 4648 §4, line breaks allowed) or a
// `data:` URL of a file that is known by its first bytes; else the text itself.
std::string bytes_of(std::string_view text);

// "application/pdf", "application/hl7-v2", … by the first bytes; "text/plain" for other UTF-8 text,
// "application/octet-stream" for the rest. What a server calls a file is not believed.
std::string_view sniff_media_type(std::string_view bytes);

// One link that stands in an ordered test of an event.
struct Link {
  OrderedTestId test;
  std::string member;      // "results_pdf"
  std::string url;         // a secret
  bool is_content = true;  // false for what is no result (the requisition): nothing waits for it
};
// All links of a body's ordered tests, in the order of the body. Total.
std::vector<Link> links_of(std::string_view body);

// What is known of one link of one event.
struct LinkedDocument {
  enum class State {
    kPending,  // being fetched: the test's result waits
    kFetched,  // `sha256` names it
    kMissing,  // not to be had within the limit: the result is told without it
  };
  OrderedTestId test;
  std::string member;
  State state = State::kPending;
  Sha256 sha256;
};
using LinkedDocuments = std::vector<LinkedDocument>;  // of one event; a link that is not here is pending

// The body with each link replaced by what is to be shown in its place; a link without an entry reads
// `document:pending`. So nobody after the event log sees a link, and HL7 that came by link reads like HL7 that was
// sent.
struct ShownDocument {
  OrderedTestId test;
  std::string member;
  std::string text;
};
std::string with_documents(std::string_view body, const std::vector<ShownDocument>& documents);

// The body with these values in place of whatever stands there, link or not; all else says what it said.
std::string with_values(std::string_view body, const std::vector<ShownDocument>& values);

}  // namespace resultsync::orders
