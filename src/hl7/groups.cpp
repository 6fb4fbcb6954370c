#include "hl7/groups.hpp"

#include <algorithm>
#include <initializer_list>

namespace resultsync::hl7 {
namespace {

// "2.5.1" is 251; 0 if there is no such number, which is treated as the newest structure that every version from 2.5
// shares.
int version_number(std::string_view version) {
  int number = 0;
  int digits = 0;
  for (const char c : version) {
    if (c == '.') continue;
    if (c < '0' || c > '9' || digits == 3) break;
    number = number * 10 + (c - '0');
    ++digits;
  }
  if (digits == 0) return 0;
  for (; digits < 3; ++digits) number *= 10;
  return number;
}

class Grouper {
 public:
  explicit Grouper(const Message& message) : message_(message), version_(version_number(message.version())) {
    tree_.nodes.reserve(message.segment_count() * 2 + 8);
    tree_.nodes.push_back({.name = "ORU_R01"});
    tree_.grouped = true;
  }

  Tree run() {
    for (std::uint32_t i = 0; i < message_.segment_count(); ++i) place(i, message_.segment(i).name());
    close_order();
    return std::move(tree_);
  }

 private:
  static constexpr std::uint32_t kRoot = 0;

  // What has been seen of the ORDER_OBSERVATION that is open.
  struct Order {
    std::uint32_t node = kNoNode;
    std::uint32_t orc = kNoSegment, obr = kNoSegment, spm = kNoSegment;
    std::uint32_t common = kNoNode, timing = kNoNode, specimen = kNoNode, document = kNoNode;
    std::size_t first_observation = 0;  // in tree_.observations
    bool has_results = false;           // an OBX in an OBSERVATION
    bool reported = false;              // its missing OBR
  };

  void place(std::uint32_t i, std::string_view name) {
    if (name == "OBX") return obx(i);
    if (name == "NTE" || name == "PRT" || name.empty() || name[0] == 'Z') return add(current_, i, name);
    if (name == "PID") return pid(i);
    if (name == "ORC") return orc(i);
    if (name == "OBR") return obr(i);
    if (name == "SPM") return spm(i);
    if (name == "TQ1" || name == "TQ2") return timing(i, name);
    if (name == "PV1" || name == "PV2") return visit(i, name);
    if (name == "PD1" || name == "NK1" || name == "ARV") return of_patient(i, name);
    if (name == "CTD" || name == "FT1" || name == "CTI") return of_order(i, name);
    if (name == "TXA" && order_.document != kNoNode) return add(order_.document, i, name);
    if (name == "MSH" || name == "SFT" || name == "UAC" || name == "DSC" || name == "EVN") return of_message(i, name);
    if (is_known_elsewhere(name)) note(diagnostics::kUnplaced, i);
    add(current_, i, name);
  }

  void of_message(std::uint32_t i, std::string_view name) {
    if (patient_result_ != kNoNode && name != "DSC") note(diagnostics::kOutOfOrder, i);
    add(kRoot, i, name);
  }

  void pid(std::uint32_t i) {
    const bool fits =
        patient_result_ != kNoNode && pid_ == kNoSegment && order_.node == kNoNode && !patient_has_orders_;
    if (!fits) open_patient_result();
    if (patient_ == kNoNode) patient_ = open(patient_result_, "PATIENT");
    pid_ = i;
    add(patient_, i, "PID");
  }

  void of_patient(std::uint32_t i, std::string_view name) {
    need_patient();
    if (order_.node != kNoNode) note(diagnostics::kOutOfOrder, i);
    add(patient_, i, name);
  }

  void visit(std::uint32_t i, std::string_view name) {
    need_patient();
    if (order_.node != kNoNode) note(diagnostics::kOutOfOrder, i);
    if (visit_ == kNoNode || (name == "PV1" && tree_.child(visit_, "PV1") != kNoNode)) visit_ = open(patient_, "VISIT");
    add(visit_, i, name);
  }

  void orc(std::uint32_t i) {
    const bool joins =
        order_.node != kNoNode && order_.orc == kNoSegment && order_.obr == kNoSegment && !has_observations();
    if (!joins) open_order();
    order_.orc = i;
    if (version_ >= 280) order_.common = open(order_.node, "COMMON_ORDER");
    add(order_.common == kNoNode ? order_.node : order_.common, i, "ORC");
  }

  // An OBR after an ORC belongs to it. One after results belongs to no ORC: its order numbers are its own.
  void obr(std::uint32_t i) {
    const bool joins =
        order_.node != kNoNode && order_.obr == kNoSegment && (!has_observations() || order_.document != kNoNode);
    if (!joins) open_order();
    order_.obr = i;
    add(order_.node, i, "OBR");
  }

