// One conversion on its way: what is written already, and under which id. The parts of it stand in a file each:
//
//   conversion.cpp   the order of things: patients, then each report with what it needs
//   datatypes.cpp    codes, identifiers, quantities, times, ranges
//   people.cpp       Patient, Practitioner, PractitionerRole, Organization
//   observation.cpp  Observation
//   report.cpp       DiagnosticReport, ServiceRequest, Specimen
//   document.cpp     DocumentReference, Provenance
//
// A resource is written while no other is open, so each function first makes sure of all that it will refer to.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fhir/builder.hpp"
#include "fhir/fhir.hpp"
#include "fhir/terms.hpp"
#include "results/interpret.hpp"
#include "results/versions.hpp"

namespace resultsync::fhir {

// "2024-05-07T10:30:00-05:00"; without a zone, or with a time of day that is an hour alone, the date, because a FHIR
// dateTime that has a time has minutes and a zone. `dropped` is then the local time as ISO 8601.
struct DateTime {
  std::string text;
  std::string dropped;
};
DateTime date_time(const results::Moment& moment, std::optional<int> zone);
std::optional<Span> span_of(const results::Moment& moment, std::optional<int> zone);

class Conversion {
 public:
  Conversion(const results::Interpretation& message, const Context& context);
  Resources run();

 private:
  using Search = Builder::Search;

  // A resource that is there, and whether it satisfies what US Core asks of the target of a reference.
  struct Known {
    std::string_view id;  // "" if there is none
    Type type = Type::patient;
    bool us_core = false;
    explicit operator bool() const { return !id.empty(); }
  };
  struct ReportNames {
    std::string_view id, request;
    std::uint64_t hash = 0;
    std::vector<std::string_view> observations;
    Known patient;
    std::vector<Known> specimens;
    std::optional<int> zone;
    std::string_view category;  // of its observations
    Builder::Passage identifiers, test;
  };
  // Whose observation it is.
  struct Place {
    const results::Report* report = nullptr;  // null outside every order
    const ReportNames* names = nullptr;
    Known patient;
    std::optional<int> zone;
  };
  struct Rendered {
    results::Moment moment;
    std::optional<int> zone;
    DateTime time;
    std::optional<Span> span;
  };
  struct File {  // an attachment of the observation that is about to be written
    const results::Attachment* attachment;
    std::string_view id;
  };

  // ---- conversion.cpp
  void name_reports();
  std::uint64_t name_of(const results::Report& report) const;
  void link_members();
  void convert_report(std::size_t index);

  // ---- datatypes.cpp
  std::string_view code_system(std::string_view name);
  std::string_view new_code_system(std::string_view name);
  std::string_view assigner_system(const results::Identifier& identifier);
  std::string_view local_system(std::string_view kind, std::string_view name);
  void coding(const results::Coding& coding, std::string_view system);
  void concept_members(const results::Codes& codes, std::optional<Search> search);
  bool concept_of(std::string_view key, const results::Codes& codes, std::optional<Search> search = {});
  void code_and_text(std::string_view system, std::string_view code, std::string_view display);
  bool identifier(const results::Identifier& identifier, std::string_view type);  // an element; type "" is its own
  void network_identifier(std::string_view kind, std::string_view value);
  void type_member(std::string_view code);
  void quantity(std::string_view key, const results::Decimal& number, results::Comparator comparator,
                const results::Unit* unit);
  // Writes a dateTime, with the local time beside it where there is no zone. False if it is no time.
  bool time(std::string_view key, const results::Moment& moment, std::optional<int> zone);
  // date_time() and span_of(), remembered: the times of one message are few. Good until the next call.
  const Rendered& rendered(const results::Moment& moment, std::optional<int> zone);
  bool instant(std::string_view key, const results::Moment& moment, std::optional<int> zone);
  bool period(std::string_view key, const results::Moment& start, const results::Moment& end, std::optional<int> zone);
  void ranges(const results::Observation& observation);
  void range_line(const results::ReferenceRange& line, std::string_view text, const results::Unit& unit);
  void unit_members(const results::Unit& unit);
  void bound(std::string_view key, const std::optional<results::Bound>& bound, const results::Unit& unit);
  bool note(std::string_view text);  // an element
  void absent(std::string_view reason);

