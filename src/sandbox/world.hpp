// The invented world behind the faces: clinics, practitioners, patients, and orders that go through their lives. PURE:
// a function of its options and of what is done to it, in simulated time.
//
//   World world({.seed = 7, .start = start});
//   for (const Happening& happening : world.advance_to(now)) …   // what became of it, in order of time
//
// An order that the world makes by itself draws everything from (seed, its number), so whatever is done to other orders
// leaves its bytes as they are. Not thread-safe: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/timestamp.hpp"
#include "sandbox/dice.hpp"
#include "sandbox/report.hpp"

namespace resultsync::sandbox {

struct WorldOptions {
  std::uint64_t seed = 1;
  Timestamp start = Timestamp::from_seconds(1'767'625'200);  // 2026-01-05T15:00:00Z
  std::size_t clinics = 3;
  std::size_t practitioners_per_clinic = 3;
  std::size_t patients_per_clinic = 12;
  std::size_t past_orders_per_clinic = 8;  // made and finished before `start`
  std::size_t orders_max = 100'000;        // that the world makes by itself, from `start` on
  double orders_per_day = 10;              // of all clinics together; 0: none by itself
  unsigned corrections_permille = 120;     // of the results
  unsigned cancellations_permille = 30;    // of the tests, by the laboratory
};

struct Clinic {
  ClinicId id;
  std::string name, phone, time_zone;
  int utc_offset_minutes = 0;
  Address address;
  std::size_t first_practitioner = 0, first_patient = 0;
};

struct Practitioner {
  PractitionerId id;
  std::size_t clinic = 0;
  std::string first_name, last_name, title /* "ND" */, type, phone, npi;
  Address address;
  bool authorized = true, email_verified = true;
  [[nodiscard]] std::string titled() const;  // "Dr. Wren Alderwood, ND"
};

struct Patient {
  std::size_t practitioner = 0;
  Person person;  // its `id` is the network's
  std::string email;
};

enum class IntentState { kOpen, kSubmitted, kCanceled };
struct OrderIntent {
  std::string id;
  std::size_t practitioner = 0, patient = 0;
  std::vector<std::size_t> tests;  // indexes into lab_tests()
  std::string return_url;
  std::string metadata;  // one JSON value; empty: none
  IntentState state = IntentState::kOpen;
  std::optional<std::size_t> order;
};

struct OrderedTest {
  OrderedTestId id;
  std::size_t test = 0;
  std::vector<LabReport> versions;     // in the order in which the laboratory sent them
  std::optional<std::size_t> current;  // index into `versions`; nothing: no result (yet, or withdrawn)
  bool canceled = false;
};

enum class OrderState { kPendingPayment, kPendingSignature, kInProgress, kPartialResults, kCompleted, kCanceled };
std::string_view status_text(OrderState state);  // "Pending Payment"

struct Order {
  OrderId id;
  std::uint64_t number = 0;
  std::size_t practitioner = 0, signer = 0, patient = 0;
  std::optional<std::size_t> intent;
  Timestamp submitted;
  std::optional<Timestamp> paid, completed, canceled;
  OrderState state = OrderState::kPendingPayment;
  std::int64_t total_cents = 0;
  bool patient_pays = true;
  std::string note;  // to the patient; empty: none
  std::vector<OrderedTest> tests;
  std::uint64_t events = 0;  // made about it so far
  bool held = false;         // nothing happens to it by itself
};

enum class What {
  kSubmitted,
  kPaid,
  kSigned,
  kPreliminary,
  kFinal,
  kCorrected,
  kTestCanceled,
  kWithdrawn,
  kCompleted,
  kOrderCanceled
};
std::string_view what_name(What what);
bool is_result(What what);  // whether it is told as order.new_result

// Something that the network tells of.
struct Happening {
  EventId event;
  What what = What::kSubmitted;
  Timestamp at;
  std::size_t order = 0;
  std::optional<std::size_t> test;  // index into the order's tests
};

class World {
 public:
  explicit World(const WorldOptions& options);

  // Everything that falls due up to and at `now`, in order of time. What happens is calls of `told` in the very state
  // of that moment: whoever needs a snapshot takes it there.
  using Told = std::move_only_function<void(const Happening&)>;
  void advance_to(Timestamp now, Told& told);
  [[nodiscard]] std::optional<Timestamp> next_due() const;
  [[nodiscard]] Timestamp now() const { return now_; }
  [[nodiscard]] std::size_t planned_orders() const;  // that have not been finished, or not been made yet

