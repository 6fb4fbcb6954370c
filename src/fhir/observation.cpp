#include <algorithm>

#include "fhir/conversion.hpp"

namespace resultsync::fhir {
namespace {

using About = results::Observation::About;

bool is_text(const results::Value& value) {
  return value.as<results::Text>() != nullptr || value.as<results::Identifier>() != nullptr ||
         value.as<results::Samples>() != nullptr;
}

// Calls `take` with parts of at most a string's size, each ending at a character.
template <class Take>
void for_each_part(std::string_view text, Take take) {
  while (!text.empty()) {
    std::size_t size = std::min(text.size(), kStringBytesMax);
    while (size > 1 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U) --size;
    take(text.substr(0, size));
    text.remove_prefix(size);
  }
}

std::string_view text_of(const results::Value& value) {
  const auto* text = value.as<results::Text>();
  return text != nullptr ? std::string_view(text->text) : std::string_view(value.text);
}

// The values that FHIR can give as text are one text, a line each.
std::string joined_text(const std::vector<const results::Value*>& values) {
  std::string text;
  for (const results::Value* value : values) {
    if (!text.empty()) text += '\n';
    text += text_of(*value);
  }
  return text;
}

bool has_loinc(const results::Codes& codes) {
  return std::ranges::any_of(codes.codings, [](const results::Coding& coding) {
    return !is_blank(coding.code) && known_system(coding.system) == systems::kLoinc;
  });
}

std::string_view category_of(const results::Observation& observation, std::string_view of_report) {
  return observation.about == About::patient ? std::string_view() : of_report;
}

// Does OBX-15 name somebody else than OBX-23? Most labs say the same twice, as a CLIA number or by name.
bool names_another(const results::Codes& producer, const results::Organization& performer) {
  if (producer.empty()) return false;
  const results::Coding* coding = producer.preferred();
  const bool same_number = coding != nullptr && !coding->code.empty() && coding->code == performer.identifier.id;
  return !same_number && producer.display() != performer.name;
}

// FHIR R4 per-1. A period that ends before it starts is given as the text that it is.
bool starts_before_its_end(const results::Period& period, std::optional<int> zone) {
  const std::optional<Span> from = span_of(period.start, zone);
  const std::optional<Span> to = span_of(period.end, zone);
  return !from || !to || from->from <= to->from;
}

// A file is a value that R4 has no value[x] for.
std::string_view why_absent(const results::Observation& observation, bool has_files) {
  if (has_files) return "unsupported";
  if (!observation.status->absent.empty()) return observation.status->absent;
  const bool broken_file = !observation.values.empty() && observation.values[0].as<results::Attachment>() != nullptr;
  return broken_file ? "error" : "unknown";
}

}  // namespace

// ---- what it refers to

const std::vector<Conversion::Known>& Conversion::performers(const results::Observation& observation) {
  same_performers_ = performed_before_ != nullptr && performed_before_->made == observation.made;
  performed_before_ = &observation;
  if (same_performers_) return performers_before_;
  std::vector<Known>& all = performers_before_;
  all.clear();
  const auto add = [&](Known known) {
    const auto same = [&](const Known& other) { return other.id == known.id; };
    if (known && std::ranges::none_of(all, same)) all.push_back(known);
  };
  const results::Making& made = *observation.made;
  const Known lab = organization(made.performer);
  add(lab);
  if (const Known director = practitioner(made.performer.director)) add(role(director, lab, "MDIR", {}));
  if (names_another(made.producer, made.performer)) {
    results::Organization producer;
    producer.name = made.producer.display();
    if (const results::Coding* coding = made.producer.preferred()) {
      producer.identifier.id = coding->code;
      producer.identifier.authority = coding->system;
    }
    add(organization(producer));
  }
  for (const results::Person& observer : made.observers) add(practitioner(observer));
  return all;
}

// ---- its parts

void Conversion::status(const results::Observation& observation) {
  out_.status(results::status_name(observation.status->status));
  if (observation.status->code != "X") return;
  json_.object("_status", [&] {
    json_.array("extension", [&] {
      json_.object([&] {
        json_.literal("url", extensions::kAlternateCodes);
        json_.object("valueCodeableConcept",
                     [&] { code_and_text(systems::kResultStatus, "X", "Results cannot be obtained"); });
      });
    });
  });
}

// FHIR R4 asks for a code; a lab that gave none is quoted as having given none.
void Conversion::code_of(const results::Observation& observation, std::optional<Search> search) {
  if (concept_of("code", observation.code, search)) return;
  json_.object("code", [&] {
    code_and_text(systems::kAbsent, "unknown", {});
    json_.literal("text", "No code was sent");
  });
}

void Conversion::interpretation(const results::Observation& observation) {
  json_.array("interpretation", [&] {
    for (const results::Flag& flag : observation.flags) {
      json_.object([&] {
        if (const results::FlagMeaning& known = *flag.meaning; !known.code.empty()) {
          json_.raw("coding", R"([{"system":")", systems::kInterpretation, R"(","code":")", known.code,
                    R"(","display":")", known.text, "\"}]");
        } else if (!is_blank(flag.code)) {
          json_.array("coding", [&] { json_.object([&] { json_.code("code", flag.code); }); });
        }
        json_.string("text", flag.text);
      });
    }
  });
}