  // ---- people.cpp
  Known patient(const results::Patient& patient);
  void patient_members(const results::Patient& patient);
  [[nodiscard]] bool is_networks() const;
  Known network_patient();
  Known practitioner(const results::Person& person);
  Known organization(const results::Organization& organization);
  Known clinic();
  Known sender();
  Known role(Known practitioner, Known organization, std::string_view code, std::string_view network_id);
  void human_name(const results::PersonName& name);
  void address(const results::Address& address);
  void telecom(const results::Telecom& telecom);

  // ---- observation.cpp
  bool observation(const results::Observation& observation, std::string_view id, const Place& place);
  const std::vector<Known>& performers(const results::Observation& observation);
  void find_values(const results::Observation& observation);
  void values(const results::Observation& observation, const std::vector<File>& files, std::optional<int> zone);
  bool value(const results::Observation& observation, const results::Value& value, std::optional<int> zone);
  void components(const results::Observation& observation, const std::vector<const results::Value*>& values,
                  std::optional<int> zone);
  void status(const results::Observation& observation);
  void code_of(const results::Observation& observation, std::optional<Search> search);
  void interpretation(const results::Observation& observation);
  void extensions_of(const results::Observation& observation, const std::vector<File>& files, std::optional<int> zone);
  void notes(const results::Observation& observation);
  void equipment(const results::Observation& observation);
  void method_and_device(const results::Making& made);
  bool effective(const results::Observation& observation, const Place& place);
  void circumstances(const results::Observation& observation, const Place& place,
                     const std::vector<Known>& performed_by);

  // ---- report.cpp
  void report(const results::Report& report, ReportNames& names, bool us_core);
  void request(const results::Report& report, ReportNames& names);
  Known specimen(const results::Specimen& specimen, const ReportNames& names);
  bool report_effective(const results::Report& report);
  void report_identifiers(const results::Report& report, ReportNames& names);
  bool test_of(const results::Report& report, ReportNames& names);
  void section(const results::Report& report);
  void specimens_of(const ReportNames& names);
  void subject(Known patient, bool required);

  // ---- document.cpp
  std::vector<File> documents(const results::Observation& observation, const Place& place);
  void attachment(std::string_view key, const results::Attachment& attachment, std::string_view title, bool with_bytes);
  std::string url_of(const results::Attachment& attachment) const;
  const results::Document* document_named(const Sha256& digest);
  const std::string& sha1_of(const results::Document& document);
  void provenance();

  const results::Interpretation& message_;
  const Context& context_;
  Builder out_;
  Json& json_;
  std::vector<Known> patients_;
  std::vector<ReportNames> reports_;
  // The members of an observation, by report and index.
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::string_view>> members_;
  std::unordered_map<std::uint64_t, Known> known_;  // people, places, specimens, documents, by what names them
  std::vector<std::pair<std::string, std::string_view>> systems_;       // URIs made for names of the sender
  std::vector<std::pair<std::string, std::string_view>> code_systems_;  // by their names in the message
  std::vector<Rendered> rendered_;
  const results::Observation* performed_before_ = nullptr;
  std::vector<Known> performers_before_;
  bool same_performers_ = false;  // as those of the observation before
  // What neighbouring observations say in the same words.
  const results::Observation* circumstances_of_ = nullptr;
  const ReportNames* circumstances_in_ = nullptr;
  Builder::Passage circumstances_;
  const results::Observation* equipment_of_ = nullptr;
  Builder::Passage equipment_;
  std::vector<const results::Value*> values_;  // of the observation that is being written
  const results::Unit* own_unit_ = nullptr;    // likewise
  std::vector<std::pair<const results::Unit*, Builder::Passage>> units_;
  std::unordered_map<std::string_view, const results::Document*> documents_;  // by digest; filled when first asked
  std::unordered_map<const results::Document*, std::string> sha1_;
  std::vector<std::string_view> sources_;  // ids of reports: what the Provenance is about
};

}  // namespace resultsync::fhir
