// What a laboratory finds: World::report_of(). A patient's values stay near what they were the last time.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sandbox/numbers.hpp"
#include "sandbox/world.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::int64_t kHour = 3'600'000'000;

constexpr std::array<std::string_view, 4> kNotes = {
    "Specimen slightly hemolyzed; interpret with caution.", "Result verified by repeat analysis.",
    "Biotin above 5 mg/day may interfere with this assay.", "Reference range is for adults & non-pregnant patients."};

constexpr std::array<std::string_view, 5> kPathology = {
    "CLINICAL HISTORY: Intermittent discomfort; rule out inflammatory change.",
    "GROSS DESCRIPTION: Received in formalin, labeled with the patient's name, are three tan-pink fragments of soft "
    "tissue "
    "measuring 0.2 to 0.4 cm in greatest dimension. Submitted in toto in cassette A1.",
    "MICROSCOPIC DESCRIPTION: Sections show mucosa with preserved architecture. The lamina propria holds a mild, mixed "
    "inflammatory infiltrate. No granulomas, no dysplasia. Special stain (Alcian blue/PAS) is negative; controls react "
    "appropriately.",
    "DIAGNOSIS: Mild chronic inflammation, non-specific. Negative for dysplasia and malignancy.",
    "COMMENT: Correlation with endoscopic findings is recommended. Sizes given as length ^ width where \\ separates "
    "levels; "
    "p < 0.05 & n > 30 for the reference series."};
constexpr std::array<std::string_view, 5> kGenotyping = {
    "METHOD: Allele-specific PCR from saliva. Analytical sensitivity and specificity exceed 99 %.",
    "MTHFR c.665C>T (rs1801133): heterozygous (C/T). Enzyme activity is expected at about 65 % of the reference.",
    "MTHFR c.1286A>C (rs1801131): not detected (A/A).",
    "COMT p.Val158Met (rs4680): Met/Met. Clearance of catechol estrogens & catecholamines is expected to be slower.",
    "INTERPRETATION: These variants are common. They do not diagnose a disease; read them together with homocysteine, "
    "folate and vitamin B12."};

// What is usual for an analyte, where the laboratory says only one end of it.
struct Span {
  std::int64_t low, high;
  [[nodiscard]] std::int64_t width() const { return std::max<std::int64_t>(high - low, 1); }
};
Span usual(const Analyte& analyte) {
  if (analyte.range == RangeForm::kBelow) return {analyte.high / 4, analyte.high};
  if (analyte.range == RangeForm::kAbove) return {analyte.low, analyte.low * 9 / 5};
  return {analyte.low, analyte.high};
}

// The patient's own level: for most within the range, for some just outside, for a few far.
std::int64_t level(Dice& dice, const Analyte& analyte) {
  if (analyte.range == RangeForm::kWords) return dice.chance(150) ? 1 : 0;
  const Span span = usual(analyte);
  const std::int64_t width = span.width();
  const std::uint64_t lot = dice.below(1000);
  Span where{span.low + width / 20, span.high - width / 20};
  if (lot >= 980) {
    where = {span.high + width / 2, span.high + width * 2};
  } else if (lot >= 880) {
    where = {std::max(span.low - width / 4, span.low / 2), span.low + width / 20};
  } else if (lot >= 780) {
    where = {span.high, span.high + width / 3};
  }
  return std::max<std::int64_t>(dice.between(where.low, std::max(where.low, where.high)), 1);
}

std::int64_t near(Dice& dice, const Analyte& analyte, std::int64_t level) {
  if (analyte.range == RangeForm::kWords) return level;
  const std::int64_t swing = std::max<std::int64_t>(usual(analyte).width() / 10, 1);
  return std::max<std::int64_t>(level + dice.between(-swing, swing), 1);
}

std::vector<Isolate> isolates_of(Dice& dice, bool urine) {
  std::vector<Isolate> isolates;
  const std::size_t count = dice.chance(250) ? 0 : 1 + dice.below(2);
  for (std::size_t i = 0; i < count; ++i) {
    Isolate isolate{.organism = std::string(organisms()[(dice.below(3) + i * 2) % organisms().size()]),
                    .quantity = urine ? ">100,000 CFU/mL" : (dice.chance(500) ? "Heavy growth" : "Moderate growth")};
    for (std::size_t a = 0; a < antibiotics().size(); ++a) {
      const bool resistant = dice.chance(220);
      isolate.susceptibilities.push_back(
          {a, std::string(resistant ? antibiotics()[a].resistant : antibiotics()[a].susceptible),
           resistant ? 'R' : 'S'});
    }
    isolates.push_back(std::move(isolate));
  }
  return isolates;
}

}  // namespace

