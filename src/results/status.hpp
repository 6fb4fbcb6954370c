// Statuses by table, with the reason for every row: HL7 leaves nine of the OBX-11 codes unmapped, and readers disagree
// on four more.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace resultsync::results {

enum class Status : std::uint8_t {
  registered,
  partial,  // of reports only
  preliminary,
  final,
  amended,
  corrected,
  cancelled,
  entered_in_error,
  unknown,
};
std::string_view status_name(Status status);  // FHIR R4's codes: "entered-in-error"

struct StatusRow {
  std::string_view code;     // as in HL7 table 0085 or 0123; "" for blank, "?" for every other code
  std::string_view meaning;  // the table's words, shortened
  Status status = Status::unknown;
  std::string_view absent;  // why there is no value, if there is none: FHIR R4 data-absent-reason; may be empty
  std::string_view reason;  // why this status
};

std::span<const StatusRow> observation_statuses();  // OBX-11, table 0085: A B C D F I N O P R S U V W X, "", "?"
std::span<const StatusRow> report_statuses();       // OBR-25, table 0123

const StatusRow& observation_status(std::string_view obx_11);  // any case, white space around it is skipped
const StatusRow& report_status(std::string_view obr_25);

}  // namespace resultsync::results
