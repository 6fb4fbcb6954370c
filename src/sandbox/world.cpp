#include "sandbox/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sandbox/numbers.hpp"
#include "sandbox/people.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::int64_t kMinute = 60'000'000;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

// The numbers behind the ids of an order's parts: orders of the world from 1, those placed by people from here.
constexpr std::uint64_t kPlacedFrom = 1ULL << 24;
constexpr std::uint64_t kTestsPerOrder = 32;
constexpr std::uint64_t kEventsPerOrder = 4096;

std::string phone_of(Dice& dice) {
  return fmt::format("+1202555{:04}", dice.between(100, 199));
}

Address address_of(Dice& dice, const Place& place) {
  return {fmt::format("{} {}", dice.between(3, 989), dice.one_of(kStreets)),
          dice.chance(250) ? fmt::format("Suite {}", dice.between(1, 40)) : "", std::string(place.city),
          std::string(place.state), std::string(place.zip)};
}

Timestamp later(Timestamp time, std::int64_t microseconds) {
  return {time.microseconds + microseconds};
}

}  // namespace

std::string Practitioner::titled() const {
  const bool doctor = title == "ND" || title == "MD" || title == "DO";
  return fmt::format("{}{} {}, {}", doctor ? "Dr. " : "", first_name, last_name, title);
}

std::string_view status_text(OrderState state) {
  constexpr std::string_view kTexts[] = {"Pending Payment", "Pending Signature", "In Progress",
                                         "Partial Results", "Completed",         "Canceled"};
  return kTexts[static_cast<int>(state)];
}

std::string_view what_name(What what) {
  constexpr std::string_view kNames[] = {"submitted", "paid",          "signed",    "preliminary", "final",
                                         "corrected", "test_canceled", "withdrawn", "completed",   "canceled"};
  return kNames[static_cast<int>(what)];
}

bool is_result(What what) {
  return what == What::kPreliminary || what == What::kFinal || what == What::kCorrected ||
         what == What::kTestCanceled || what == What::kWithdrawn;
}

