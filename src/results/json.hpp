// Reports, accounts and diffs as JSON, for the console, the API and people. README.md shows the shape by example.
#pragma once

#include "base/json_writer.hpp"
#include "results/account.hpp"
#include "results/interpret.hpp"
#include "results/report.hpp"
#include "results/result_file.hpp"
#include "results/versions.hpp"

namespace resultsync::results {

void write_json(JsonWriter& json,
                const Interpretation& interpretation);  // header, patients, reports, documents, account
void write_json(JsonWriter& json, const Report& report);
void write_json(JsonWriter& json, const Observation& observation);
void write_json(JsonWriter& json, const Account& account);
void write_json(JsonWriter& json, const Diff& diff);
// What `newer` changed against `older`; reports that only repeat are left out.
void write_comparison(JsonWriter& json, const std::vector<Report>& older, const std::vector<Report>& newer);
// The members that a reader of results wants, into an object that is open: `reading`, `reports`, `patient_observations`
// (if there are any), `documents`, `account`; of a file that is no HL7, `reading` alone.
void write_members(JsonWriter& json, const ResultFile& file);
void write_json(JsonWriter& json, const Document& document);  // without its bytes

}  // namespace resultsync::results
