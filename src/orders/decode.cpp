#include "orders/decode.hpp"

#include <simdjson.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/json_writer.hpp"
#include "orders/canonical.hpp"
#include "orders/json_body.hpp"

namespace resultsync::orders {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// The order resource: `data.object`, or `data` itself where a sender leaves the wrapper out.
std::optional<element> order_resource(const std::optional<element>& root) {
  const auto data = member(root, "data");
  auto resource = member(data, "object");
  if (!resource && text_of(member(data, "type")) == "order") resource = data;
  if (!resource) return std::nullopt;
  const std::string type = text_of(member(resource, "type"));
  return type.empty() || type == "order" ? resource : std::nullopt;
}

bool is_result_member(std::string_view name) {
  return name == "date_results_received_from_lab" || name.starts_with("results_");
}

bool says_nothing(element value) {
  std::string_view text;
  return value.is_null() || (value.get_string().get(text) == simdjson::SUCCESS && text.empty());
}

// The result members that say something, by name, each as canonical JSON.
std::map<std::string, std::string> content_of(const std::optional<element>& test) {
  std::map<std::string, std::string> content;
  object attributes;
  const auto found = member(test, "attributes");
  if (!found || found->get_object().get(attributes) != simdjson::SUCCESS) return content;
  for (const auto& attribute : attributes) {
    if (!is_result_member(attribute.key) || says_nothing(attribute.value)) continue;
    std::string value;
    append_canonical(value, attribute.value);
    content.try_emplace(std::string(attribute.key), std::move(value));
  }
  return content;
}

// What the digest of a content is made of: each member, and a file by the SHA-256 of its bytes (S4), whether it was
// sent as text, in base64 or as a link.
struct Content {
  std::map<std::string, std::string> members;
  bool pending = false;  // a link that has not been fetched yet
};
std::string document_value(const std::optional<Sha256>& sha256) {
  return "{\"document\":" + (sha256 ? json_string(sha256->hex()) : std::string("null")) + "}";
}
Content content_by_documents(const std::optional<element>& test, const OrderedTestId& id,
                             const LinkedDocuments& documents) {
  Content content{content_of(test), false};
  const auto attributes = member(test, "attributes");
  for (auto& [name, value] : content.members) {
    std::string_view text;
    const auto attribute = member(attributes, name);
    if (!name.starts_with("results_") || !attribute || attribute->get_string().get(text) != simdjson::SUCCESS) continue;
    if (!is_link(text)) {
      value = document_value(sha256(bytes_of(text)));
      continue;
    }
    const auto known = std::ranges::find_if(
        documents, [&](const LinkedDocument& document) { return document.test == id && document.member == name; });
    const bool pending = known == documents.end() || known->state == LinkedDocument::State::kPending;
    content.pending = content.pending || pending;
    value = document_value(!pending && known->state == LinkedDocument::State::kFetched ? std::optional(known->sha256)
                                                                                       : std::nullopt);
  }
  return content;
}

std::string joined(const std::map<std::string, std::string>& members) {
  std::string text = "{";
  for (const auto& [name, value] : members) {
    if (text.size() > 1) text += ',';
    append_json_string(text, name);
    text += ':';
    text += value;
  }
  return text + "}";
}

// Everything an included ordered test says besides its content.
void append_frame(std::string& state, element test) {
  std::map<std::string, std::string> attributes;
  object members;
  const auto found = member(test, "attributes");
  if (found && found->get_object().get(members) == simdjson::SUCCESS) {
    for (const auto& attribute : members) {
      if (is_result_member(attribute.key) || attribute.value.is_null()) continue;
      // A link to a requisition is another one in every event: that there is one is what it says. A file that was sent
      // counts by its bytes.
      std::string value;
      std::string_view text;
      if (attribute.value.get_string().get(text) == simdjson::SUCCESS && is_link(text)) {
        value = document_value(std::nullopt);
      } else {
        append_canonical(value, attribute.value);
      }
      attributes.try_emplace(std::string(attribute.key), std::move(value));
    }
  }
  state += joined(attributes);
  if (const auto relationships = member(test, "relationships")) append_canonical(state, *relationships);
}

// The ordered tests that the order lists; `listed` stays empty where it lists none, and then every included one is
// taken.
std::vector<std::string> listed_tests(const std::optional<element>& order) {
  std::vector<std::string> listed;
  for_each(member(member(member(order, "relationships"), "ordered_tests"), "data"),
           [&](element link) { listed.push_back(id_text(member(link, "id"))); });
  return listed;
}

struct IncludedTest {
  OrderedTest test;
  std::string frame;
};

// The included ordered tests of the order, by id.
std::map<OrderedTestId, IncludedTest> included_tests(const std::optional<element>& root,
                                                     const std::optional<element>& order,
                                                     const LinkedDocuments& documents, Flags& flags) {
  std::map<OrderedTestId, IncludedTest> tests;
  const auto listed = listed_tests(order);
  for_each_included(root, [&](element resource) {
    if (text_of(member(resource, "type")) != "ordered_test") return;
    const std::string id = id_text(member(resource, "id"));
    if (id.empty()) return;
    if (!listed.empty() && std::ranges::find(listed, id) == listed.end()) return flags.set(Flag::kForeignTest);
    const Content content = content_by_documents(resource, OrderedTestId(id), documents);
    IncludedTest included{{OrderedTestId(id), LabTestId(related_id(resource, "lab_test")),
                           sha256(joined(content.members)), !content.members.empty(), content.pending},
                          {}};
    append_frame(included.frame, resource);
    const auto [kept, added] = tests.try_emplace(included.test.id, included);
    if (!added && (kept->second.test != included.test || kept->second.frame != included.frame))
      flags.set(Flag::kTestTwice);
  });
  return tests;
}

std::vector<PractitionerClinic> included_practitioners(const std::optional<element>& root) {
  std::vector<PractitionerClinic> practitioners;
  for_each_included(root, [&](element resource) {
    if (text_of(member(resource, "type")) != "practitioner") return;
    const std::string id = id_text(member(resource, "id"));
    const std::string clinic = related_id(resource, "clinic");
    if (!id.empty() && !clinic.empty()) practitioners.push_back({PractitionerId(id), ClinicId(clinic)});
  });
  std::ranges::sort(practitioners);
  practitioners.erase(std::ranges::unique(practitioners).begin(), practitioners.end());
  return practitioners;
}

// The clinic that an event names for a practitioner: only if it names one, and only one.
ClinicId clinic_named_for(const PractitionerId& practitioner, const std::vector<PractitionerClinic>& practitioners) {
  ClinicId clinic;
  for (const auto& fact : practitioners) {
    if (fact.practitioner != practitioner) continue;
    if (!clinic.empty()) return {};
    clinic = fact.clinic;
  }
  return clinic;
}

Order decode_order(const std::optional<element>& root, const std::optional<element>& resource,
                   const LinkedDocuments& documents, Event& event) {
  Order order;
  order.id = OrderId(id_text(member(resource, "id")));
  order.patient = PatientId(related_id(resource, "patient"));
  order.practitioner = PractitionerId(related_id(resource, "patients_practitioner"));
  order.status = text_of(member(member(resource, "attributes"), "status"));
  order.clinic = clinic_named_for(order.practitioner, event.practitioners);
  if (order.clinic.empty()) order.clinic = ClinicId(id_text(member(root, "clinic_id")));
  std::string state;
  append_canonical(state, *resource);
  for (auto& [id, included] : included_tests(root, resource, documents, event.flags)) {
    state += json_string(id.text()) + included.frame;
    order.tests.push_back(included.test);
  }
  order.state = sha256(state);
  if (order.practitioner.empty()) event.flags.set(Flag::kNoPractitioner);
  if (order.clinic.empty()) event.flags.set(Flag::kNoClinic);
  return order;
}

void read_time(Event& event, const std::optional<element>& root) {
  const auto parsed = parse_timestamp(text_of(member(root, "created_at")));
  event.key.created_at = parsed ? parsed->time : kNoTime;
  if (!parsed) event.flags.set(Flag::kNoTime);
  if (parsed && !parsed->had_zone) event.flags.set(Flag::kTimeWithoutZone);
}

std::string compact(const std::optional<element>& value) {
  return value ? std::string(simdjson::minify(*value)) : "null";
}

std::optional<element> find_included(const std::optional<element>& root, std::string_view type, std::string_view id) {
  std::optional<element> found;
  for_each_included(root, [&](element resource) {
    if (!found && text_of(member(resource, "type")) == type && id_text(member(resource, "id")) == id) found = resource;
  });
  return found;
}

std::vector<MemberChange> differences(const std::map<std::string, std::string>& from,
                                      const std::map<std::string, std::string>& to) {
  std::map<std::string, MemberChange> changes;
  for (const auto& [name, value] : from) changes[name] = {name, value, "null"};
  for (const auto& [name, value] : to) {
    auto& change = changes[name];
    change.member = name;
    change.to = value;
  }
  std::vector<MemberChange> changed;
  for (auto& [name, change] : changes) {
    if (change.from != change.to) changed.push_back(std::move(change));
  }
  return changed;
}

std::map<std::string, std::string> attributes_of(const std::optional<element>& resource) {
  std::map<std::string, std::string> attributes;
  object members;
  const auto found = member(resource, "attributes");
  if (!found || found->get_object().get(members) != simdjson::SUCCESS) return attributes;
  for (const auto& attribute : members) append_canonical(attributes[std::string(attribute.key)], attribute.value);
  return attributes;
}

}  // namespace

