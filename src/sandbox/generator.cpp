#include "sandbox/generator.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <utility>

#include "base/json_writer.hpp"
#include "sandbox/panels.hpp"

namespace resultsync::sandbox {
namespace {

// Invented people have the names of plants and birds.
constexpr std::array<std::string_view, 12> kGivenNames = {"Linden", "Wren", "Hazel", "Robin", "Laurel", "Jay",
                                                          "Sorrel", "Teal", "Ivy",   "Brant", "Maple",  "Finch"};
constexpr std::array<std::string_view, 12> kFamilyNames = {"Thistledown", "Alderwood",  "Bramblecote", "Fernhollow",
                                                           "Rowanfield",  "Sedgewater", "Larchmere",   "Mosswick",
                                                           "Birchgrove",  "Cloverdale", "Reedham",     "Heatherby"};
constexpr std::array<std::string_view, 6> kCities = {"Port Thistle", "East Larch", "Fernbury",
                                                     "Lake Rowan",   "New Alder",  "Mossville"};
constexpr std::array<std::string_view, 6> kStates = {"AR", "CA", "CO", "NY", "OR", "WA"};
constexpr std::array<std::string_view, 3> kPractitionerTypes = {"Naturopathic Doctor", "Medical Doctor",
                                                                "Nurse Practitioner"};

constexpr const char* kNoteToPatient =
    "Please fast for twelve hours before the blood draw; water is fine, and so is your usual morning walk. Stop taking "
    "biotin three "
    "days before. The kit has to reach the laboratory within two days, so send it from Monday to Wednesday. Your "
    "results will be with us "
    "about a week later, and we will go through them together at your next visit.";

constexpr std::string_view kIdDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::uint64_t kIdsPerPrefix = 3'521'614'606'208;  // 62^7
constexpr std::uint64_t kIdStride = 1'580'030'173'933;      // no divisor in common with 62: no id comes twice

constexpr std::int64_t kMicrosecondsPerHour = 3'600'000'000;

std::string as_decimal(std::int64_t value, int decimals);
std::string hl7_time(Timestamp time);
std::string network_time(Timestamp time, std::int64_t hours_behind);
std::string_view flag_of(const Analyte& analyte, std::int64_t value);
std::int64_t measured(Dice& dice, const Analyte& analyte);
void write_to_one(JsonWriter& json, std::string_view name, std::string_view type, const std::string& id);
void write_to_many(JsonWriter& json, std::string_view name, std::string_view type, const std::vector<std::string>& ids);

}  // namespace

Generator::Generator(const GeneratorOptions& options)
    : options_(options), dice_(options.seed), ids_offset_(dice_.below(kIdsPerPrefix)), now_(options.start) {
  options_.clinics = std::max<std::size_t>(options.clinics, 1);
  options_.practitioners_per_clinic = std::max<std::size_t>(options.practitioners_per_clinic, 1);
  options_.tests_per_order_max = std::max<std::size_t>(options.tests_per_order_max, 1);
  options_.open_orders = std::max<std::size_t>(options.open_orders, 1);
  for (std::size_t clinic = 0; clinic < options_.clinics; ++clinic) {
    const ClinicId clinic_id(new_id("cli_"));
    for (std::size_t i = 0; i < options_.practitioners_per_clinic; ++i) {
      practitioners_.push_back({.id = PractitionerId(new_id("pra_")),
                                .clinic = clinic_id,
                                .first_name = std::string(dice_.one_of(kGivenNames)),
                                .last_name = std::string(dice_.one_of(kFamilyNames)),
                                .phone = "+1202555" + std::to_string(dice_.between(100, 199) + 10'000).substr(1)});
    }
  }
}

GeneratedEvent Generator::next() {
  now_.microseconds += dice_.between(1, 90'000'000);
  if (dice_.chance(200)) now_ = Timestamp::from_seconds(now_.seconds() + 1);  // some senders drop the microseconds
  while (open_.size() < options_.open_orders) open_.push_back(open_order());

  const std::size_t place = dice_.below(open_.size());
  Order& order = open_[place];
  const Step step = advance(order);
  const EventId id(new_id("evt_"));
  GeneratedEvent event{.kind = step.kind,
                       .id = id,
                       .order = order.id,
                       .clinic = practitioners_[order.practitioner].clinic,
                       .patients_practitioner = practitioners_[order.practitioner].id,
                       .ordered_test = step.test ? std::optional(step.test->id) : std::nullopt,
                       .created_at = now_,
                       .body = body_of(id, order)};
  if (is_finished(order)) open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(place));
  return event;
}

Generator::Order Generator::open_order() {
  Order order;
  order.id = OrderId(new_id("ord_"));
  order.patient = PatientId(new_id("pat_"));
  order.practitioner = dice_.below(practitioners_.size());
  order.signer = order.practitioner;
  if (dice_.chance(options_.other_signer_permille)) {
    const std::size_t first_of_clinic = order.practitioner - order.practitioner % options_.practitioners_per_clinic;
    order.signer = first_of_clinic + dice_.below(options_.practitioners_per_clinic);
  }
  if (dice_.chance(700)) order.intent = new_id("ordin_");
  order.line_item = new_id("lin_");
  order.submitted = {now_.microseconds - dice_.between(1, 72) * kMicrosecondsPerHour};
  order.total_price = dice_.chance(300) ? 0 : dice_.between(19, 480);
  order.has_note = dice_.chance(600);
  order.has_metadata = dice_.chance(300);
  order.patient_name = std::string(dice_.one_of(kFamilyNames)) + "^" + std::string(dice_.one_of(kGivenNames));
  order.birth_date = std::to_string(dice_.between(1940, 2005)) + "0" + std::to_string(dice_.between(1, 9)) +
                     std::to_string(dice_.between(10, 28));

  const auto tests =
      static_cast<std::size_t>(dice_.between(1, static_cast<std::int64_t>(options_.tests_per_order_max)));
  for (std::size_t i = 0; i < tests; ++i) {
    OrderedTest test;
    test.id = OrderedTestId(new_id("ordts_"));
    test.panel = dice_.below(panels().size());
    test.lab_test = LabTestId("labts_" + std::string(panels()[test.panel].code) + "Ex7");
    test.correction_due = dice_.chance(options_.corrections_permille);
    for (const Analyte& analyte : panels()[test.panel].analytes)
      test.values.push_back({measured(dice_, analyte), false});
    order.tests.push_back(std::move(test));
  }
  return order;
}

Generator::Step Generator::advance(Order& order) {
  if (!order.announced) {
    order.announced = true;
    if (dice_.chance(600)) order.paid = now_;
    return {EventKind::kNew, nullptr};
  }
  if (!order.paid) order.paid = now_;

  std::vector<OrderedTest*> waiting;
  std::vector<OrderedTest*> to_correct;
  for (OrderedTest& test : order.tests) {
    if (!test.received) waiting.push_back(&test);
    if (test.received && test.correction_due) to_correct.push_back(&test);
  }
  if (!to_correct.empty() && (waiting.empty() || dice_.chance(300))) {
    OrderedTest& test = *dice_.one_of(to_correct);
    const std::size_t changed = dice_.below(test.values.size());
    LabValue& value = test.values[changed];
    const Analyte& analyte = panels()[test.panel].analytes[changed];
    const std::int64_t before = value.value;
    while (value.value == before) value.value = measured(dice_, analyte);
    value.corrected = true;
    test.corrected = true;
    test.correction_due = false;
    test.received = now_;
    return {EventKind::kCorrection, &test};
  }
  OrderedTest& test = *dice_.one_of(waiting);
  test.received = now_;
  if (waiting.size() == 1) order.completed = now_;
  return {EventKind::kResult, &test};
}

bool Generator::is_finished(const Order& order) {
  return order.announced && std::ranges::all_of(order.tests, [](const OrderedTest& test) {
           return test.received.has_value() && !test.correction_due;
         });
}

std::string Generator::body_of(const EventId& id, const Order& order) {
  // Each clinic has its time zone.
  const std::int64_t hours_behind = order.practitioner / options_.practitioners_per_clinic % 2 == 0 ? 7 : 8;
  const auto time_or_null = [&](JsonWriter& json, std::string_view name, const std::optional<Timestamp>& time) {
    json.member(name, time ? std::optional(network_time(*time, hours_behind)) : std::nullopt);
  };
  const auto write_practitioner = [&](JsonWriter& json, const GeneratedPractitioner& one, std::size_t number) {
    json.begin_object().key("attributes").begin_object().key("address").begin_object();
    json.member("city", kCities[number % kCities.size()]).member("state", kStates[number % kStates.size()]);
    json.member("street_1", std::to_string(100 + number) + " Hedgerow Lane")
        .member("street_2", number % 2 == 0 ? std::nullopt : std::optional("Suite " + std::to_string(number)))
        .member("zip", std::to_string(10'000 + number))
        .end_object();
    json.member("first_name", one.first_name).member("last_name", one.last_name);
    json.key("ordering_authorization_status")
        .begin_object()
        .member("physician_authorization_approved", number % 3 == 0)
        .end_object();
    json.member("phone", one.phone).key("primary_practitioner_type").begin_object();
    json.member("name", kPractitionerTypes[number % kPractitionerTypes.size()]).end_object();
    json.member("titled_full_name", "Dr. " + one.first_name + " " + one.last_name);
    json.key("verification_status").begin_object().member("email", true).end_object().end_object();
    json.member("id", one.id.text()).key("relationships").begin_object();
    write_to_one(json, "clinic", "clinic", one.clinic.text());
    json.end_object().member("type", "practitioner").end_object();
  };
  const auto write_ordered_test = [&](JsonWriter& json, const OrderedTest& test) {
    json.begin_object().key("attributes").begin_object();
    time_or_null(json, "date_results_received_from_lab", test.received);
    json.key("requisition").null();
    json.member("results_hl7", test.received ? std::optional(hl7_of(order, test)) : std::nullopt);
    json.key("results_pdf").null().end_object();
    json.member("id", test.id.text()).key("relationships").begin_object();
    write_to_one(json, "lab_test", "lab_test", test.lab_test.text());
    json.end_object().member("type", "ordered_test").end_object();
  };

  JsonWriter json;
  json.begin_object()
      .member("created_at", network_time(now_, hours_behind))
      .key("data")
      .begin_object()
      .key("object")
      .begin_object();
  json.key("attributes").begin_object().key("date_canceled").null();
  time_or_null(json, "date_completed", order.completed);
  time_or_null(json, "date_paid", order.paid);
  time_or_null(json, "date_submitted", order.submitted);
  if (order.has_metadata) json.key("metadata").begin_object().member("reference", order.line_item).end_object();
  json.member("notes_to_patient", order.has_note ? std::optional<std::string>(kNoteToPatient) : std::nullopt);
  json.member("payer", "patient");
  json.member("status", order.completed ? "Completed" : order.paid ? "In Progress" : "Pending Payment");
  json.member("total_price", order.total_price).end_object();
  json.member("id", order.id.text()).key("relationships").begin_object();
  std::vector<std::string> test_ids;
  for (const OrderedTest& test : order.tests) test_ids.push_back(test.id.text());
  write_to_many(json, "line_items", "line_item", {order.line_item});
  write_to_many(json, "ordered_tests", "ordered_test", test_ids);
  write_to_one(json, "patient", "patient", order.patient.text());
  write_to_one(json, "patients_practitioner", "practitioner", practitioners_[order.practitioner].id.text());
  write_to_one(json, "signing_practitioner", "practitioner", practitioners_[order.signer].id.text());
  write_to_one(json, "order_intent", "order_intent", order.intent);
  json.end_object().member("type", "order").end_object();

  json.key("included").begin_array();
  const bool left_out = dice_.chance(options_.practitioner_left_out_permille);
  const bool people_first = dice_.chance(200);
  const auto write_people = [&] {
    if (!left_out) write_practitioner(json, practitioners_[order.practitioner], order.practitioner);
    if (order.signer != order.practitioner) write_practitioner(json, practitioners_[order.signer], order.signer);
  };
  if (people_first) write_people();
  for (const OrderedTest& test : order.tests) write_ordered_test(json, test);
  if (!people_first) write_people();
  json.end_array().end_object();
  json.member("id", id.text()).member("type", "order.new_result").end_object();
  return json.take();
}

// HL7 v2.5.1 ORU^R01. OBR-25 and OBX-11 say `C` once a value was corrected.
std::string Generator::hl7_of(const Order& order, const OrderedTest& test) const {
  const Panel& panel = panels()[test.panel];
  const std::string reported = hl7_time(*test.received);
  std::string text = "MSH|^~\\&|LIS|Greenleaf Example Laboratory|||" + reported + "||ORU^R01^ORU_R01|" +
                     test.id.text() + "-" + reported.substr(8, 6) + "|P|2.5.1\r";
  text += "PID|1||" + order.patient.text() + "||" + order.patient_name + "||" + order.birth_date + "|U\r";
  text += "ORC|RE|" + order.id.text() + "|" + test.id.text() + "||CM\r";
  text += "OBR|1|" + order.id.text() + "|" + test.id.text() + "|" + std::string(panel.code) + "^" +
          std::string(panel.name) + "^L|||" + hl7_time(order.submitted) + "|||||||||||||||" + reported + "|||" +
          (test.corrected ? "C" : "F") + "\r";
  for (std::size_t i = 0; i < panel.analytes.size(); ++i) {
    const Analyte& analyte = panel.analytes[i];
    const LabValue& value = test.values[i];
    text += "OBX|" + std::to_string(i + 1) + "|NM|" + std::string(analyte.loinc) + "^" + std::string(analyte.name) +
            "^LN||" + as_decimal(value.value, analyte.decimals) + "|" + std::string(analyte.unit) + "|" +
            as_decimal(analyte.low, analyte.decimals) + "-" + as_decimal(analyte.high, analyte.decimals) + "|" +
            std::string(flag_of(analyte, value.value)) + "|||" + (value.corrected ? "C" : "F") + "|||" + reported +
            "\r";
    if (value.corrected) text += "NTE|1|L|Corrected after the measurement was repeated.\r";
  }
  return text;
}

std::string Generator::new_id(const char* prefix) {
  const auto product = static_cast<unsigned __int128>(ids_given_++) * kIdStride;
  auto number = static_cast<std::uint64_t>((product + ids_offset_) % kIdsPerPrefix);
  std::string text(7, '0');
  for (char& digit : text) {
    digit = kIdDigits[number % kIdDigits.size()];
    number /= kIdDigits.size();
  }
  return prefix + text;
}

std::vector<std::size_t> arrivals(std::size_t count, const ArrivalOptions& options) {
  Dice dice(options.seed);
  const std::size_t reach = std::min(options.displacement_max, count);
  std::vector<std::pair<std::size_t, std::size_t>> placed;  // (place, item); equal places keep the order of the items
  placed.reserve(count + count * options.duplicates_permille / 1000);
  for (std::size_t item = 0; item < count; ++item) {
    placed.emplace_back(item + dice.below(reach + 1), item);
    if (dice.chance(options.duplicates_permille)) placed.emplace_back(item + dice.below(reach + 1), item);
  }
  std::ranges::sort(placed);
  std::vector<std::size_t> order;
  order.reserve(placed.size());
  for (const auto& one : placed) order.push_back(one.second);
  return order;
}

namespace {

std::string as_decimal(std::int64_t value, int decimals) {
  std::string digits = std::to_string(value);
  if (decimals == 0) return digits;
  const auto places = static_cast<std::size_t>(decimals);
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  return digits.insert(digits.size() - places, ".");
}

// As the network writes times: with an offset, and with microseconds where there are any.
std::string network_time(Timestamp time, std::int64_t hours_behind) {
  std::string text = format_timestamp({time.microseconds - hours_behind * kMicrosecondsPerHour});
  text.pop_back();  // Z
  return text + "-0" + std::to_string(hours_behind) + ":00";
}

// 20240613202850+0000 (HL7 v2.5.1 §2.A.22).
std::string hl7_time(Timestamp time) {
  std::string digits;
  for (const char c : format_timestamp(time).substr(0, 19)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  return digits + "+0000";
}

std::string_view flag_of(const Analyte& analyte, std::int64_t value) {
  return value < analyte.low ? "L" : value > analyte.high ? "H" : "N";
}

// Mostly within the reference range, at times a quarter of its width outside.
std::int64_t measured(Dice& dice, const Analyte& analyte) {
  const std::int64_t outside = (analyte.high - analyte.low) / 4;
  return dice.between(std::max<std::int64_t>(analyte.low - outside, 0), analyte.high + outside);
}

void write_to_one(JsonWriter& json, std::string_view name, std::string_view type, const std::string& id) {
  json.key(name).begin_object().key("data");
  if (id.empty()) {
    json.null().end_object();
  } else {
    json.begin_object().member("id", id).member("type", type).end_object().end_object();
  }
}

void write_to_many(JsonWriter& json, std::string_view name, std::string_view type,
                   const std::vector<std::string>& ids) {
  json.key(name).begin_object().key("data").begin_array();
  for (const std::string& id : ids) json.begin_object().member("id", id).member("type", type).end_object();
  json.end_array()
      .key("meta")
      .begin_object()
      .member("count", static_cast<std::uint64_t>(ids.size()))
      .end_object()
      .end_object();
}

}  // namespace
}  // namespace resultsync::sandbox
