#include "hl7/json.hpp"

namespace resultsync::hl7 {
namespace {

// HL7's null is JSON's null, everywhere.
void write_leaf(const Value& value, JsonWriter& json) {
  if (value.null()) {
    json.null();
    return;
  }
  std::string scratch;
  json.string(value.text(scratch));
}

void write_component(const Component& component, JsonWriter& json) {
  const auto parts = component.subcomponents();
  if (parts.size() < 2) return write_leaf(component, json);
  json.begin_array();
  for (const Subcomponent part : parts) write_leaf(part, json);
  json.end_array();
}

// A single component with subcomponents is an array within an array, so that depth always tells which it is.
void write_repetition(const Repetition& repetition, JsonWriter& json) {
  const auto parts = repetition.components();
  if (parts.size() < 2 && parts[1].subcomponents().size() < 2) return write_leaf(repetition, json);
  json.begin_array();
  for (const Component part : parts) write_component(part, json);
  json.end_array();
}

void write_field(const Field& field, JsonWriter& json) {
  json.begin_array();
  for (const Repetition repetition : field.repetitions()) write_repetition(repetition, json);
  json.end_array();
}

void write_node(const Message& message, const Tree& tree, std::uint32_t index, JsonWriter& json) {
  const Node& node = tree.nodes[index];
  if (!node.is_group()) return write_json(message.segment(node.segment), json);
  json.begin_object();
  if (index == 0) {
    json.key("name").string(message.has_header() ? message.structure() : std::string(node.name));
  } else {
    json.member("name", node.name);
  }
  json.key("children").begin_array();
  for (std::uint32_t child = node.first_child; child != kNoNode; child = tree.nodes[child].next) {
    write_node(message, tree, child, json);
  }
  json.end_array().end_object();
}

void write_diagnostics(const std::vector<Diagnostic>& diagnostics, JsonWriter& json) {
  for (const Diagnostic& diagnostic : diagnostics) {
    json.begin_object().member("code", diagnostic.code()).member("severity", severity_name(diagnostic.severity()));
    json.key("segment");
    if (diagnostic.segment == kNoSegment) {
      json.null();
    } else {
      json.number(static_cast<std::int64_t>(diagnostic.segment));
    }
    json.member("offset", static_cast<std::uint64_t>(diagnostic.offset))
        .member("message", diagnostic.sentence())
        .end_object();
  }
}

void member(JsonWriter& json, std::string_view name, const std::string& value) {
  json.key(name).string(value);
}

// A delimiter that the message does not have is empty.
void member(JsonWriter& json, std::string_view name, char delimiter) {
  json.key(name).string(std::string_view(&delimiter, delimiter == '\0' ? 0 : 1));
}

}  // namespace

void write_json(const Segment& segment, JsonWriter& json) {
  json.begin_object();
  if (segment.name().empty()) {
    json.key("name").null();
    json.member("index", static_cast<std::int64_t>(segment.index()));
    json.member("text", segment.raw()).end_object();
    return;
  }
  json.member("name", segment.name()).member("index", static_cast<std::int64_t>(segment.index()));
  json.key("fields").begin_array();
  for (std::uint32_t number = 1; number <= segment.field_count(); ++number) write_field(segment.field(number), json);
  json.end_array().end_object();
}

void write_json(const std::vector<Diagnostic>& diagnostics, JsonWriter& json) {
  json.begin_array();
  write_diagnostics(diagnostics, json);
  json.end_array();
}

void write_json(const Message& message, const Tree& tree, JsonWriter& json) {
  json.begin_object();
  write_members(message, tree, {}, json);
  json.end_object();
}

void write_members(const Message& message, const Tree& tree, const std::vector<Diagnostic>& of_input,
                   JsonWriter& json) {
  const std::string event = message.event();
  member(json, "type", message.code() + (event.empty() ? "" : "^" + event));
  member(json, "structure", message.structure());
  member(json, "control_id", message.control_id());
  member(json, "version", message.version());
  const Delimiters& d = message.delimiters();
  json.key("delimiters").begin_object();
  member(json, "field", d.field);
  member(json, "component", d.component);
  member(json, "repetition", d.repetition);
  member(json, "escape", d.escape);
  member(json, "subcomponent", d.subcomponent);
  member(json, "truncation", d.truncation);
  json.end_object();
  json.key("character_set").begin_object();
  const CharacterSet* declared = message.declared_character_set();
  json.key("declared");
  if (declared == nullptr) {
    json.null();
  } else {
    json.string(declared->name);
  }
  json.member("read_as", message.character_set().name).end_object();
  json.member("offset", static_cast<std::uint64_t>(message.source_offset()));
  json.key("tree");
  write_node(message, tree, 0, json);
  json.key("diagnostics").begin_array();
  write_diagnostics(of_input, json);
  write_diagnostics(message.diagnostics(), json);
  write_diagnostics(tree.diagnostics.list(), json);
  json.end_array();
}

void write_json(const Message& message, JsonWriter& json) {
  write_json(message, group(message), json);
}

}  // namespace resultsync::hl7