void Conversion::extensions_of(const results::Observation& observation, const std::vector<File>& files,
                               std::optional<int> zone) {
  const results::Assessment& computed = observation.assessment;
  const bool assessed = computed.place != results::Assessment::Place::unknown;
  const auto with_url = [&](std::string_view url, auto fill) {
    json_.object([&] {
      json_.literal("url", url);
      fill();
    });
  };
  json_.array("extension", [&] {
    for (const File& file : files)
      with_url(extensions::kValueAttachment,
               [&] { attachment("valueAttachment", *file.attachment, observation.code.display(), false); });
    if (observation.analyzed.valid())
      with_url(extensions::kAnalyzed, [&] { time("valueDateTime", observation.analyzed, zone); });
    if (!is_blank(observation.sub_id))
      with_url(extensions::kSubId, [&] { json_.string("valueString", observation.sub_id); });
    if (observation.ranges.lines.size() > 1)
      with_url(extensions::kRangesAsSent, [&] { json_.string("valueString", observation.ranges.text); });
    if (!assessed) return;
    json_.raw({}, R"({"url":")", extensions::kAssessment, R"(","extension":[{"url":"place","valueCode":")",
              results::place_name(computed.place), R"("},{"url":"agreement","valueCode":")",
              results::agreement_name(computed.agreement), R"("}]})");
  });
}

// OBX-14, else when the specimen was taken.
bool Conversion::effective(const results::Observation& observation, const Place& place) {
  if (observation.observed.valid()) {
    out_.date(*rendered(observation.observed, place.zone).span);
    return time("effectiveDateTime", observation.observed, place.zone);
  }
  return place.report != nullptr && report_effective(*place.report);
}

// Whose it is, when and by whom it was made.
void Conversion::circumstances(const results::Observation& observation, const Place& place,
                               const std::vector<Known>& performed_by) {
  const bool again = circumstances_of_ != nullptr && same_performers_ && circumstances_in_ == place.names &&
                     place.names != nullptr && circumstances_of_->observed == observation.observed;
  if (again) return out_.repeat(circumstances_);
  circumstances_ = out_.begin_passage();
  subject(place.patient, false);
  effective(observation, place);
  if (place.report != nullptr && instant("issued", place.report->issued, place.zone))
    out_.issued(rendered(place.report->issued, place.zone).span->from);
  json_.array("performer", [&] {
    for (const Known& one : performed_by) out_.reference({}, "performer", one.type, one.id);
  });
  out_.end_passage(circumstances_);
  circumstances_of_ = &observation;
  circumstances_in_ = place.names;
}

