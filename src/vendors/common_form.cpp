#include "vendors/common_form.hpp"

#include <algorithm>
#include <array>

#include "base/json_writer.hpp"
#include "base/timestamp.hpp"
#include "orders/documents.hpp"
#include "orders/json_body.hpp"
#include "vendors/fullscript.hpp"
#include "vendors/link_json.hpp"
#include "vendors/network.hpp"

namespace resultsync::vendors {
namespace {

using orders::JsonBody;
using simdjson::dom::element;
using Pointer = std::optional<std::string>;

constexpr std::size_t kPointerBytesMax = 512;
constexpr std::size_t kFindingsTestsMax = 20;
constexpr std::int64_t kMillisecondsFrom = 100'000'000'000;  // as seconds, this is the year 5138

constexpr NamedPointer kNames[] = {
    {"id", &Pointers::id},
    {"type", &Pointers::type},
    {"time", &Pointers::time},
    {"clinic", &Pointers::clinic},
    {"practitioner", &Pointers::practitioner},
    {"patient", &Pointers::patient},
    {"order", &Pointers::order},
    {"status", &Pointers::status},
    {"tests", &Pointers::tests},
    {"test", &Pointers::test, true},
    {"lab_test", &Pointers::lab_test, true},
    {"received", &Pointers::received, true},
    {"hl7", &Pointers::hl7, true},
    {"pdf", &Pointers::pdf, true},
    {"requisition", &Pointers::requisition, true},
};

// What stands there and is not null.
std::optional<element> at(const std::optional<element>& root, const Pointer& pointer) {
  element found;
  if (!root || !pointer) return std::nullopt;
  if (pointer->empty()) return root;
  if ((!root->is_object() && !root->is_array()) || root->at_pointer(*pointer).get(found) != simdjson::SUCCESS ||
      found.is_null())
    return std::nullopt;
  return found;
}

std::string id_at(const std::optional<element>& root, const Pointer& pointer) {
  return orders::id_text(at(root, pointer));
}

// A text as it is, a number or a boolean as it is written; a list or an object is no word.
std::string word_at(const std::optional<element>& root, const Pointer& pointer) {
  const auto found = at(root, pointer);
  if (!found || found->is_object() || found->is_array()) return {};
  return found->is_string() ? orders::text_of(found) : std::string(simdjson::minify(*found));
}

std::string time_at(const std::optional<element>& root, const Pointer& pointer) {
  const auto found = at(root, pointer);
  std::int64_t number = 0;
  if (!found || found->get_int64().get(number) != simdjson::SUCCESS) return orders::text_of(found);
  const bool is_milliseconds = number >= kMillisecondsFrom || number <= -kMillisecondsFrom;
  constexpr std::int64_t kMost = 253'402'300'799;  // the end of the year 9999
  const std::int64_t seconds = is_milliseconds ? number / 1000 : number;
  if (seconds < 0 || seconds > kMost) return {};
  return format_timestamp({is_milliseconds ? number * 1000 : number * 1'000'000});
}

// The ordered tests: those of a list, or the one.
std::vector<element> tests_at(const std::optional<element>& root, const Pointer& pointer) {
  std::vector<element> tests;
  const auto found = at(root, pointer);
  if (!found) return tests;
  if (found->is_object()) return {*found};
  orders::for_each(found, [&](element one) { tests.push_back(one); });
  return tests;
}

std::string test_id(const std::optional<element>& root, const Pointers& pointers, element test,
                    const std::string& order) {
  const std::string id = id_at(test, pointers.test);
  const auto whole = at(root, pointers.tests);
  return id.empty() && whole && whole->is_object() ? order : id;
}

void write_test(JsonWriter& json, const Pointers& pointers, element test, const std::string& id) {
  json.begin_object().key("attributes").begin_object();
  const auto text = [&](std::string_view name, const Pointer& pointer) {
    if (const auto found = orders::text_of(at(test, pointer)); !found.empty()) json.member(name, found);
  };
  if (const auto received = time_at(test, pointers.received); !received.empty())
    json.member("date_results_received_from_lab", received);
  text("requisition", pointers.requisition);
  text("results_hl7", pointers.hl7);
  text("results_pdf", pointers.pdf);
  json.end_object().member("id", id).key("relationships").begin_object();
  write_link(json, "lab_test", "lab_test", id_at(test, pointers.lab_test));
  json.end_object().member("type", "ordered_test").end_object();
}

std::string generic_form(const Pointers& pointers, std::string_view message_id, std::string_view body) {
  const JsonBody document(body);
  const auto& root = document.root();
  if (!root || (!root->is_object() && !root->is_array())) return std::string(body);
  const std::string order = id_at(root, pointers.order);
  const std::string practitioner = id_at(root, pointers.practitioner);
  JsonWriter json;
  json.begin_object();
  if (const auto clinic = id_at(root, pointers.clinic); !clinic.empty()) json.member("clinic_id", clinic);
  if (const auto time = time_at(root, pointers.time); !time.empty()) json.member("created_at", time);
  json.key("data").begin_object();
  if (!order.empty()) {
    std::vector<std::string> ids;
    json.key("included").begin_array();
    for (const element test : tests_at(root, pointers.tests)) {
      const std::string id = test_id(root, pointers, test, order);
      if (id.empty()) continue;
      ids.push_back(id);
      write_test(json, pointers, test, id);
    }
    json.end_array().key("object").begin_object().key("attributes").begin_object();
    if (const auto status = word_at(root, pointers.status); !status.empty()) json.member("status", status);
    json.end_object().member("id", order).key("relationships").begin_object();
    json.key("ordered_tests").begin_object().key("data").begin_array();
    for (const std::string& id : ids) json.begin_object().member("id", id).member("type", "ordered_test").end_object();
    json.end_array().end_object();
    write_link(json, "patient", "patient", id_at(root, pointers.patient));
    write_link(json, "patients_practitioner", "practitioner", practitioner);
    json.end_object().member("type", "order").end_object();
  }
  json.end_object();
  const std::string id = pointers.id ? id_at(root, pointers.id) : std::string(message_id);
  if (!id.empty()) json.member("id", id);
  if (const auto type = word_at(root, pointers.type); !type.empty()) json.member("type", type);
  return json.end_object().take();
}

// What a person needs to see: an id as it is; of a document only what it is, and never a link, which is a secret (P4).
std::string shown(std::string_view name, const std::optional<element>& root, const Pointer& pointer) {
  if (name == "tests") {
    const auto found = at(root, pointer);
    if (!found || (!found->is_array() && !found->is_object())) return {};
    if (found->is_object()) return "one";
    return "a list of " + std::to_string(tests_at(root, pointer).size());
  }
  if (name == "time" || name == "received") return time_at(root, pointer);
  if (name == "hl7" || name == "pdf" || name == "requisition") {
    const std::string text = orders::text_of(at(root, pointer));
    if (text.empty()) return {};
    if (orders::is_link(text)) return "a link";
    const std::string bytes = orders::bytes_of(text);
    return std::string(orders::sniff_media_type(bytes)) + ", " + std::to_string(bytes.size()) + " bytes";
  }
  return name == "status" || name == "type" ? word_at(root, pointer) : id_at(root, pointer);
}

}  // namespace

std::span<const NamedPointer> pointer_names() {
  return kNames;
}

Result<void> check_pointer(std::string_view text) {
  if (text.empty()) return {};
  if (text.size() > kPointerBytesMax) return fail("bad_pointer", "a JSON pointer of more than 512 bytes is none", "");
  if (text.front() != '/') {
    std::string_view path = text;
    if (path.starts_with('$')) path.remove_prefix(1);  // a JSONPath
    if (path.starts_with('#')) path.remove_prefix(1);  // as in a URI
    std::string meant;
    for (const char c : path) {
      if (c == ']' || c == '\'' || c == '"') continue;
      meant += c == '.' || c == '[' ? '/' : c;
    }
    if (!meant.starts_with('/')) meant.insert(0, "/");
    return fail("bad_pointer", "a JSON pointer begins with a slash (RFC 6901)", "did you mean \"" + meant + "\"?");
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '~') continue;
    const bool known = i + 1 < text.size() && (text[i + 1] == '0' || text[i + 1] == '1');
    if (!known) {
      return fail("bad_pointer", "in a JSON pointer ~ is followed by 0 (for ~) or 1 (for /)",
                  "write ~0 where a member's name has a ~");
    }
  }
  return {};
}

std::string in_common_form(const Source& source, std::string_view message_id, std::string_view body) {
  if (source.vendor == "generic") return generic_form(source.pointers, message_id, body);
  if (source.vendor == "fullscript") return fullscript_event(body);
  return std::string(body);
}

std::vector<PointerFinding> explain_pointers(const Source& source, std::string_view body) {
  std::vector<PointerFinding> findings;
  const JsonBody document(body);
  const Pointers& pointers = source.pointers;
  const auto note = [&](const NamedPointer& named, const std::optional<element>& root, std::string place) {
    const Pointer& pointer = pointers.*named.member;
    if (!pointer) return;
    findings.push_back(
        {"pointer_" + std::string(named.name), *pointer, shown(named.name, root, pointer), std::move(place)});
  };
  for (const NamedPointer& named : kNames) {
    if (!named.of_test) note(named, document.root(), {});
  }
  const auto tests = tests_at(document.root(), pointers.tests);
  for (std::size_t i = 0; i < std::min(tests.size(), kFindingsTestsMax); ++i) {
    for (const NamedPointer& named : kNames) {
      if (named.of_test) note(named, tests[i], std::to_string(i + 1));
    }
  }
  return findings;
}

}  // namespace resultsync::vendors
