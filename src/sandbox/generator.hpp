// Believable events of the network, for the sandbox, `trigger`, `demo`, benchmarks and property tests. PURE: the same
// options give the same bytes, always and everywhere.
//
//   Generator generator({.seed = 7});
//   for (int i = 0; i < 1000; ++i) post(generator.next().body);
//
// Orders of several clinics run side by side. An order begins with an event in which all results are null; its ordered
// tests then arrive one by one, each event showing the whole order as it stands; some results are corrected later.
// Everybody in it is invented.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/timestamp.hpp"
#include "sandbox/dice.hpp"

namespace resultsync::sandbox {

struct GeneratorOptions {
  std::uint64_t seed = 1;
  std::size_t clinics = 4;                      // at least 1
  std::size_t practitioners_per_clinic = 3;     // at least 1
  std::size_t tests_per_order_max = 2;          // an order has 1 to this many ordered tests; at least 1
  std::size_t open_orders = 8;                  // orders that run side by side; at least 1
  unsigned corrections_permille = 150;          // of the results: a later event changes a value of it
  unsigned other_signer_permille = 250;         // of the orders: signed by another practitioner of the clinic
  unsigned practitioner_left_out_permille = 0;  // of the events: `included` does not hold the patient's practitioner
  Timestamp start = Timestamp::from_seconds(1'718'310'530);  // 2024-06-13; events are created from here on
};

enum class EventKind {
  kNew,         // the order, no results yet
  kResult,      // one more ordered test has its result
  kCorrection,  // a value of an ordered test that had its result is another one
};

struct GeneratedEvent {
  EventKind kind = EventKind::kNew;
  EventId id;  // evt_ and 7 characters; never twice from one generator
  OrderId order;
  ClinicId clinic;  // of the patient's practitioner: whom the order belongs to (S5)
  PractitionerId patients_practitioner;
  std::optional<OrderedTestId> ordered_test;  // what arrived or was corrected; nothing for kNew
  Timestamp created_at;                       // strictly later than that of the event before
  std::string body;                           // the JSON, 2 to 4 KB
};

struct GeneratedPractitioner {
  PractitionerId id;
  ClinicId clinic;
  std::string first_name;
  std::string last_name;
  std::string phone;  // from the range kept free for fiction
};

class Generator {
 public:
  explicit Generator(const GeneratorOptions& options);

  GeneratedEvent next();

  // Everybody whom events can name, for connecting them. Fixed when the generator is made.
  [[nodiscard]] const std::vector<GeneratedPractitioner>& practitioners() const { return practitioners_; }

 private:
  struct LabValue {
    std::int64_t value = 0;  // in units of the analyte's last decimal
    bool corrected = false;
  };
  struct OrderedTest {
    OrderedTestId id;
    LabTestId lab_test;
    std::size_t panel = 0;
    std::vector<LabValue> values;
    std::optional<Timestamp> received;  // of the latest report; nothing: no result yet
    bool correction_due = false;
    bool corrected = false;
  };
  struct Order {
    OrderId id;
    PatientId patient;
    std::size_t practitioner = 0;  // index into practitioners_
    std::size_t signer = 0;
    std::string intent;  // empty: ordered without one
    std::string line_item;
    Timestamp submitted;
    std::optional<Timestamp> paid;
    std::optional<Timestamp> completed;
    std::int64_t total_price = 0;
    bool has_note = false;
    bool has_metadata = false;
    std::string patient_name;  // family^given, as HL7 writes it
    std::string birth_date;
    bool announced = false;
    std::vector<OrderedTest> tests;
  };

  Order open_order();
  // Takes an order one step on; what happened, and to which of its tests.
  struct Step {
    EventKind kind;
    OrderedTest* test;
  };
  Step advance(Order& order);
  [[nodiscard]] static bool is_finished(const Order& order);
  std::string body_of(const EventId& id, const Order& order);
  [[nodiscard]] std::string hl7_of(const Order& order, const OrderedTest& test) const;
  std::string new_id(const char* prefix);

  GeneratorOptions options_;
  Dice dice_;
  std::uint64_t ids_offset_ = 0;
  std::uint64_t ids_given_ = 0;
  Timestamp now_;
  std::vector<GeneratedPractitioner> practitioners_;
  std::vector<Order> open_;
};

// In which order, and how often, a sequence of `count` items reaches a receiver: indexes into the sequence, each at
// least once.
struct ArrivalOptions {
  std::uint64_t seed = 1;
  unsigned duplicates_permille = 0;  // of the items: sent once more, somewhere after the first time or before it
  std::size_t displacement_max = 0;  // how many places an item may fall behind; 0 keeps the order
};
std::vector<std::size_t> arrivals(std::size_t count, const ArrivalOptions& options);

}  // namespace resultsync::sandbox
