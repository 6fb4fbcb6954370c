// Resource objects of the world as the network's JSON: the same writers serve events, reads of the API, and what they
// include. PURE but for the links of documents.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/json_writer.hpp"
#include "sandbox/documents.hpp"
#include "sandbox/switches.hpp"
#include "sandbox/world.hpp"

namespace resultsync::sandbox {

// How an ordered test shows its documents.
struct DocumentForms {
  Carriage hl7_as = Carriage::kInline;
  Carriage pdf_as = Carriage::kUrl;
  std::function<std::string(const DocumentName&)> link;
};

void write_practitioner(JsonWriter& json, const World& world, std::size_t practitioner);
void write_clinic(JsonWriter& json, const World& world, std::size_t clinic);
void write_patient(JsonWriter& json, const World& world, std::size_t patient);
void write_lab_company(JsonWriter& json, std::size_t company);
void write_lab_test(JsonWriter& json, std::size_t test);
enum class OrderDetail { kWhole, kThin };  // thin: without attributes but the status
void write_order(JsonWriter& json, const World& world, std::size_t order, OrderDetail detail = OrderDetail::kWhole);
void write_ordered_test(JsonWriter& json, const World& world, World::TestPlace place, const DocumentForms& forms);
// `base`: "http://127.0.0.1:8090", of the checkout.
void write_order_intent(JsonWriter& json, const World& world, std::size_t intent, const std::string& base);

// {"created_at": …, "data": {"object": …, "included": […]}, "id": …, "type": …} of the order as it is now.
struct EventOptions {
  std::string_view type;
  Payload payload = Payload::kFull;
  bool leave_out_practitioner = false;
};
std::string event_body(const World& world, const Happening& happening, const EventOptions& options,
                       const DocumentForms& forms);

}  // namespace resultsync::sandbox
