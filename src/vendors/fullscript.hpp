// Fullscript's JSON → the common form (common_form.hpp). Its events are thin: they say that a lab order has changed,
// and the order is read for the rest (decision 0031). PURE, thread-safe, total.
#pragma once

#include <string>
#include <string_view>

#include "orders/json_body.hpp"

namespace resultsync::vendors {

// An event, in any of the three forms in which it is sent: inside `event_payload.event`, inside `event`, or bare. What
// is no JSON object comes back as it is.
std::string fullscript_event(std::string_view body);

// An answer of its API about lab orders, one or a list, as the JSON:API document that the network's room reads: each
// result is an ordered test, since results and tests of a lab order do not map one to one. `meta` stays as it is.
std::string fullscript_orders(const orders::JsonBody& answer);

// The state of a lab order by its present name: webhooks may still use older ones.
std::string_view fullscript_state(std::string_view name);

}  // namespace resultsync::vendors