  void timing(std::uint32_t i, std::string_view name) {
    need_order(i);
    if (name == "TQ1" || order_.timing == kNoNode) order_.timing = open(order_.node, "TIMING_QTY");
    add(order_.timing, i, name);
  }

  void of_order(std::uint32_t i, std::string_view name) {
    need_order(i);
    add(order_.node, i, name);
  }

  void spm(std::uint32_t i) {
    need_order(i);
    order_.spm = i;
    order_.specimen = open(order_.node, "SPECIMEN");
    add(order_.specimen, i, "SPM");
  }

  void obx(std::uint32_t i) {
    if (order_.node == kNoNode && is_of_patient(i)) {
      note_if(version_ != 0 && version_ < 270, diagnostics::kOutOfOrder, i);
      return observe(i, PlacedObservation::Role::patient, open(patient_, "PATIENT_OBSERVATION"));
    }
    need_order(i);
    const bool knows_specimens = version_ == 0 || version_ >= 250;
    if (order_.specimen != kNoNode && knows_specimens) {
      return observe(i, PlacedObservation::Role::specimen,
                     version_ >= 280 ? open(order_.specimen, "SPECIMEN_OBSERVATION") : order_.specimen);
    }
    if (order_.obr == kNoSegment && order_.orc != kNoSegment && order_.document == kNoNode && is_document(i)) {
      const std::uint32_t parent = order_.common == kNoNode ? order_.node : order_.common;
      order_.document = open(parent, "ORDER_DOCUMENT");
      return observe(i, PlacedObservation::Role::document, order_.document);
    }
    if (order_.obr == kNoSegment && !order_.reported) {
      order_.reported = true;
      note(diagnostics::kNoOrder, i);
    }
    order_.has_results = true;
    observe(i, PlacedObservation::Role::result, open(order_.node, "OBSERVATION"));
  }

  void observe(std::uint32_t i, PlacedObservation::Role role, std::uint32_t node) {
    const bool patient = role == PlacedObservation::Role::patient;
    tree_.observations.push_back({i, role, pid_, order_.orc, order_.obr, order_.spm, patient ? kNoNode : order_.node});
    add(node, i, "OBX");
  }

  // Does an OBX before any order speak of the patient? Yes if a visit is still to come, or if the version has a place
  // for it and the patient has orders. Else it is a result whose order is missing.
  bool is_of_patient(std::uint32_t i) {
    if (pid_ == kNoSegment) return false;
    const std::uint32_t next = next_of(next_visit_or_order_, i, {"PV1", "ORC", "OBR", "PID"});
    if (next == kNoSegment) return false;
    const std::string_view name = message_.segment(next).name();
    return name == "PV1" || (version_ >= 270 && name != "PID");
  }

  bool is_document(std::uint32_t i) {
    const std::uint32_t next = next_of(next_document_, i, {"TXA", "OBX", "ORC", "OBR", "PID"});
    return next != kNoSegment && message_.segment(next).name() == "TXA";
  }

  // The next segment after `i` with one of the names. `memo` keeps the answer until it is passed, so that all questions
  // together look at each segment once.
  struct Memo {
    std::uint32_t from = 0, found = 0;
    bool known = false;
  };
  std::uint32_t next_of(Memo& memo, std::uint32_t i, std::initializer_list<std::string_view> names) const {
    if (memo.known && i >= memo.from && (memo.found == kNoSegment || i < memo.found)) return memo.found;
    memo = {i, kNoSegment, true};
    for (std::uint32_t at = i + 1; at < message_.segment_count(); ++at) {
      if (std::ranges::find(names, message_.segment(at).name()) == names.end()) continue;
      memo.found = at;
      break;
    }
    return memo.found;
  }

  void open_patient_result() {
    close_order();
    patient_result_ = open(kRoot, "PATIENT_RESULT");
    patient_ = visit_ = kNoNode;
    pid_ = kNoSegment;
    patient_has_orders_ = false;
  }

  void need_patient() {
    if (patient_result_ == kNoNode) open_patient_result();
    if (patient_ == kNoNode) patient_ = open(patient_result_, "PATIENT");
  }

  void need_order(std::uint32_t i) {
    if (order_.node == kNoNode) open_order();
    note_if(pid_ == kNoSegment && !patient_reported_, diagnostics::kNoPatient, i);
    patient_reported_ = patient_reported_ || pid_ == kNoSegment;
  }