// Those that are neither files nor blank.
void Conversion::find_values(const results::Observation& observation) {
  values_.clear();
  for (const results::Value& value : observation.values) {
    if (value.as<results::Attachment>() == nullptr && !(is_text(value) && is_blank(text_of(value))))
      values_.push_back(&value);
  }
}

void Conversion::notes(const results::Observation& observation) {
  json_.array("note", [&] {
    const std::vector<const results::Value*>& values = values_;
    if (!values.empty() && std::ranges::all_of(values, [](const auto* value) { return is_text(*value); })) {
      // A text that is longer than a string of FHIR may be goes on here.
      bool first = true;
      const std::string whole = values.size() > 1 ? joined_text(values) : std::string();
      const std::string_view text = values.size() > 1 ? std::string_view(whole) : text_of(*values[0]);
      if (text.size() > kStringBytesMax) {
        for_each_part(text, [&](std::string_view part) {
          if (!first) note(part);
          first = false;
        });
      }
    }
    for (const results::Note& one : observation.notes)
      for_each_part(one.text, [&](std::string_view part) { note(part); });
  });
}

void Conversion::equipment(const results::Observation& observation) {
  const results::Making& made = *observation.made;
  if (made.methods.empty() && made.devices.empty()) return;
  if (equipment_of_ != nullptr && equipment_of_->made == observation.made) return out_.repeat(equipment_);
  equipment_ = out_.begin_passage();
  equipment_of_ = &observation;
  method_and_device(made);
  out_.end_passage(equipment_);
}

void Conversion::method_and_device(const results::Making& made) {
  if (made.methods.size() == 1) concept_of("method", made.methods[0]);
  if (made.methods.size() > 1) {
    std::string text;
    for (const results::Codes& method : made.methods) text.append(text.empty() ? "" : "; ").append(method.display());
    json_.object("method", [&] { json_.string("text", text); });
  }
  if (made.devices.empty()) return;
  std::string text;
  for (const results::Identifier& device : made.devices) text.append(text.empty() ? "" : "; ").append(device.id);
  const results::Identifier& first = made.devices[0];
  json_.object("device", [&] {
    json_.object("identifier", [&] {
      if (is_blank(first.id)) return;
      if (const std::string_view system = assigner_system(first); !system.empty()) json_.literal("system", system);
      json_.string("value", first.id);
    });
    json_.string("display", text);
  });
}

// ---- its value

bool Conversion::value(const results::Observation& observation, const results::Value& value, std::optional<int> zone) {
  using results::Comparator;
  const results::Unit& unit = *observation.unit;
  if (const auto* one = value.as<results::Quantity>(); one != nullptr && one->comparator != Comparator::not_equal) {
    quantity("valueQuantity", one->number, one->comparator, &unit);
    return true;
  }
  if (const auto* range = value.as<results::QuantityRange>()) {
    const bool ordered = !range->low || !range->high || results::compare(*range->low, *range->high) <= 0;  // rng-2
    if (ordered) {
      return json_.object("valueRange", [&] {
        if (range->low) quantity("low", *range->low, Comparator::none, &unit);
        if (range->high) quantity("high", *range->high, Comparator::none, &unit);
      });
    }
  }
  if (const auto* ratio = value.as<results::Ratio>(); ratio != nullptr && ratio->comparator != Comparator::not_equal) {
    return json_.object("valueRatio", [&] {
      quantity("numerator", ratio->numerator, ratio->comparator, &unit);
      quantity("denominator", ratio->denominator, Comparator::none, nullptr);
    });
  }
  if (const auto* codes = value.as<results::Codes>()) return concept_of("valueCodeableConcept", *codes);
  if (const auto* moment = value.as<results::Moment>(); moment != nullptr && time("valueDateTime", *moment, zone))
    return true;
  if (const auto* time = value.as<results::TimeOfDay>(); time != nullptr && time->valid && !time->offset_minutes) {
    json_.literal("valueTime", time->iso());
    return true;
  }
  if (const auto* span = value.as<results::Period>();
      span != nullptr && starts_before_its_end(*span, zone) && period("valuePeriod", span->start, span->end, zone))
    return true;
  return json_.string("valueString", text_of(value));
}

