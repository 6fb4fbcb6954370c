#include "orders/decode.hpp"

#include <simdjson.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "orders/canonical.hpp"

namespace resultsync::orders {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// A parsed body. simdjson reads past the end of its input, so the bytes are copied into a padded buffer; both are
// reused by the next body of the same thread unless they have grown large.
class Document {
 public:
  // Parses `body`; `root()` is empty if it is no JSON. Ill-formed UTF-8 is repaired once.
  explicit Document(std::string_view body) {
    if (!parse(body) && error_ == simdjson::UTF8_ERROR) {
      repaired_ = true;
      parse(repair_utf8(body));
    }
  }
  [[nodiscard]] const std::optional<element>& root() const { return root_; }
  [[nodiscard]] bool repaired() const { return repaired_; }

 private:
  bool parse(std::string_view body) {
    if (body.starts_with("\xef\xbb\xbf")) body.remove_prefix(3);
    padded_ = simdjson::padded_string(body);
    element root;
    error_ = parser_.parse(padded_).get(root);
    if (error_ == simdjson::SUCCESS) root_ = root;
    return root_.has_value();
  }

  simdjson::padded_string padded_;
  simdjson::dom::parser parser_;
  std::optional<element> root_;
  simdjson::error_code error_ = simdjson::SUCCESS;
  bool repaired_ = false;
};

std::optional<element> member(const std::optional<element>& parent, std::string_view name) {
  if (!parent) return std::nullopt;
  object members;
  if (parent->get_object().get(members) != simdjson::SUCCESS) return std::nullopt;
  element value;
  if (members.at_key(name).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return value;
}

std::string text_of(const std::optional<element>& value) {
  std::string_view text;
  if (!value || value->get_string().get(text) != simdjson::SUCCESS) return {};
  return std::string(text);
}

// An id is text, or a number that some senders write instead; what is empty or too long is no id.
std::string id_text(const std::optional<element>& value) {
  std::string text;
  if (value && (value->is_int64() || value->is_uint64())) {
    append_canonical(text, *value);
  } else {
    text = text_of(value);
  }
  return text.size() <= kIdBytesMax ? text : std::string{};
}

// relationships.<name>.data.id
std::string related_id(const std::optional<element>& resource, std::string_view name) {
  return id_text(member(member(member(member(resource, "relationships"), name), "data"), "id"));
}

// Calls `visit` for each element of an array; anything else has none.
template <class Visit>
void for_each(const std::optional<element>& array, Visit visit) {
  simdjson::dom::array items;
  if (!array || array->get_array().get(items) != simdjson::SUCCESS) return;
  for (const element item : items) visit(item);
}

// The order resource: `data.object`, or `data` itself where a sender leaves the wrapper out.
std::optional<element> order_resource(const std::optional<element>& root) {
  const auto data = member(root, "data");
  auto resource = member(data, "object");
  if (!resource && text_of(member(data, "type")) == "order") resource = data;
  if (!resource) return std::nullopt;
  const std::string type = text_of(member(resource, "type"));
  return type.empty() || type == "order" ? resource : std::nullopt;
}

template <class Visit>
void for_each_included(const std::optional<element>& root, Visit visit) {
  for_each(member(member(root, "data"), "included"), visit);
  for_each(member(root, "included"), visit);
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
      std::string value;
      append_canonical(value, attribute.value);
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
                                                     const std::optional<element>& order, Flags& flags) {
  std::map<OrderedTestId, IncludedTest> tests;
  const auto listed = listed_tests(order);
  for_each_included(root, [&](element resource) {
    if (text_of(member(resource, "type")) != "ordered_test") return;
    const std::string id = id_text(member(resource, "id"));
    if (id.empty()) return;
    if (!listed.empty() && std::ranges::find(listed, id) == listed.end()) return flags.set(Flag::kForeignTest);
    const auto content = content_of(resource);
    IncludedTest included{
        {OrderedTestId(id), LabTestId(related_id(resource, "lab_test")), sha256(joined(content)), !content.empty()},
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

Order decode_order(const std::optional<element>& root, const std::optional<element>& resource, Event& event) {
  Order order;
  order.id = OrderId(id_text(member(resource, "id")));
  order.patient = PatientId(related_id(resource, "patient"));
  order.practitioner = PractitionerId(related_id(resource, "patients_practitioner"));
  order.status = text_of(member(member(resource, "attributes"), "status"));
  order.clinic = clinic_named_for(order.practitioner, event.practitioners);
  std::string state;
  append_canonical(state, *resource);
  for (auto& [id, included] : included_tests(root, resource, event.flags)) {
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

Event decode_event(std::string_view body, const Sha256& body_sha256) {
  Event event;
  const Document document(body);
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
    event.order = decode_order(root, resource, event);
  } else {
    event.flags.set(Flag::kNoOrder);
  }
  if (root && root->is_object() && event.type.empty() && !event.order) event.flags.set(Flag::kNotAnEvent);
  return event;
}

Resources resources_of(std::string_view body, const OrderedTestId& test) {
  const Document document(body);
  Resources resources;
  resources.order = compact(order_resource(document.root()));
  if (!test.empty()) resources.ordered_test = compact(find_included(document.root(), "ordered_test", test.text()));
  return resources;
}

std::string attribute_of(std::string_view body, const OrderedTestId& test, std::string_view attribute) {
  const Document document(body);
  const auto resource = find_included(document.root(), "ordered_test", test.text());
  return std::string(text_of(member(member(resource, "attributes"), attribute)));
}

std::vector<MemberChange> content_changes(std::string_view old_body, std::string_view new_body,
                                          const OrderedTestId& test) {
  const Document before(old_body);
  const Document after(new_body);
  return differences(content_of(find_included(before.root(), "ordered_test", test.text())),
                     content_of(find_included(after.root(), "ordered_test", test.text())));
}

std::vector<MemberChange> order_changes(std::string_view old_body, std::string_view new_body) {
  const Document before(old_body);
  const Document after(new_body);
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
  };
  std::vector<std::string> names;
  for (const auto& [flag, name] : kNames) {
    if (has(flag)) names.emplace_back(name);
  }
  return names;
}

}  // namespace resultsync::orders