Event decode_event(std::string_view body, const Sha256& body_sha256, const LinkedDocuments& documents) {
  Event event;
  const JsonBody document(body);
  const auto& root = document.root();
  if (document.repaired()) event.flags.set(Flag::kRepairedText);
  if (!root) event.flags.set(Flag::kNotJson);
  if (root && !root->is_object()) event.flags.set(Flag::kNotAnEvent);

  const std::string id = id_text(member(root, "id"));
  event.key.id = EventId(id.empty() ? body_sha256.hex() : id);
  if (id.empty()) event.flags.set(Flag::kNoId);
  event.type = text_of(member(root, "type"));
  if (event.type.empty()) event.flags.set(Flag::kNoType);
  read_time(event, root);
  event.practitioners = included_practitioners(root);

  const auto resource = order_resource(root);
  if (!id_text(member(resource, "id")).empty()) {
    event.order = decode_order(root, resource, documents, event);
  } else {
    event.flags.set(Flag::kNoOrder);
  }
  if (root && root->is_object() && event.type.empty() && !event.order) event.flags.set(Flag::kNotAnEvent);
  return event;
}

Resources resources_of(std::string_view body, const OrderedTestId& test) {
  const JsonBody document(body);
  Resources resources;
  const auto order = order_resource(document.root());
  resources.order = compact(order);
  resources.order_intent = related_id(order, "order_intent");
  if (!test.empty()) resources.ordered_test = compact(find_included(document.root(), "ordered_test", test.text()));
  return resources;
}

