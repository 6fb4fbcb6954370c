#include "results/result_file.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "base/encoding.hpp"
#include "hl7/reader.hpp"

namespace resultsync::results {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(kWhiteSpace);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kWhiteSpace) - from + 1);
}

bool is_link(std::string_view text) {
  return (text.starts_with("https://") || text.starts_with("http://")) &&
         text.find_first_of(kWhiteSpace) == std::string_view::npos;
}

// Only base64 that holds HL7: a short word may be base64 by accident.
std::optional<std::string> decoded_hl7(std::string_view text) {
  std::string dense;
  dense.reserve(text.size());
  std::ranges::copy_if(text, std::back_inserter(dense),
                       [](char c) { return kWhiteSpace.find(c) == std::string_view::npos; });
  auto bytes = decode_base64(dense);
  if (!bytes || bytes->find("MSH") == std::string::npos) return std::nullopt;
  return bytes;
}

template <class T>
void append(std::vector<T>& to, std::vector<T>&& from) {
  std::ranges::move(from, std::back_inserter(to));
}

// Puts another message's content behind what is there; indexes go with it.
void append(Interpretation& to, Interpretation&& from) {
  const auto shift = [](std::uint32_t& index, std::size_t by) {
    if (index != kNone) index += static_cast<std::uint32_t>(by);
  };
  for (Report& report : from.reports) {
    shift(report.patient, to.patients.size());
    shift(report.parent.report, to.reports.size());
  }
  for (auto& of_patient : from.patient_observations) shift(of_patient.patient, to.patients.size());
  append(to.patients, std::move(from.patients));
  append(to.reports, std::move(from.reports));
  append(to.patient_observations, std::move(from.patient_observations));
  for (Document& document : from.documents) {
    if (to.find(document.digest()) == nullptr) to.documents.push_back(std::move(document));
  }
  to.account.obx_in += from.account.obx_in;
  to.account.observations += from.account.observations;
  to.account.segments_in += from.account.segments_in;
  to.account.segments_used += from.account.segments_used;
  append(to.account.explained, std::move(from.account.explained));
  append(to.account.unused, std::move(from.account.unused));
}

// The older report that a newer one speaks of again: of the same order and test; null if there is none.
const Report* find_older(const std::vector<Report>& older, const Report& newer, std::set<const Report*>& taken) {
  for (const Report& candidate : older) {
    if (taken.contains(&candidate)) continue;
    const Relationship relationship = relate(candidate, newer);
    const bool other_order_or_test = relationship.relation == Relation::unrelated || relationship.basis == "test";
    const bool fillers_differ =
        !candidate.filler.empty() && !newer.filler.empty() && candidate.filler.id != newer.filler.id;
    if (other_order_or_test || fillers_differ) continue;
    taken.insert(&candidate);
    return &candidate;
  }
  return nullptr;
}

// The names of the analytes of `older` that `newer` does not say.
std::vector<std::string> unsaid(const Report& older, const Report& newer) {
  std::vector<std::string> names;
  const auto said = analyte_keys(newer);
  const auto keys = analyte_keys(older);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (std::ranges::find(said, keys[i]) == said.end()) names.emplace_back(older.observations[i].code.display());
  }
  return names;
}

}  // namespace

std::string_view form_name(ResultFile::Form form) {
  static constexpr std::string_view kNames[] = {"absent", "link", "not_hl7", "hl7"};
  return kNames[static_cast<std::size_t>(form)];
}

ResultFile read_result_file(std::string_view text) {
  using Form = ResultFile::Form;
  ResultFile file;
  const std::string_view inner = trimmed(text);
  if (inner.empty()) return file;
  if (is_link(inner)) {
    file.form = Form::link;
    return file;
  }
  file.form = Form::not_hl7;
  std::optional<std::string> bytes;
  if (inner.find("MSH") != std::string_view::npos) bytes = std::string(text);
  if (!bytes || !hl7::read(*bytes).messages().front().has_header()) bytes = decoded_hl7(inner);
  if (!bytes) return file;
  const hl7::Reading reading = hl7::read(std::move(*bytes));
  bool first = true;
  for (const hl7::Message& message : reading.messages()) {
    if (!message.has_header()) continue;
    file.form = Form::hl7;
    Interpretation content = interpret(message);
    if (first) {
      file.content = std::move(content);
    } else {
      append(file.content, std::move(content));
    }
    first = false;
  }
  if (file.form == Form::hl7) add_outside(reading, file.content.account);
  return file;
}

FileDiff diff(const Interpretation& older, const Interpretation& newer) {
  FileDiff result;
  std::set<const Report*> taken;
  for (std::size_t i = 0; i < newer.reports.size(); ++i) {
    const Report& report = newer.reports[i];
    const Report* before = find_older(older.reports, report, taken);
    ReportDiff found{.report = i, .relation = Relation::extends, .diff = {}, .not_sent_again = {}};
    if (before == nullptr) {
      Report nothing;
      nothing.status = report.status;
      found.diff = diff(nothing, report);
    } else {
      found.relation = relate(*before, report).relation;
      found.diff = diff(*before, merge(*before, report));
      found.not_sent_again = unsaid(*before, report);
    }
    if (before == nullptr || !found.diff.empty() || !found.not_sent_again.empty())
      result.reports.push_back(std::move(found));
  }
  for (const Report& report : older.reports) {
    if (!taken.contains(&report)) result.reports_not_sent_again.emplace_back(report.test.display());
  }
  return result;
}

}  // namespace resultsync::results