World::World(const WorldOptions& options) : options_(options), now_(options.start) {
  options_.clinics = std::clamp<std::size_t>(options.clinics, 1, 1000);
  options_.practitioners_per_clinic = std::clamp<std::size_t>(options.practitioners_per_clinic, 1, 100);
  options_.patients_per_clinic = std::clamp<std::size_t>(options.patients_per_clinic, 1, 10'000);
  build_people();
  build_past();
  schedule_next_order();
}

void World::build_people() {
  for (std::size_t c = 0; c < options_.clinics; ++c) {
    Dice dice(mixed(options_.seed, "clinic", c));
    const Place& place = kPlaces[c % kPlaces.size()];
    Clinic clinic{.id = ClinicId(id_of("cli_", options_.seed, c)),
                  .name = fmt::format("{} {}", place.city, kClinicKinds[(c + dice.below(2)) % kClinicKinds.size()]),
                  .phone = phone_of(dice),
                  .time_zone = std::string(place.time_zone),
                  .utc_offset_minutes = place.utc_offset_minutes,
                  .address = address_of(dice, place),
                  .first_practitioner = practitioners_.size(),
                  .first_patient = patients_.size()};
    for (std::size_t p = 0; p < options_.practitioners_per_clinic; ++p) {
      const Profession& profession = dice.one_of(kProfessions);
      Practitioner one{
          .id = PractitionerId(id_of("pra_", options_.seed, practitioners_.size())),
          .clinic = c,
          .first_name = std::string(dice.chance(600) ? dice.one_of(kWomensNames) : dice.one_of(kMensNames)),
          .last_name = std::string(dice.one_of(kFamilyNames)),
          .title = std::string(profession.title),
          .type = std::string(profession.type),
          .phone = phone_of(dice),
          .npi = fmt::format("99999{:05}", practitioners_.size() + 1),
          .address = clinic.address,
          .authorized = !dice.chance(200),
          .email_verified = true};
      by_id_[one.id.text()] = {'p', practitioners_.size()};
      practitioners_.push_back(std::move(one));
    }
    by_id_[clinic.id.text()] = {'c', clinics_.size()};
    clinics_.push_back(std::move(clinic));
    for (std::size_t p = 0; p < options_.patients_per_clinic; ++p) {
      const bool woman = dice.chance(650);
      Patient patient;
      patient.practitioner = clinics_[c].first_practitioner + dice.below(options_.practitioners_per_clinic);
      patient.person = {
          .id = {},
          .first_name = std::string(woman ? dice.one_of(kWomensNames) : dice.one_of(kMensNames)),
          .last_name = std::string(dice.one_of(kFamilyNames)),
          .birthday = fmt::format("{}-{:02}-{:02}", dice.between(1941, 2004), dice.between(1, 12), dice.between(1, 28)),
          .gender = woman ? "female" : "male",
          .address = address_of(dice, place),
          .phone = phone_of(dice)};
      std::string mail;
      for (const char c2 : patient.person.first_name + "." + patient.person.last_name) {
        if (std::isalnum(static_cast<unsigned char>(c2)) != 0 || c2 == '.')
          mail += static_cast<char>(std::tolower(static_cast<unsigned char>(c2)));
      }
      patient.email = fmt::format("{}{}@example.com", mail, patients_.size() + 1);
      add_patient(std::move(patient));
    }
  }
}

// Orders of the months before, most of them finished, so that patients have a history and a back-fill has something to
// find.
void World::build_past() {
  Told nobody = [](const Happening&) {};
  const std::size_t count = options_.past_orders_per_clinic * options_.clinics;
  for (std::size_t i = 0; i < count; ++i) {
    const auto ago = static_cast<std::int64_t>((count - i) * 170 / (count + 1) + 30);
    const Timestamp at = later(options_.start, -ago * kDay);
    now_ = at;
    make_order(++orders_made_, at, nullptr);
  }
  while (!steps_.empty() && steps_.top().due <= options_.start) {  // what is due later happens before everybody's eyes
    const Step step = steps_.top();
    steps_.pop();
    now_ = step.due;
    do_step(step, nobody);
  }
  now_ = options_.start;
}

void World::schedule_next_order() {
  next_order_.reset();
  const std::uint64_t past = options_.past_orders_per_clinic * options_.clinics;
  if (options_.orders_per_day <= 0 || orders_made_ - past >= options_.orders_max) return;
  Dice dice(mixed(options_.seed, "arrival", orders_made_ + 1));
  const double uniform = (static_cast<double>(dice.below(1'000'000)) + 0.5) / 1e6;
  const double wait = -std::log(uniform) / options_.orders_per_day * static_cast<double>(kDay);
  // The first comes soon, so that whoever watches has something to see.
  const bool first = orders_made_ == past;
  // In whole seconds: the last digits of a logarithm are the machine's.
  next_order_ = later(now_, first ? kMinute : static_cast<std::int64_t>(wait / 1e6) * 1'000'000 + 1);
}

std::optional<Timestamp> World::next_due() const {
  std::optional<Timestamp> due = next_order_;
  if (!steps_.empty() && (!due || steps_.top().due < *due)) due = steps_.top().due;
  return due;
}

std::size_t World::planned_orders() const {
  const std::uint64_t past = options_.past_orders_per_clinic * options_.clinics;
  const std::size_t to_come =
      next_order_ ? options_.orders_max - static_cast<std::size_t>(orders_made_ - past) : std::size_t{0};
  return to_come + unfinished_;
}

void World::advance_to(Timestamp now, Told& told) {
  while (true) {
    const auto due = next_due();
    if (!due || *due > now) break;
    now_ = std::max(now_, *due);
    if (next_order_ && *next_order_ == *due) {
      const std::size_t order = make_order(++orders_made_, *due, nullptr);
      tell(order, What::kSubmitted, std::nullopt, told);
      schedule_next_order();
    } else {
      const Step step = steps_.top();
      steps_.pop();
      do_step(step, told);
    }
  }
  now_ = std::max(now_, now);
}

std::size_t World::make_order(std::uint64_t number, Timestamp at, const NewOrder* given) {
  Dice dice(mixed(options_.seed, "order", number));
  const std::size_t index = orders_.size();
  Order order;
  order.id = OrderId(id_of("ord_", options_.seed, number));
  order.number = number;
  order.submitted = later(at, given ? 0 : -dice.between(1, 40) * 1'000'003);  // a moment before the network tells of it
  std::vector<std::size_t> tests;
  if (given) {
    order.practitioner = given->practitioner;
    order.patient = given->patient;
    order.intent = given->intent;
    order.held = given->held;
    tests = given->tests;
  } else {
    const std::size_t clinic = dice.below(clinics_.size());
    order.patient = clinics_[clinic].first_patient + dice.below(options_.patients_per_clinic);
    order.practitioner = patients_[order.patient].practitioner;
    const auto count = 1 + dice.below(2) + dice.below(2);
    while (tests.size() < count) {
      const std::size_t test = dice.below(lab_tests().size());
      if (std::ranges::find(tests, test) == tests.end()) tests.push_back(test);
    }
  }
  const Clinic& clinic = clinics_[practitioners_[order.practitioner].clinic];
  order.signer = order.practitioner;
  if (!practitioners_[order.practitioner].authorized || dice.chance(150))
    order.signer = clinic.first_practitioner + dice.below(options_.practitioners_per_clinic);
  order.patient_pays = !dice.chance(250);
  if (dice.chance(300)) order.note = "Please fast for twelve hours before the draw; water is fine.";
  for (std::size_t i = 0; i < tests.size(); ++i) {
    OrderedTest one;
    one.id = OrderedTestId(id_of("ordts_", options_.seed, number * kTestsPerOrder + i));
    one.test = tests[i];
    order.total_cents += lab_tests()[tests[i]].price_cents;
    tests_by_id_[one.id.text()] = {index, i};
    order.tests.push_back(std::move(one));
  }
  by_id_[order.id.text()] = {'o', index};
  if (order.intent) intents_[*order.intent].order = index;
  orders_.push_back(std::move(order));
  ++unfinished_;
  if (!orders_[index].held) plan(index, dice);
  return index;
}

// When each thing of an order's life happens. Kits travel, laboratories batch, and corrections come late.
void World::plan(std::size_t index, Dice& dice) {
  const Order& order = orders_[index];
  const auto step = [&](Timestamp due, What what, std::size_t test = 0) {
    steps_.push({due, order.number, ++ranks_, index, test, what});
  };
  Timestamp at = later(order.submitted, dice.between(4, 600) * kMinute + dice.between(0, 59'999'999));
  step(at, What::kPaid);
  if (order.signer != order.practitioner || dice.chance(300)) {
    at = later(at, dice.between(20, 1500) * kMinute + dice.between(0, 59'999'999));
    step(at, What::kSigned);
  }
  for (std::size_t i = 0; i < order.tests.size(); ++i) {
    const LabTest& test = lab_tests()[order.tests[i].test];
    const Timestamp collected = later(at, dice.between(16, 72) * kHour);
    Timestamp done =
        later(collected, test.turnaround_days * kDay + dice.between(-6, 30) * kHour + dice.between(0, 3'599'999'999));
    if (dice.chance(options_.cancellations_permille)) {
      step(done, What::kTestCanceled, i);
      continue;
    }
    const bool in_parts = test.kind == ResultKind::kCulture || test.kind == ResultKind::kMeasured;
    if (in_parts && dice.chance(test.kind == ResultKind::kCulture ? 800 : 300)) {
      step(done, What::kPreliminary, i);
      done = later(done, dice.between(20, 60) * kHour + dice.between(0, 59'999'999));
    }
    step(done, What::kFinal, i);
    while (dice.chance(options_.corrections_permille)) {
      done = later(done, dice.between(6, 240) * kHour + dice.between(0, 59'999'999));
      step(done, What::kCorrected, i);
    }
  }
}

void World::do_step(const Step& step, Told& told) {
  Order& order = orders_[step.order];
  if (order.state == OrderState::kCanceled) return;
  const TestPlace place{step.order, step.test};
  switch (step.what) {
    case What::kPaid:
      order.paid = now_;
      order.state = order.signer != order.practitioner ? OrderState::kPendingSignature : OrderState::kInProgress;
      return tell(step.order, What::kPaid, std::nullopt, told);
    case What::kSigned:
      if (order.state == OrderState::kPendingSignature) order.state = OrderState::kInProgress;
      return tell(step.order, What::kSigned, std::nullopt, told);
    // What people did by hand may have overtaken the plan; then it is let be.
    case What::kPreliminary:
      return static_cast<void>(release(place, Stage::kPreliminary, told));
    case What::kFinal:
      return static_cast<void>(release(place, Stage::kFinal, told));
    case What::kCorrected:
      return static_cast<void>(correct(place, told));
    case What::kTestCanceled:
      return static_cast<void>(cancel_test(place, told));
    default:
      return;
  }
}

void World::tell(std::size_t index, What what, std::optional<std::size_t> test, Told& told) {
  Order& order = orders_[index];
  const std::uint64_t number = order.number * kEventsPerOrder + order.events++;
  told({EventId(id_of("evt_", options_.seed, number)), what, now_, index, test});
}

void World::settle(std::size_t index, Told& told) {
  Order& order = orders_[index];
  if (order.state == OrderState::kCompleted || order.state == OrderState::kCanceled) return;
  const bool all = std::ranges::all_of(order.tests, [](const OrderedTest& one) {
    return one.canceled || (one.current && one.versions[*one.current].stage != Stage::kPreliminary);
  });
  if (!all) return;
  order.state = OrderState::kCompleted;
  order.completed = now_;
  --unfinished_;
  tell(index, What::kCompleted, std::nullopt, told);
}

Result<void> World::release(TestPlace place, Stage stage, Told& told) {
  Order& order = orders_[place.order];
  OrderedTest& test = order.tests[place.test];
  if (order.state == OrderState::kCanceled) return fail("conflict", "the order is canceled");
  if (test.canceled) return fail("conflict", "the test is canceled");
  if (test.current) {
    const Stage now = test.versions[*test.current].stage;
    if (stage == Stage::kPreliminary) return fail("conflict", "there is a result already");
    if (now != Stage::kPreliminary) return fail("conflict", "the result is final already; correct it instead");
  }
  if (stage == Stage::kPreliminary && lab_tests()[order.tests[place.test].test].kind == ResultKind::kNarrative)
    return fail("conflict", "this laboratory reports this test as a whole");
  if (!order.paid) order.paid = now_;
  test.versions.push_back(report_of(order, place.test, stage));
  test.current = test.versions.size() - 1;
  if (order.state != OrderState::kCompleted) order.state = OrderState::kPartialResults;
  tell(place.order, stage == Stage::kPreliminary ? What::kPreliminary : What::kFinal, place.test, told);
  settle(place.order, told);
  return {};
}

Result<void> World::correct(TestPlace place, Told& told) {
  Order& order = orders_[place.order];
  OrderedTest& test = order.tests[place.test];
  if (order.state == OrderState::kCanceled || test.canceled) return fail("conflict", "it is canceled");
  if (!test.current || test.versions[*test.current].stage == Stage::kPreliminary)
    return fail("conflict", "there is no final result to correct");
  test.versions.push_back(report_of(order, place.test, Stage::kCorrected));
  test.current = test.versions.size() - 1;
  tell(place.order, What::kCorrected, place.test, told);
  return {};
}

Result<void> World::cancel_test(TestPlace place, Told& told) {
  Order& order = orders_[place.order];
  OrderedTest& test = order.tests[place.test];
  if (order.state == OrderState::kCanceled || test.canceled) return fail("conflict", "it is canceled already");
  test.versions.push_back(report_of(order, place.test, Stage::kCanceled));
  test.current = test.versions.size() - 1;
  test.canceled = true;
  tell(place.order, What::kTestCanceled, place.test, told);
  settle(place.order, told);
  return {};
}

Result<void> World::withdraw(TestPlace place, Told& told) {
  OrderedTest& test = orders_[place.order].tests[place.test];
  if (!test.current || test.canceled) return fail("conflict", "there is no result to withdraw");
  test.current.reset();
  tell(place.order, What::kWithdrawn, place.test, told);
  return {};
}

Result<void> World::cancel_order(std::size_t index, Told& told) {
  Order& order = orders_[index];
  if (order.state == OrderState::kCanceled) return fail("conflict", "the order is canceled already");
  if (order.state != OrderState::kCompleted) --unfinished_;
  order.state = OrderState::kCanceled;
  order.canceled = now_;
  tell(index, What::kOrderCanceled, std::nullopt, told);
  return {};
}

std::size_t World::add_patient(Patient patient) {
  patient.person.id = id_of("pat_", options_.seed, patients_.size());
  by_id_[patient.person.id] = {'a', patients_.size()};
  patients_.push_back(std::move(patient));
  return patients_.size() - 1;
}

std::size_t World::add_intent(OrderIntent intent) {
  intent.id = id_of("ordin_", options_.seed, intents_.size());
  by_id_[intent.id] = {'i', intents_.size()};
  intents_.push_back(std::move(intent));
  return intents_.size() - 1;
}

std::size_t World::place_order(NewOrder order, Told& told) {
  const std::size_t index = make_order(kPlacedFrom + orders_placed_++, now_, &order);
  tell(index, What::kSubmitted, std::nullopt, told);
  return index;
}

std::optional<World::TestPlace> World::ordered_test(std::string_view id) const {
  const auto at = tests_by_id_.find(id);
  return at == tests_by_id_.end() ? std::nullopt : std::optional(at->second);
}

std::optional<std::size_t> World::found(const ById& by_id, std::string_view id, char kind) {
  const auto at = by_id.find(id);
  if (at == by_id.end() || at->second.first != kind) return std::nullopt;
  return at->second.second;
}

std::optional<std::size_t> World::lab_test(std::string_view id) {
  for (std::size_t i = 0; i < lab_tests().size(); ++i) {
    if (id.starts_with("labts_") && id.substr(6) == lab_tests()[i].id) return i;
  }
  return std::nullopt;
}

std::optional<std::size_t> World::lab_company(std::string_view id) {
  for (std::size_t i = 0; i < lab_companies().size(); ++i) {
    if (id.starts_with("labco_") && id.substr(6) == lab_companies()[i].id) return i;
  }
  return std::nullopt;
}

}  // namespace resultsync::sandbox
