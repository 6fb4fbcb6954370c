// The canonical form of a JSON value: members sorted by name, no white space, numbers in their shortest form. Values
// that mean the same have the same bytes, whatever the order of members, the white space or the escapes they were sent
// with.
#pragma once

#include <simdjson.h>

#include <string>

namespace resultsync::orders {

void append_canonical(std::string& text, simdjson::dom::element value);

}  // namespace resultsync::orders