LabReport World::requisition_of(const Order& order, std::size_t index) const {
  const OrderedTest& ordered = order.tests[index];
  const LabCompany& company = lab_companies()[lab_tests()[ordered.test].company];
  const Practitioner& practitioner = practitioners_[order.practitioner];
  const Clinic& clinic = clinics_[practitioner.clinic];
  const char initial = company.short_name[0] < 0 ? 'E' : company.short_name[0];  // of Érable
  LabReport report;
  report.test = ordered.test;
  report.order = order.id.text();
  report.ordered_test = ordered.id.text();
  report.accession = fmt::format(
      "{}{}", initial, 10'000'000 + mixed(options_.seed, "accession", order.number * 64 + index) % 89'999'999);
  report.patient = patients_[order.patient].person;
  report.practitioner_first = practitioner.first_name;
  report.practitioner_last = practitioner.last_name;
  report.practitioner_npi = practitioner.npi;
  report.clinic_name = clinic.name;
  report.utc_offset_minutes = clinic.utc_offset_minutes;
  report.reported = order.submitted;
  return report;
}

LabReport World::report_of(const Order& order, std::size_t index, Stage stage) const {
  const OrderedTest& ordered = order.tests[index];
  const LabTest& test = lab_tests()[ordered.test];
  // One lot for the whole test, so that a preliminary report and its final one agree in what both say.
  Dice dice(mixed(options_.seed, "specimen", order.number * 64 + index));
  LabReport report = requisition_of(order, index);
  report.stage = stage;
  report.version = static_cast<int>(ordered.versions.size()) + 1;
  report.fasting = test.sample == "Blood" && dice.chance(600);
  if (!ordered.versions.empty()) {
    report.collected = ordered.versions.front().collected;
    report.received = ordered.versions.front().received;
  } else {
    report.received = {now_.microseconds - dice.between(20, 60) * kHour};
    report.collected = {report.received.microseconds - dice.between(2, 30) * kHour};
    report.collected.microseconds -= report.collected.microseconds % 60'000'000;
    report.received.microseconds -= report.received.microseconds % 60'000'000;
  }
  report.reported = {now_.microseconds - now_.microseconds % 1'000'000};
  if (stage == Stage::kCanceled) {
    report.comment = "Test canceled: quantity of specimen not sufficient. Please recollect.";
    return report;
  }

  for (const Analyte& analyte : test.analytes) {
    Dice own(mixed(options_.seed, std::string(analyte.name), order.patient));
    Measurement one;
    one.value = near(dice, analyte, level(own, analyte));
    if (analyte.range == RangeForm::kBelow && one.value * 5 < analyte.high) {
      one.below_limit = true;
      one.value = std::max<std::int64_t>(analyte.high / 5, 1);
    }
    if (dice.chance(50)) one.note = std::string(dice.one_of(kNotes));
    report.measurements.push_back(std::move(one));
  }
  if (test.kind == ResultKind::kCulture) report.isolates = isolates_of(dice, test.sample == "Urine");
  if (test.kind == ResultKind::kNarrative) {
    const auto& text = test.sample == "Tissue" ? kPathology : kGenotyping;
    report.paragraphs.assign(text.begin(), text.end());
  }

  if (stage == Stage::kPreliminary) {
    report.comment = "Preliminary report. Further results follow.";
    if (!report.measurements.empty()) {
      const std::size_t pending = 1 + dice.below((report.measurements.size() + 1) / 2);
      for (std::size_t i = report.measurements.size() - std::min(pending, report.measurements.size() - 1);
           i < report.measurements.size(); ++i) {
        report.measurements[i] = {.pending = true, .before = {}, .note = {}};
      }
    }
    for (Isolate& isolate : report.isolates) isolate.susceptibilities.clear();
  }
  if (stage != Stage::kCorrected) return report;

  // A correction starts from what was said last, and changes one thing.
  const LabReport& last = ordered.versions.back();
  Dice change(mixed(options_.seed, "correction", (order.number * 64 + index) * 64 + ordered.versions.size()));
  report.measurements = last.measurements;
  report.isolates = last.isolates;
  report.paragraphs = last.paragraphs;
  report.comment = "Corrected report. It replaces the report issued before.";
  if (!report.measurements.empty()) {
    for (Measurement& one : report.measurements) one.before.reset();
    const std::size_t which = change.below(report.measurements.size());
    const Analyte& analyte = test.analytes[which];
    Measurement& one = report.measurements[which];
    one.before = one.value;
    if (analyte.range == RangeForm::kWords) {
      one.value = 1 - one.value;
    } else {
      const std::int64_t by = std::max<std::int64_t>(one.value / 5, 1) * (change.chance(500) ? 1 : -1);
      one.value = one.value + by < 1 ? one.value - by : one.value + by;
    }
    one.below_limit = false;
    one.note = "Corrected after the measurement was repeated.";
  } else if (!report.isolates.empty() && !report.isolates[0].susceptibilities.empty()) {
    Susceptibility& one = report.isolates[0].susceptibilities[change.below(report.isolates[0].susceptibilities.size())];
    const bool was_resistant = one.interpretation == 'R';
    one.interpretation = was_resistant ? 'S' : 'R';
    one.mic = was_resistant ? antibiotics()[one.antibiotic].susceptible : antibiotics()[one.antibiotic].resistant;
  } else if (!report.isolates.empty() || test.kind == ResultKind::kCulture) {
    report.comment += fmt::format(" Incubation was prolonged by {} days.", report.version);
  } else {
    report.paragraphs.push_back(
        fmt::format("ADDENDUM {}: Deeper levels were examined; the diagnosis is unchanged.", report.version - 1));
  }
  return report;
}

}  // namespace resultsync::sandbox