  [[nodiscard]] const std::vector<Clinic>& clinics() const { return clinics_; }
  [[nodiscard]] const std::vector<Practitioner>& practitioners() const { return practitioners_; }
  [[nodiscard]] const std::vector<Patient>& patients() const { return patients_; }
  [[nodiscard]] const std::vector<Order>& orders() const { return orders_; }
  [[nodiscard]] const std::vector<OrderIntent>& intents() const { return intents_; }
  [[nodiscard]] std::size_t clinic_of(const Order& order) const { return practitioners_[order.practitioner].clinic; }
  [[nodiscard]] const WorldOptions& options() const { return options_; }

  // Nothing if there is none of that id.
  [[nodiscard]] std::optional<std::size_t> practitioner(std::string_view id) const { return found(by_id_, id, 'p'); }
  [[nodiscard]] std::optional<std::size_t> clinic(std::string_view id) const { return found(by_id_, id, 'c'); }
  [[nodiscard]] std::optional<std::size_t> patient(std::string_view id) const { return found(by_id_, id, 'a'); }
  [[nodiscard]] std::optional<std::size_t> order(std::string_view id) const { return found(by_id_, id, 'o'); }
  [[nodiscard]] std::optional<std::size_t> intent(std::string_view id) const { return found(by_id_, id, 'i'); }
  struct TestPlace {
    std::size_t order, test;
  };
  [[nodiscard]] std::optional<TestPlace> ordered_test(std::string_view id) const;
  static std::optional<std::size_t> lab_test(std::string_view id);     // "labts_…"
  static std::optional<std::size_t> lab_company(std::string_view id);  // "labco_…"

  // What the requisition of an ordered test is made from.
  [[nodiscard]] LabReport requisition_of(const Order& order, std::size_t test) const;

  // What people do, at now().
  std::size_t add_patient(Patient patient);  // gives it its id
  Patient& edit_patient(std::size_t patient) { return patients_[patient]; }
  std::size_t add_intent(OrderIntent intent);
  OrderIntent& edit_intent(std::size_t intent) { return intents_[intent]; }
  struct NewOrder {
    std::size_t practitioner = 0, patient = 0;
    std::vector<std::size_t> tests;
    std::optional<std::size_t> intent = {};
    bool held = false;
  };
  std::size_t place_order(NewOrder order, Told& told);
  // Errors: `conflict`, with a sentence why it cannot be done now.
  Result<void> release(TestPlace place, Stage stage, Told& told);  // kPreliminary or kFinal
  Result<void> correct(TestPlace place, Told& told);
  Result<void> cancel_test(TestPlace place, Told& told);
  Result<void> withdraw(TestPlace place, Told& told);
  Result<void> cancel_order(std::size_t order, Told& told);

 private:
  struct Step {
    Timestamp due;
    std::uint64_t order_number;  // of two steps at one time, that of the earlier order comes first
    std::uint64_t rank;          // and of one order, in the order of planning
    std::size_t order;
    std::size_t test;
    What what;
    bool operator>(const Step& other) const {
      return std::tie(due, order_number, rank) > std::tie(other.due, other.order_number, other.rank);
    }
  };
  using ById = std::map<std::string, std::pair<char, std::size_t>, std::less<>>;
  static std::optional<std::size_t> found(const ById& by_id, std::string_view id, char kind);

  void build_people();
  void build_past();
  std::size_t make_order(std::uint64_t number, Timestamp at, const NewOrder* given);
  void plan(std::size_t order, Dice& dice);
  void do_step(const Step& step, Told& told);
  void tell(std::size_t order, What what, std::optional<std::size_t> test, Told& told);
  void schedule_next_order();
  LabReport report_of(const Order& order, std::size_t test, Stage stage) const;
  void settle(std::size_t order, Told& told);  // the state that follows from the tests

  WorldOptions options_;
  Timestamp now_;
  std::vector<Clinic> clinics_;
  std::vector<Practitioner> practitioners_;
  std::vector<Patient> patients_;
  std::vector<Order> orders_;
  std::vector<OrderIntent> intents_;
  ById by_id_;
  std::map<std::string, TestPlace, std::less<>> tests_by_id_;
  std::priority_queue<Step, std::vector<Step>, std::greater<>> steps_;
  std::uint64_t orders_made_ = 0;    // by the world itself
  std::uint64_t orders_placed_ = 0;  // by people
  std::optional<Timestamp> next_order_;
  std::uint64_t ranks_ = 0;
  std::size_t unfinished_ = 0;
};

}  // namespace resultsync::sandbox
