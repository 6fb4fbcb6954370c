#include "results/result_file.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

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
void append(Interpretation& to, Interpretation from) {
  if (to.account.segments_in == 0) {
    to = std::move(from);
    return;
  }
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

// All messages with a header; a file without any stays what it is.
void take(const hl7::Reading& reading, ResultFile& file) {
  for (const hl7::Message& message : reading.messages()) {
    if (!message.has_header()) continue;
    append(file.content, interpret(message));
    file.form = ResultFile::Form::hl7;
  }
  if (file.form == ResultFile::Form::hl7) add_outside(reading, file.content.account);
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
  if (inner.find("MSH") != std::string_view::npos) take(hl7::read_in_place(text), file);
  if (file.form == Form::hl7) return file;
  if (auto bytes = decoded_hl7(inner)) take(hl7::read(std::move(*bytes)), file);
  return file;
}

}  // namespace resultsync::results
