// Reads an event's body leniently: unknown members, members in any order, ids as numbers, missing or null
// relationships, `included` inside or beside `data` are all fine. A `clinic_id` beside `data`, where an envelope names
// the clinic itself, counts where no included practitioner names one. Total: every byte string gives an Event; what is
// odd about it stands in its flags (I4).
#pragma once

#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "orders/documents.hpp"
#include "orders/event.hpp"

namespace resultsync::orders {

// `body_sha256` is the id of an event that has none; `documents` says what its links led to. Thread-safe. Ids longer
// than kIdBytesMax (json_body.hpp) count as missing.
Event decode_event(std::string_view body, const Sha256& body_sha256, const LinkedDocuments& documents = {});

// The order resource and the ordered test's resource as the body has them, as compact JSON, for showing them to an
// application. `test` may be empty. A part that is not there is `null`.
struct Resources {
  std::string order = "null";
  std::string ordered_test = "null";
  std::string order_intent;  // its id; empty if the order came of none
};
Resources resources_of(std::string_view body, const OrderedTestId& test);

// An attribute of the ordered test that is text; empty if it is none, or the body does not include the test.
std::string attribute_of(std::string_view body, const OrderedTestId& test, std::string_view attribute);

// One member that differs between two bodies' views of an ordered test's content, or of the order's attributes.
struct MemberChange {
  std::string member;         // "results_hl7", "status"
  std::string from = "null";  // compact JSON
  std::string to = "null";
  bool operator==(const MemberChange&) const = default;
};
// The result members of `test` that differ between two bodies, by name; `old_body` may be empty (everything is new
// then).
std::vector<MemberChange> content_changes(std::string_view old_body, std::string_view new_body,
                                          const OrderedTestId& test);
// The attributes of the order that differ between two bodies, by name.
std::vector<MemberChange> order_changes(std::string_view old_body, std::string_view new_body);

}  // namespace resultsync::orders
