// Builds the body of an event of the network's shape, for tests:
//
//   EventBody("evt_1").at("2026-01-01T10:00:00Z").order("ord_1").by("pra_1", "cli_1").test("ordts_1", "A").text()
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json_writer.hpp"

namespace resultsync::test {

class EventBody {
 public:
  explicit EventBody(std::string id) : id_(std::move(id)) {}

  EventBody& at(std::string created_at) { return created_at_ = std::move(created_at), *this; }
  EventBody& type(std::string type) { return type_ = std::move(type), *this; }
  EventBody& order(std::string id) { return order_ = std::move(id), *this; }
  EventBody& status(std::string status) { return status_ = std::move(status), *this; }
  EventBody& patient(std::string id) { return patient_ = std::move(id), *this; }
  // The patient's practitioner; with a clinic if it is included.
  EventBody& by(std::string practitioner, std::optional<std::string> clinic = {}) {
    practitioner_ = std::move(practitioner);
    clinic_ = std::move(clinic);
    return *this;
  }
  // An included ordered test; `hl7` empty: all its result members are null.
  EventBody& test(std::string id, std::string hl7 = {}) {
    return tests_.emplace_back(std::move(id), std::move(hl7)), *this;
  }

  [[nodiscard]] std::string text() const {
    JsonWriter json;
    json.begin_object().member("created_at", created_at_).key("data").begin_object();
    json.key("object").begin_object().key("attributes").begin_object().member("status", status_).end_object();
    json.member("id", order_)
        .key("relationships")
        .begin_object()
        .key("ordered_tests")
        .begin_object()
        .key("data")
        .begin_array();
    for (const auto& [id, hl7] : tests_)
      json.begin_object().member("id", id).member("type", "ordered_test").end_object();
    json.end_array().end_object();
    relationship(json, "patient", patient_, "patient");
    relationship(json, "patients_practitioner", practitioner_, "practitioner");
    json.end_object().member("type", "order").end_object();
    json.key("included").begin_array();
    for (const auto& [id, hl7] : tests_) {
      json.begin_object()
          .key("attributes")
          .begin_object()
          .key("date_results_received_from_lab")
          .null()
          .key("requisition")
          .null();
      json.key("results_hl7");
      hl7.empty() ? json.null() : json.string(hl7);
      json.key("results_pdf").null().end_object().member("id", id).member("type", "ordered_test").end_object();
    }
    if (clinic_) {
      json.begin_object()
          .member("id", practitioner_)
          .member("type", "practitioner")
          .key("relationships")
          .begin_object();
      relationship(json, "clinic", *clinic_, "clinic");
      json.end_object().end_object();
    }
    json.end_array().end_object().member("id", id_).member("type", type_).end_object();
    return json.take();
  }

 private:
  static void relationship(JsonWriter& json, const char* name, const std::string& id, const char* type) {
    json.key(name)
        .begin_object()
        .key("data")
        .begin_object()
        .member("id", id)
        .member("type", type)
        .end_object()
        .end_object();
  }

  std::string id_;
  std::string created_at_ = "2026-01-01T10:00:00Z";
  std::string type_ = "order.new_result";
  std::string order_ = "ord_1";
  std::string status_ = "In Progress";
  std::string patient_ = "pat_1";
  std::string practitioner_ = "pra_1";
  std::optional<std::string> clinic_ = "cli_1";
  std::vector<std::pair<std::string, std::string>> tests_;
};

}  // namespace resultsync::test
