#include "sandbox/intent_body.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/timestamp.hpp"

namespace resultsync::sandbox {
namespace {

using simdjson::dom::element;

constexpr std::size_t kBodyMax = 256 * 1024;
constexpr std::size_t kTextMax = 2000;
constexpr std::size_t kLabTestsMax = 30;  // of one order
constexpr std::size_t kMetadataMax = 16 * 1024;

// A member that may be absent or null; anything but text is an error.
std::optional<std::string> text_of(element object, const char* name, const std::string& pointer,
                                   std::vector<ApiError>& errors) {
  element value;
  if (object[name].get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS || text.size() > kTextMax) {
    errors.push_back({.detail = "Not a valid string.", .pointer = pointer + "/" + name});
    return std::nullopt;
  }
  return std::string(text);
}

bool is_email(std::string_view text) {
  const std::size_t at = text.find('@');
  return at != 0 && at != std::string_view::npos && text.find('.', at) != std::string_view::npos &&
         text.find_first_of(" \t\r\n<>\"") == std::string_view::npos;
}

bool is_date(std::string_view text) {
  return text.size() == 10 && parse_timestamp(text).has_value();
}

PatientBody patient_of(element object, const std::string& pointer, Completeness completeness,
                       std::vector<ApiError>& errors) {
  PatientBody body;
  body.first_name = text_of(object, "first_name", pointer, errors);
  body.last_name = text_of(object, "last_name", pointer, errors);
  body.email = text_of(object, "email", pointer, errors);
  body.phone = text_of(object, "phone_number", pointer, errors);
  if (!body.phone) body.phone = text_of(object, "phone", pointer, errors);
  body.birthday = text_of(object, "birthday", pointer, errors);
  body.gender = text_of(object, "gender", pointer, errors);
  element address;
  if (object["shipping_address"].get(address) == simdjson::SUCCESS && address.is_object()) {
    const std::string at = pointer + "/shipping_address";
    body.street = text_of(address, "street", at, errors);
    body.city = text_of(address, "city", at, errors);
    body.state = text_of(address, "state", at, errors);
    body.zipcode = text_of(address, "zipcode", at, errors);
  }
  const auto needed = [&](const std::optional<std::string>& value, const char* name) {
    if (completeness == Completeness::kWhole ? !value || value->empty() : value && value->empty())
      errors.push_back({.detail = value ? "This field may not be blank." : "This field is required.",
                        .pointer = pointer + "/" + name});
  };
  needed(body.first_name, "first_name");
  needed(body.last_name, "last_name");
  needed(body.email, "email");
  if (body.email && !body.email->empty() && !is_email(*body.email))
    errors.push_back({.detail = "Enter a valid email address.", .pointer = pointer + "/email"});
  if (body.birthday && !is_date(*body.birthday))
    errors.push_back({.detail = "Date has wrong format. Use YYYY-MM-DD.", .pointer = pointer + "/birthday"});
  return body;
}

// Parses, and finds the members: those of `data.attributes`, or of the whole flat body.
struct Opened {
  simdjson::dom::parser parser;
  simdjson::padded_string padded;
  element root, attributes, relationships;
  bool has_attributes = false, has_relationships = false;
};

bool open(std::string_view json, std::string_view type, Opened& opened, std::vector<ApiError>& errors) {
  opened.padded = simdjson::padded_string(json);
  if (json.size() > kBodyMax || opened.parser.parse(opened.padded).get(opened.root) != simdjson::SUCCESS ||
      !opened.root.is_object()) {
    errors.push_back({.code = "parse_error", .detail = "JSON parse error."});
    return false;
  }
  if (type.empty()) {
    opened.attributes = opened.root;
    opened.has_attributes = true;
    return true;
  }
  element data;
  std::string_view named;
  if (opened.root["data"].get(data) != simdjson::SUCCESS || !data.is_object()) {
    errors.push_back(
        {.code = "parse_error", .detail = "Received document does not contain primary data", .pointer = "/data"});
    return false;
  }
  if (data["type"].get(named) != simdjson::SUCCESS || named != type) {
    errors.push_back({.status = 409,
                      .code = "conflict",
                      .detail = fmt::format("The resource object's type is not the type that constitute the collection "
                                            "represented by the endpoint ({}).",
                                            type),
                      .pointer = "/data/type"});
    return false;
  }
  opened.has_attributes =
      data["attributes"].get(opened.attributes) == simdjson::SUCCESS && opened.attributes.is_object();
  opened.has_relationships =
      data["relationships"].get(opened.relationships) == simdjson::SUCCESS && opened.relationships.is_object();
  return true;
}

// The id of {"type": …, "id": …}.
std::optional<std::string> id_of_linkage(element linkage, std::string_view type) {
  std::string_view named, id;
  if (!linkage.is_object() || linkage["type"].get(named) != simdjson::SUCCESS || named != type ||
      linkage["id"].get(id) != simdjson::SUCCESS || id.size() > 100)
    return std::nullopt;
  return std::string(id);
}

void read_relationships(element relationships, IntentBody& body, std::vector<ApiError>& errors) {
  element data;
  if (relationships["patient"]["data"].get(data) == simdjson::SUCCESS && !data.is_null()) {
    body.patient = id_of_linkage(data, "patient");
    if (!body.patient)
      errors.push_back(
          {.detail = "Incorrect type. Expected resource identifier object.", .pointer = "/data/relationships/patient"});
  }
  simdjson::dom::array tests;
  if (relationships["lab_tests"]["data"].get(tests) == simdjson::SUCCESS) {
    body.lab_tests.emplace();
    for (const element one : tests) {
      if (auto id = id_of_linkage(one, "lab_test")) {
        body.lab_tests->push_back(std::move(*id));
      } else {
        errors.push_back({.detail = "Incorrect type. Expected resource identifier object.",
                          .pointer = "/data/relationships/lab_tests"});
      }
    }
  }
}

void read_flat_ids(element root, IntentBody& body, std::vector<ApiError>& errors) {
  body.patient = text_of(root, "patient", "", errors);
  element tests;
  if (root["lab_tests"].get(tests) != simdjson::SUCCESS) {
    // The network's README shows them inside patient_data, by a slip that clients have copied.
    if (root["patient_data"]["lab_tests"].get(tests) != simdjson::SUCCESS) return;
  }
  if (!tests.is_array()) {
    errors.push_back({.detail = "Expected a list of items.", .pointer = "/lab_tests"});
    return;
  }
  body.lab_tests.emplace();
  for (const element one : tests.get_array()) {
    std::string_view id;
    if (one.get(id) == simdjson::SUCCESS && id.size() <= 100) {
      body.lab_tests->emplace_back(id);
    } else {
      errors.push_back({.detail = "Not a valid string.", .pointer = "/lab_tests"});
    }
  }
}

}  // namespace

ReadBody<IntentBody> read_intent(std::string_view json, BodyForm form, Completeness completeness) {
  ReadBody<IntentBody> read;
  Opened opened;
  if (!open(json, form == BodyForm::kFlat ? "" : "order_intent", opened, read.errors)) return read;
  IntentBody& body = read.body;
  const std::string pointer = form == BodyForm::kFlat ? "" : "/data/attributes";
  if (opened.has_attributes) {
    body.return_url = text_of(opened.attributes, "return_url", pointer, read.errors);
    element patient;
    if (opened.attributes["patient_data"].get(patient) == simdjson::SUCCESS && patient.is_object())
      body.patient_data = patient_of(patient, pointer + "/patient_data", Completeness::kWhole, read.errors);
    element metadata;
    if (opened.attributes["metadata"].get(metadata) == simdjson::SUCCESS && !metadata.is_null()) {
      body.metadata = simdjson::minify(metadata);
      if (body.metadata->size() > kMetadataMax)
        read.errors.push_back({.detail = "metadata is larger than 16 KiB.", .pointer = pointer + "/metadata"});
    }
  }
  if (form == BodyForm::kFlat) {
    read_flat_ids(opened.root, body, read.errors);
  } else if (opened.has_relationships) {
    read_relationships(opened.relationships, body, read.errors);
  }
  if (body.lab_tests && body.lab_tests->size() > kLabTestsMax)
    read.errors.push_back({.detail = fmt::format("Ensure this field has no more than {} elements.", kLabTestsMax),
                           .pointer = pointer + "/lab_tests"});
  if (completeness == Completeness::kWhole) {
    if (!body.return_url)
      read.errors.push_back({.detail = "This field is required.", .pointer = pointer + "/return_url"});
    if (!body.patient && !body.patient_data)
      read.errors.push_back({.detail = "patient or patient_data is required.",
                             .pointer = form == BodyForm::kFlat ? "/patient" : "/data/relationships/patient"});
  }
  if (body.return_url && !body.return_url->starts_with("http://") && !body.return_url->starts_with("https://"))
    read.errors.push_back({.detail = "Enter a valid URL.", .pointer = pointer + "/return_url"});
  return read;
}

ReadBody<PatientBody> read_patient(std::string_view json, Completeness completeness) {
  ReadBody<PatientBody> read;
  Opened opened;
  if (!open(json, "patient", opened, read.errors)) return read;
  if (opened.has_attributes) {
    read.body = patient_of(opened.attributes, "/data/attributes", completeness, read.errors);
  } else if (completeness == Completeness::kWhole) {
    read.errors.push_back({.detail = "This field is required.", .pointer = "/data/attributes"});
  }
  return read;
}

}  // namespace resultsync::sandbox
