// A network's envelope → the one form that orders/decode.hpp reads, so that the rooms after this one need not know
// which network speaks. The raw body stays in the log as it came (I3); the common form is made anew whenever it is
// read.
//
//   {"created_at": …, "data": {"included": […], "object": {…}}, "id": …, "type": …, "clinic_id": …}
//
// `rupa` speaks it already. `generic` says by JSON pointers (RFC 6901) where its bodies have what. PURE, thread-safe,
// total: every body gives a body.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace resultsync::vendors {

struct Source;

// Where a body of a `generic` network has what. Not set: it has none; "" is the whole document. Those after `tests` are
// read in each ordered test.
struct Pointers {
  std::optional<std::string> id = {};  // of the event; not set: the signed message id (the `webhook-id` header)
  std::optional<std::string> type = {};
  std::optional<std::string> time = {};  // ISO 8601, or seconds or milliseconds since 1970 as a number
  std::optional<std::string> clinic = {};
  std::optional<std::string> practitioner = {};
  std::optional<std::string> patient = {};
  std::optional<std::string> order = {};
  std::optional<std::string> status = {};
  std::optional<std::string> tests = {};  // a list of ordered tests, or one
  std::optional<std::string> test = {};   // its id; where `tests` is one object without it, the order's id
  std::optional<std::string> lab_test = {};
  std::optional<std::string> received = {};
  std::optional<std::string> hl7 = {};  // documents: a link, base64, or the text itself
  std::optional<std::string> pdf = {};
  std::optional<std::string> requisition = {};
};

// Each pointer with its name in the configuration ("order" is `pointer_order`), in the order of the struct.
struct NamedPointer {
  std::string_view name;
  std::optional<std::string> Pointers::* member;
  bool of_test = false;
};
std::span<const NamedPointer> pointer_names();

// Whether a text is a JSON pointer. Error `bad_pointer`; its cause says what was probably meant.
Result<void> check_pointer(std::string_view text);

// The body in the common form. `message_id`: the signed id of the request, empty if its scheme signs none. What is no
// JSON object or list comes back as it is.
std::string in_common_form(const Source& source, std::string_view message_id, std::string_view body);

// What the pointers of a `generic` source find in a body, for people who set them up.
struct PointerFinding {
  std::string name;        // "pointer_order"
  std::string pointer;     // as configured
  std::string found;       // "ord_1", "a list of 2", "a link", "a document of 1834 bytes"; empty: nothing of use
  std::string place = {};  // which ordered test: "1"; empty for what stands once
};
std::vector<PointerFinding> explain_pointers(const Source& source, std::string_view body);

}  // namespace resultsync::vendors