  void open_order() {
    if (patient_result_ == kNoNode) open_patient_result();
    close_order();
    order_.node = open(patient_result_, "ORDER_OBSERVATION");
    order_.first_observation = tree_.observations.size();
    patient_has_orders_ = true;
  }

  // The specimen's OBX are the order's results if it has no others.
  void close_order() {
    if (order_.node != kNoNode && !order_.has_results) {
      bool any = false;
      for (std::size_t o = order_.first_observation; o < tree_.observations.size(); ++o) {
        PlacedObservation& observation = tree_.observations[o];
        if (observation.role != PlacedObservation::Role::specimen) continue;
        observation.role = PlacedObservation::Role::result;
        note_if(!any, diagnostics::kAfterSpecimen, observation.segment);
        any = true;
      }
    }
    order_ = {};
  }

  [[nodiscard]] bool has_observations() const { return tree_.observations.size() > order_.first_observation; }

  static bool is_known_elsewhere(std::string_view name) {
    static constexpr std::string_view kNames[] = {"AL1", "DG1", "GT1", "IN1", "IN2", "IN3", "ROL", "SAC",
                                                  "TXA", "ERR", "MSA", "ADD", "PR1", "OBS", "ACC", "DSP"};
    return std::ranges::find(kNames, name) != std::end(kNames);
  }

  std::uint32_t open(std::uint32_t parent, std::string_view name) { return append(parent, {.name = name}); }

  void add(std::uint32_t parent, std::uint32_t segment, std::string_view name) {
    append(parent, {.name = name, .segment = segment});
    current_ = parent;
  }

  std::uint32_t append(std::uint32_t parent, Node node) {
    const auto index = static_cast<std::uint32_t>(tree_.nodes.size());
    node.parent = parent;
    tree_.nodes.push_back(node);
    Node& above = tree_.nodes[parent];
    (above.last_child == kNoNode ? above.first_child : tree_.nodes[above.last_child].next) = index;
    above.last_child = index;
    return index;
  }

  void note(const DiagnosticKind& kind, std::uint32_t segment) {
    tree_.diagnostics.add(kind, segment, message_.segment(segment).offset());
  }
  void note_if(bool condition, const DiagnosticKind& kind, std::uint32_t segment) {
    if (condition) note(kind, segment);
  }

  const Message& message_;
  int version_;
  Tree tree_;
  std::uint32_t current_ = kRoot;  // the group of the segment before
  std::uint32_t patient_result_ = kNoNode, patient_ = kNoNode, visit_ = kNoNode;
  std::uint32_t pid_ = kNoSegment;
  bool patient_has_orders_ = false;
  bool patient_reported_ = false;
  Order order_;
  Memo next_visit_or_order_;
  Memo next_document_;
};

void flatten(const Message& message, Tree& tree) {
  tree.nodes.assign(1, Node{});
  for (std::uint32_t i = 0; i < message.segment_count(); ++i) {
    const auto index = static_cast<std::uint32_t>(tree.nodes.size());
    tree.nodes.push_back({.name = message.segment(i).name(), .segment = i, .parent = 0});
    (i == 0 ? tree.nodes[0].first_child : tree.nodes[index - 1].next) = index;
    tree.nodes[0].last_child = index;
  }
  for (PlacedObservation& observation : tree.observations) observation.order = kNoNode;
  tree.grouped = false;
}

}  // namespace

std::uint32_t Tree::child(std::uint32_t node, std::string_view name) const {
  std::uint32_t at = nodes[node].first_child;
  while (at != kNoNode && nodes[at].name != name) at = nodes[at].next;
  return at;
}

std::uint32_t Tree::next_alike(std::uint32_t node) const {
  std::uint32_t at = nodes[node].next;
  while (at != kNoNode && nodes[at].name != nodes[node].name) at = nodes[at].next;
  return at;
}

Tree group(const Message& message) {
  Tree tree = Grouper(message).run();
  const std::string code = message.code();
  const std::string event = message.event();
  const std::size_t offset = message.source_offset();
  if (code.empty()) {
    // Without a type, an order or a result makes it a report.
    const bool report = !tree.observations.empty() || tree.nodes.size() > message.segment_count() + 1;
    if (message.has_header() && report) tree.diagnostics.add(diagnostics::kTypeMissing, 0, offset);
    if (report) return tree;
  } else if (code == "ORU" && (event == "R01" || event.empty())) {
    return tree;
  }
  flatten(message, tree);
  Tree flat;
  flat.nodes = std::move(tree.nodes);
  flat.observations = std::move(tree.observations);
  flat.diagnostics.add(diagnostics::kNotGrouped, message.segment_count() == 0 ? kNoSegment : 0, offset);
  return flat;
}

}  // namespace resultsync::hl7