std::string attribute_of(std::string_view body, const OrderedTestId& test, std::string_view attribute) {
  const JsonBody document(body);
  const auto resource = find_included(document.root(), "ordered_test", test.text());
  return std::string(text_of(member(member(resource, "attributes"), attribute)));
}

std::vector<MemberChange> content_changes(std::string_view old_body, std::string_view new_body,
                                          const OrderedTestId& test) {
  const JsonBody before(old_body);
  const JsonBody after(new_body);
  return differences(content_of(find_included(before.root(), "ordered_test", test.text())),
                     content_of(find_included(after.root(), "ordered_test", test.text())));
}

std::vector<MemberChange> order_changes(std::string_view old_body, std::string_view new_body) {
  const JsonBody before(old_body);
  const JsonBody after(new_body);
  return differences(attributes_of(order_resource(before.root())), attributes_of(order_resource(after.root())));
}

std::vector<std::string> Flags::names() const {
  static constexpr std::pair<Flag, const char*> kNames[] = {
      {Flag::kNotJson, "not_json"},
      {Flag::kNotAnEvent, "not_an_event"},
      {Flag::kRepairedText, "repaired_text"},
      {Flag::kNoId, "no_id"},
      {Flag::kNoType, "no_type"},
      {Flag::kNoTime, "no_time"},
      {Flag::kTimeWithoutZone, "time_without_zone"},
      {Flag::kNoOrder, "no_order"},
      {Flag::kNoPractitioner, "no_practitioner"},
      {Flag::kNoClinic, "no_clinic"},
      {Flag::kForeignTest, "foreign_test"},
      {Flag::kTestTwice, "test_twice"},
      {Flag::kStale, "stale"},
      {Flag::kConflict, "conflict"},
      {Flag::kReconciled, "reconciled"},
  };
  std::vector<std::string> names;
  for (const auto& [flag, name] : kNames) {
    if (has(flag)) names.emplace_back(name);
  }
  return names;
}

}  // namespace resultsync::orders
