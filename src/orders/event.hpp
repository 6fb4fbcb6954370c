// What an event of the network says, in our own words. Values only; decode.hpp makes them from a body.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/timestamp.hpp"

namespace resultsync::orders {

// The order of events of one order (S2): by time, then by id. An event without a readable time sorts first.
struct EventKey {
  Timestamp created_at;
  EventId id;
  auto operator<=>(const EventKey&) const = default;
};
inline constexpr Timestamp kNoTime{std::numeric_limits<std::int64_t>::min()};

// What was odd about an event. None of them keeps it from being stored; a set of them is kept as bits.
enum class Flag : std::uint32_t {
  kNotJson = 1U << 0,       // the body is no JSON document (RFC 8259)
  kNotAnEvent = 1U << 1,    // JSON, but no object with an event's members
  kRepairedText = 1U << 2,  // ill-formed UTF-8 was read as U+FFFD
  kNoId = 1U << 3,          // no usable id: the body's SHA-256 stands for it
  kNoType = 1U << 4,
  kNoTime = 1U << 5,           // `created_at` is missing or unreadable: sorts first
  kTimeWithoutZone = 1U << 6,  // read as UTC
  kNoOrder = 1U << 7,          // a known type, but no order with an id in it
  kNoPractitioner = 1U << 8,   // the order names no `patients_practitioner`
  kNoClinic = 1U << 9,         // the practitioner is not included, or without a clinic
  kForeignTest = 1U << 10,     // an included ordered test that the order does not list: not applied
  kTestTwice = 1U << 11,       // one ordered test included twice, differently: the first was applied
  kStale = 1U << 12,           // rightly signed, but its signature's timestamp is outside the tolerance
  kConflict = 1U << 13,        // another body came under the same event id (I2)
  kReconciled = 1U << 14,      // read from the network's API: its event never came
};

class Flags {
 public:
  Flags() = default;
  explicit Flags(std::uint32_t bits) : bits_(bits) {}
  void set(Flag flag) { bits_ |= static_cast<std::uint32_t>(flag); }
  [[nodiscard]] bool has(Flag flag) const { return (bits_ & static_cast<std::uint32_t>(flag)) != 0; }
  [[nodiscard]] std::uint32_t bits() const { return bits_; }
  // Their names as the API shows them: "not_json", "no_time", …
  [[nodiscard]] std::vector<std::string> names() const;
  bool operator==(const Flags&) const = default;

 private:
  std::uint32_t bits_ = 0;
};

// One ordered test as an event shows it. Its *content* is its result members: `date_results_received_from_lab` and
// everything named `results_…`; null, absent and empty text are the same, and a file counts by its bytes
// (documents.hpp). What is not content (the requisition, the lab test) belongs to the order.
struct OrderedTest {
  OrderedTestId id;
  LabTestId lab_test;        // may be empty
  Sha256 content;            // of the content's canonical form: equal content, equal digest (S4)
  bool has_content = false;  // at least one result member is not null
  bool pending = false;      // a document of the content is still to be fetched: `content` says nothing yet
  bool operator==(const OrderedTest&) const = default;
};

// A practitioner that an event includes, with the clinic it names.
struct PractitionerClinic {
  PractitionerId practitioner;
  ClinicId clinic;
  auto operator<=>(const PractitionerClinic&) const = default;
};

// The order as one event shows it.
struct Order {
  OrderId id;
  PatientId patient;               // may be empty
  PractitionerId practitioner;     // `patients_practitioner`: decides the clinic (S5); may be empty
  ClinicId clinic;                 // of that practitioner, by this event itself; may be empty
  std::string status;              // as sent; statuses that we do not know pass through
  std::vector<OrderedTest> tests;  // those that the event includes, by id
  Sha256 state;                    // of everything the event says of the order and its tests but the tests' content
  bool operator==(const Order&) const = default;
};

struct Event {
  EventKey key;
  std::string type;  // empty if the body has none
  Flags flags;
  std::optional<Order> order;  // set if the event shows an order with an id
  std::vector<PractitionerClinic> practitioners;
};

}  // namespace resultsync::orders
