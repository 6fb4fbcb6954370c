#include "sandbox/switches.hpp"

#include <fmt/format.h>

#include <charconv>
#include <variant>

namespace resultsync::sandbox {
namespace {

using Member = std::variant<double Switches::*, std::int64_t Switches::*, bool Switches::*, Payload Switches::*,
                            Carriage Switches::*, Envelope Switches::*>;

struct Entry {
  SwitchDescription description;
  Member member;
  double least = 0, most = 1;  // of numbers
  double hostile = 0;
};

constexpr double kYear = 366.0 * 86'400;

const std::vector<Entry>& entries() {
  static const std::vector<Entry> kEntries = {
      {{"duplicates", "share", "Events that are sent again after they were taken", true},
       &Switches::duplicates,
       0,
       1,
       0.2},
      {{"reordering", "share", "Events that are held back behind up to ten later ones", true},
       &Switches::reordering,
       0,
       1,
       0.3},
      {{"delay_seconds", "seconds", "First attempts wait up to so long (simulated)", true},
       &Switches::delay_seconds,
       0,
       kYear,
       3600},
      {{"loss", "share", "Events that are never sent", true}, &Switches::loss, 0, 1, 0.05},
      {{"corruption", "share", "Events whose first attempt is forged or damaged", true},
       &Switches::corruption,
       0,
       1,
       0.1},
      {{"replay", "share", "Deliveries that are repeated byte by byte, long after", true},
       &Switches::replay,
       0,
       1,
       0.1},
      {{"burst", "count", "Events that are gathered and then sent at once", true}, &Switches::burst, 0, 10'000, 25},
      {{"clock_skew_seconds", "seconds", "Added to the time in signatures (real)"},
       &Switches::clock_skew_seconds,
       -kYear,
       kYear,
       0},
      {{"resign", "yes/no", "A retry is signed anew"}, &Switches::resign, 0, 1, 1},
      {{"ordered", "yes/no", "One delivery at a time for each clinic, in order"}, &Switches::ordered, 0, 1, 0},
      {{"payload", "full, thin", "What an event carries"}, &Switches::payload},
      {{"envelope", "wrapped, event, bare, mixed", "The form of Fullscript's events"}, &Switches::envelope},
      {{"leave_out_practitioner", "share", "Events that do not include the patient's practitioner", true},
       &Switches::leave_out_practitioner,
       0,
       1,
       0.1},
      {{"hl7_as", "inline, url, base64, none", "How results_hl7 is given"}, &Switches::hl7_as},
      {{"pdf_as", "url, base64, none", "How results_pdf is given"}, &Switches::pdf_as},
      {{"link_seconds", "seconds", "How long the link of a document lives (real)"},
       &Switches::link_seconds,
       1,
       kYear,
       900},
      {{"documents_need_token", "yes/no", "Documents ask for the bearer token"}, &Switches::documents_need_token},
      {{"document_attempts", "count", "How many requests of a document are spoilt before one is right"},
       &Switches::document_attempts,
       1,
       1000,
       1},
      {{"document_slow", "share", "Documents that come late", true}, &Switches::document_slow, 0, 1, 0.05},
      {{"document_slow_seconds", "seconds", "And how late (real)"}, &Switches::document_slow_seconds, 0, 600, 1},
      {{"document_failing", "share", "Documents that are answered with an error", true},
       &Switches::document_failing,
       0,
       1,
       0.1},
      {{"document_truncated", "share", "Documents that end too early", true}, &Switches::document_truncated, 0, 1, 0.1},
      {{"document_oversized", "share", "Documents of more than 64 MiB", true},
       &Switches::document_oversized,
       0,
       1,
       0.02},
      {{"document_wrong_type", "share", "Documents that are something else", true},
       &Switches::document_wrong_type,
       0,
       1,
       0.1},
      {{"document_redirect", "share", "Documents that redirect to another host", true},
       &Switches::document_redirect,
       0,
       1,
       0.05},
      {{"api_failing", "share", "API answers that are errors", true}, &Switches::api_failing, 0, 1, 0.1},
      {{"api_malformed", "share", "API answers that are cut in the middle", true},
       &Switches::api_malformed,
       0,
       1,
       0.05},
      {{"api_slow_seconds", "seconds", "How late API answers come (real)"}, &Switches::api_slow_seconds, 0, 600, 0},
      {{"token_failing", "share", "Token requests that are answered with 503"}, &Switches::token_failing, 0, 1, 0}};
  return kEntries;
}

const Entry* entry_of(std::string_view name) {
  for (const Entry& entry : entries()) {
    if (entry.description.name == name) return &entry;
  }
  return nullptr;
}

std::string_view text_of(Carriage carriage) {
  constexpr std::string_view kNames[] = {"inline", "url", "base64", "none"};
  return kNames[static_cast<int>(carriage)];
}

std::string_view text_of(Envelope envelope) {
  constexpr std::string_view kNames[] = {"wrapped", "event", "bare", "mixed"};
  return kNames[static_cast<int>(envelope)];
}

}  // namespace

Result<void> set_switch(Switches& switches, std::string_view name, std::string_view value) {
  const Entry* entry = entry_of(name);
  if (!entry) {
    std::string names;
    for (const Entry& one : entries()) names += fmt::format("{}{}", names.empty() ? "" : ", ", one.description.name);
    return fail("unknown_switch", fmt::format("there is no switch \"{}\"", name), "there are " + names);
  }
  const auto bad = [&] {
    return fail("bad_value", fmt::format("\"{}\" is no value of the switch {}", value, name),
                fmt::format("it takes {}", entry->description.kind));
  };
  if (const auto* flag = std::get_if<bool Switches::*>(&entry->member)) {
    if (value != "true" && value != "false" && value != "yes" && value != "no") return bad();
    switches.*(*flag) = value == "true" || value == "yes";
    return {};
  }
  if (const auto* payload = std::get_if<Payload Switches::*>(&entry->member)) {
    if (value != "full" && value != "thin") return bad();
    switches.*(*payload) = value == "thin" ? Payload::kThin : Payload::kFull;
    return {};
  }
  if (const auto* envelope = std::get_if<Envelope Switches::*>(&entry->member)) {
    for (const Envelope one : {Envelope::kWrapped, Envelope::kEvent, Envelope::kBare, Envelope::kMixed}) {
      if (text_of(one) != value) continue;
      switches.*(*envelope) = one;
      return {};
    }
    return bad();
  }
  if (const auto* carriage = std::get_if<Carriage Switches::*>(&entry->member)) {
    for (const Carriage one : {Carriage::kInline, Carriage::kUrl, Carriage::kBase64, Carriage::kNone}) {
      if (text_of(one) != value || (one == Carriage::kInline && name == "pdf_as")) continue;
      switches.*(*carriage) = one;
      return {};
    }
    return bad();
  }
  double number = 0;
  const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (problem != std::errc{} || end != value.data() + value.size() || !(number >= entry->least) || number > entry->most)
    return bad();
  if (const auto* share = std::get_if<double Switches::*>(&entry->member)) {
    switches.*(*share) = number;
  } else {
    switches.*std::get<std::int64_t Switches::*>(entry->member) = static_cast<std::int64_t>(number);
  }
  return {};
}

void make_hostile(Switches& switches) {
  for (const Entry& entry : entries()) {
    if (!entry.description.hostile) continue;
    if (const auto* share = std::get_if<double Switches::*>(&entry.member)) {
      switches.*(*share) = entry.hostile;
    } else if (const auto* count = std::get_if<std::int64_t Switches::*>(&entry.member)) {
      switches.*(*count) = static_cast<std::int64_t>(entry.hostile);
    }
  }
  switches.document_slow_seconds = 1;
}

std::string switch_value(const Switches& switches, std::string_view name) {
  const Entry* entry = entry_of(name);
  if (!entry) return {};
  struct Show {
    const Switches& of;
    std::string operator()(double Switches::* member) const { return fmt::format("{}", of.*member); }
    std::string operator()(std::int64_t Switches::* member) const { return fmt::format("{}", of.*member); }
    std::string operator()(bool Switches::* member) const { return of.*member ? "true" : "false"; }
    std::string operator()(Payload Switches::* member) const { return of.*member == Payload::kThin ? "thin" : "full"; }
    std::string operator()(Envelope Switches::* member) const { return std::string(text_of(of.*member)); }
    std::string operator()(Carriage Switches::* member) const { return std::string(text_of(of.*member)); }
  };
  return std::visit(Show{switches}, entry->member);
}

void write_switches(JsonWriter& json, const Switches& switches) {
  json.begin_object();
  for (const Entry& entry : entries()) {
    const std::string text = switch_value(switches, entry.description.name);
    const bool words = std::holds_alternative<Payload Switches::*>(entry.member) ||
                       std::holds_alternative<Envelope Switches::*>(entry.member) ||
                       std::holds_alternative<Carriage Switches::*>(entry.member);
    json.key(entry.description.name);
    if (words) {
      json.string(text);
    } else {
      json.raw(text);
    }
  }
  json.end_object();
}

const std::vector<SwitchDescription>& switch_descriptions() {
  static const std::vector<SwitchDescription> kDescriptions = [] {
    std::vector<SwitchDescription> all;
    for (const Entry& entry : entries()) all.push_back(entry.description);
    return all;
  }();
  return kDescriptions;
}

}  // namespace resultsync::sandbox
