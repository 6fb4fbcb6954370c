#include "results/status.hpp"

namespace resultsync::results {
namespace {

// HL7 table 0085 (v2.8.2). Only C, F, P, D, W and X have an agreed FHIR status; the others follow the definitions of
// FHIR R4's codes.
constexpr StatusRow kObservation[] = {
    {"A", "amended based on additional information", Status::amended, "",
     "FHIR's amended is a change after final by new information"},
    {"B", "appended", Status::amended, "",
     "FHIR's amended takes in updates to a final result; there is no code for additions alone"},
    {"C", "correction of a final result", Status::corrected, "", "the same word in both"},
    {"D", "delete the observation", Status::entered_in_error, "",
     "what was sent is to be taken back; the record that it was sent stays"},
    {"F", "final", Status::final, "", "the same word in both"},
    {"I", "specimen in lab, results pending", Status::registered, "temp-unknown",
     "the observation is known of, and has no result yet"},
    {"N", "not asked", Status::cancelled, "not-asked", "FHIR's cancelled covers a measurement that was never begun"},
    {"O", "order detail only, no result", Status::registered, "temp-unknown",
     "the observation is known of, and has no result yet"},
    {"P", "preliminary", Status::preliminary, "", "the same word in both"},
    {"R", "entered, not verified", Status::preliminary, "", "FHIR's preliminary is an unverified result"},
    {"S", "partial", Status::preliminary, "",
     "an incomplete result may still change; FHIR knows partial only for reports"},
    {"U", "final now, value as sent before", Status::final, "",
     "the status changes and the value stands as it was sent before"},
    {"V", "verified final", Status::final, "", "verification adds nothing that FHIR's final does not say"},
    {"W", "sent earlier is wrong, e.g. wrong patient", Status::entered_in_error, "",
     "the earlier result must not be used for this patient"},
    {"X", "cannot be obtained", Status::cancelled, "error", "the measurement was not completed, and will not be"},
    {"", "blank", Status::unknown, "", "the lab did not say, and no status is safe to assume"},
    {"?", "not in the table", Status::unknown, "", "the lab said something that the table does not know"},
};

// HL7 table 0123 (v2.8.2).
constexpr StatusRow kReport[] = {
    {"A", "some results available", Status::partial, "", "FHIR's partial is a report with some results to come"},
    {"C", "correction", Status::corrected, "", "the same word in both"},
    {"F", "final", Status::final, "", "the same word in both"},
    {"I", "specimen received, procedure incomplete", Status::registered, "",
     "the report is known of, and has no result yet"},
    {"M", "corrected, not final", Status::preliminary, "",
     "FHIR's corrected is final; what is not final may still change"},
    {"N", "procedure complete, results pending", Status::registered, "",
     "the report is known of, and has no result yet"},
    {"O", "order received, specimen not yet", Status::registered, "", "the report is known of, and has no result yet"},
    {"P", "preliminary", Status::preliminary, "", "the same word in both"},
    {"R", "results stored, not verified", Status::partial, "", "FHIR's partial may hold unverified results"},
    {"S", "scheduled, not done", Status::registered, "", "the report is known of, and has no result yet"},
    {"X", "cancelled", Status::cancelled, "", "no result will come"},
    {"Y", "no order on record for this test", Status::unknown, "", "an answer to a query, not a state of the report"},
    {"Z", "no record of this patient", Status::unknown, "", "an answer to a query, not a state of the report"},
    {"", "blank", Status::unknown, "", "the lab did not say, and no status is safe to assume"},
    {"?", "not in the table", Status::unknown, "", "the lab said something that the table does not know"},
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

const StatusRow& find(std::span<const StatusRow> rows, std::string_view code) {
  code = trim(code);
  if (code.empty()) return rows[rows.size() - 2];
  const char upper = code[0] >= 'a' && code[0] <= 'z' ? static_cast<char>(code[0] - 32) : code[0];
  for (const StatusRow& row : rows) {
    if (code.size() == 1 && row.code.size() == 1 && row.code[0] == upper) return row;
  }
  return rows.back();
}

}  // namespace

std::string_view status_name(Status status) {
  switch (status) {
    case Status::registered:
      return "registered";
    case Status::partial:
      return "partial";
    case Status::preliminary:
      return "preliminary";
    case Status::final:
      return "final";
    case Status::amended:
      return "amended";
    case Status::corrected:
      return "corrected";
    case Status::cancelled:
      return "cancelled";
    case Status::entered_in_error:
      return "entered-in-error";
    case Status::unknown:
      break;
  }
  return "unknown";
}

std::span<const StatusRow> observation_statuses() {
  return kObservation;
}
std::span<const StatusRow> report_statuses() {
  return kReport;
}
const StatusRow& observation_status(std::string_view obx_11) {
  return find(kObservation, obx_11);
}
const StatusRow& report_status(std::string_view obr_25) {
  return find(kReport, obr_25);
}

}  // namespace resultsync::results