// FHIR R4 obs-7: components that carry the observation's own code stand in for its value.
void Conversion::components(const results::Observation& observation, const std::vector<const results::Value*>& values,
                            std::optional<int> zone) {
  json_.array("component", [&] {
    for (const results::Value* one : values) {
      json_.object([&] {
        code_of(observation, {});
        if (!value(observation, *one, zone)) json_.string("valueString", text_of(*one));
      });
    }
  });
}

// Writes value[x], or components in its place, or why there is none (us-core-2).
void Conversion::values(const results::Observation& observation, const std::vector<File>& files,
                        std::optional<int> zone) {
  find_values(observation);
  const std::vector<const results::Value*>& values = values_;
  const bool all_text = std::ranges::all_of(values, [](const auto* one) { return is_text(*one); });
  if (values.size() == 1 && value(observation, *values[0], zone)) return;
  if (values.size() > 1 && all_text && json_.string("valueString", joined_text(values))) return;
  if (values.size() > 1 && !all_text) return components(observation, values, zone);
  absent(why_absent(observation, !files.empty()));
}

// ---- the whole

// True if it satisfies the laboratory profile of US Core.
bool Conversion::observation(const results::Observation& observation, std::string_view id, const Place& place) {
  const std::vector<Known>& performed_by = performers(observation);
  const std::vector<File> files = documents(observation, place);
  const Known specimen = place.names != nullptr && observation.specimen < place.names->specimens.size()
                             ? place.names->specimens[observation.specimen]
                             : Known{};
  const std::string_view category =
      category_of(observation, place.names != nullptr ? place.names->category : std::string_view("laboratory"));
  const std::vector<std::string_view>* members = nullptr;
  if (!members_.empty() && place.report != nullptr) {
    const auto report = static_cast<std::uint32_t>(place.report - message_.reports.data());
    const auto index = static_cast<std::uint32_t>(&observation - place.report->observations.data());
    const auto found = members_.find({report, index});
    if (found != members_.end()) members = &found->second;
  }

  own_unit_ = &*observation.unit;
  out_.begin(Type::observation, id);
  out_.patient(place.patient.id);
  extensions_of(observation, files, place.zone);
  json_.array("identifier", [&] {
    for (const results::Identifier& one : observation.identifiers) identifier(one, "FILL");
  });
  if (place.names != nullptr)
    json_.array("basedOn", [&] { out_.reference({}, "based-on", Type::service_request, place.names->request); });
  status(observation);
  if (!category.empty()) {
    json_.raw("category", R"([{"coding":[{"system":")", systems::kCategory, R"(","code":")", category, R"("}]}])");
    out_.token(Search::category, systems::kCategory, category);
  }
  code_of(observation, Search::code);
  circumstances(observation, place, performed_by);
  values(observation, files, place.zone);
  interpretation(observation);
  notes(observation);
  concept_of("bodySite", observation.site);
  equipment(observation);
  if (specimen) out_.reference("specimen", "specimen", specimen.type, specimen.id);
  ranges(observation);
  if (members != nullptr) {
    json_.array("hasMember", [&] {
      for (const std::string_view member : *members) out_.reference({}, "has-member", Type::observation, member);
    });
  }
  json_.array("derivedFrom", [&] {
    for (const File& file : files) out_.reference({}, "derived-from", Type::document_reference, file.id);
  });
  const bool performers_fit = std::ranges::all_of(
      performed_by, [](const Known& one) { return one.us_core || one.type == Type::practitioner_role; });
  const bool us_core = category == "laboratory" && has_loinc(observation.code) && place.patient.us_core &&
                       performers_fit && (!specimen || specimen.us_core);
  if (us_core) out_.profile(profiles::kObservation);
  out_.end();
  return us_core;
}

}  // namespace resultsync::fhir
