// Which report replaces, extends or repeats another, and what changed. Labs send a report again and again: preliminary,
// final, corrected, cancelled; whole or one analyte at a time. The answers depend on the reports alone, never on the
// order in which they arrived (S1).
//
// Two reports speak of the same order if their filler numbers are equal, or their placer numbers are and the fillers do
// not say otherwise (below). Times are compared as instants; a time without a zone is taken in the zone of the
// message's own header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "results/report.hpp"

namespace resultsync::results {

enum class Relation : std::uint8_t {
  unrelated,  // another order or another test
  repeats,    // the same content; when and how often it was issued is no content
  replaces,   // the same order and test: the newer says all that the older said, again or anew
  revises,    // the same order and test: the newer says only some of it again, and the rest stands
  extends,    // the same order: the newer says nothing that the older said, but more (another filler number, test or
              // analytes)
};

struct Relationship {
  Relation relation = Relation::unrelated;
  // True if the second argument is the newer one. For `repeats` and `unrelated` it says which would come later.
  bool second_is_newer = true;
  std::string_view basis;  // what decided: "placer", "filler", "content", "test", "identifiers"
};
Relationship relate(const Report& a, const Report& b);
std::string_view relation_name(Relation relation);

// A strict total order of different contents: OBR-22 (where it is missing, the newest OBX-14 or OBX-19), then the
// newest OBX-14 or OBX-19, then how far the statuses have come (registered < partial < preliminary < final < amended <
// corrected < cancelled < entered in error), then the content itself.
bool is_older(const Report& a, const Report& b);

// SHA-256 of what the report says: test, statuses, observations with value, unit, range, flags, notes; not of OBR-22,
// set ids or segment numbers.
Sha256 content_digest(const Report& report);

// What names an analyte within an order: its code and sub-id, and how many of the same stood before it.
struct AnalyteKey {
  std::string code;  // LOINC if there is one, else the first code, else the text
  std::string system;
  std::string sub_id;
  std::uint32_t nth = 0;
  auto operator<=>(const AnalyteKey&) const = default;
};
std::vector<AnalyteKey> analyte_keys(const Report& report);  // one for each observation

struct Change {
  enum class Kind : std::uint8_t { added, removed, value, unit, range, flag, status, note };
  Kind kind = Kind::value;
  std::string before, after;  // as a person would read them; empty where there is none
  bool operator==(const Change&) const = default;
};
std::string_view change_name(Change::Kind kind);

struct AnalyteDiff {
  AnalyteKey key;
  std::string name;             // for people
  std::vector<Change> changes;  // never empty
};

struct Diff {
  std::vector<AnalyteDiff> analytes;    // in the order of the newer report; removed ones last
  std::optional<Change> report_status;  // OBR-25
  std::optional<Change> report_notes;
  [[nodiscard]] bool empty() const { return analytes.empty() && !report_status && !report_notes; }
};
// From `older` to `newer`, as they stand: what the newer does not have is removed. For a re-send of a part, diff with
// merge() of both.
Diff diff(const Report& older, const Report& newer);

// The older report with what the newer says put in its place: analytes that are not sent again stand. An analyte whose
// new status is U keeps its value (the lab says that it is now final, without saying it again); one with D leaves.
Report merge(const Report& older, const Report& newer);

// True if both are the same report, sent again or anew: of one order, test and filler number.
bool same_report(const Report& a, const Report& b);

// A report of one file and what became of it in a later one; either may be missing. The pointers are as good as the
// lists that were compared.
struct ReportPair {
  const Report* older = nullptr;
  const Report* newer = nullptr;
  Relation relation = Relation::unrelated;  // of the newer to the older, whichever was issued later
  bool newer_was_issued_later = true;
  std::string_view basis;  // as in Relationship
  Diff diff;               // a report without an older one adds all that it says; empty without a newer
  std::vector<std::string> not_sent_again;  // names of analytes that the newer does not speak of: they stand
  [[nodiscard]] bool repeats() const {
    return older != nullptr && newer != nullptr && diff.empty() && not_sent_again.empty();
  }
};
// What `newer` says against `older`: each report goes with the one of the same order, test and filler number. In the
// order of `newer`; what is left of `older` last. Only what the lab takes back (OBX-11 D) is `removed`.
std::vector<ReportPair> compare(const std::vector<Report>& older, const std::vector<Report>& newer);

}  // namespace resultsync::results
