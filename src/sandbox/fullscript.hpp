// The world as Fullscript tells it: states, thin events, lab orders with results as PDF. PURE but for links.
//
// Ids keep the sandbox's form, so that one ledger and one control page serve both networks; the real ones are UUIDs.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/json_writer.hpp"
#include "sandbox/documents.hpp"
#include "sandbox/switches.hpp"
#include "sandbox/world.hpp"

namespace resultsync::sandbox {

// "processing", "partial_results", … `canceled` is ours: no name of the real one is known.
std::string_view fullscript_state_of(const Order& order);
// The type of the event that tells of it; empty: nothing does.
std::string_view fullscript_event_type(What what);
std::string fullscript_event_body(const World& world, const Happening& happening, std::uint64_t seed,
                                  Envelope envelope);

using ResultLink = std::function<std::string(const DocumentName&)>;
enum class LabOrderDetail { kSummary, kWhole };
void write_lab_order(JsonWriter& json, const World& world, std::size_t order, LabOrderDetail detail,
                     const ResultLink& link);

}  // namespace resultsync::sandbox
