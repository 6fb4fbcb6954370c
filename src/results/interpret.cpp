#include "results/interpret.hpp"

#include <algorithm>
#include <unordered_map>

#include "results/parents.hpp"
#include "results/people.hpp"
#include "results/read_value.hpp"
#include "results/split_files.hpp"

namespace resultsync::results {
namespace {

using Role = hl7::PlacedObservation::Role;

constexpr std::size_t kObservationsExpected = 32;  // room made at once for a report; more is made as it is needed

Moment moment(const hl7::Component& component) {
  return component.valued() ? read_moment(component.text()) : Moment{};
}

Codes codes(const hl7::Field& field) {
  return field.valued() ? read_codes(field.repetition(1)) : Codes{};
}

std::vector<Codes> all_codes(const hl7::Field& field) {
  return read_each(field, [](const hl7::Repetition& repetition) { return read_codes(repetition); });
}

Identifier ei(const hl7::Field& field) {
  return field.valued() ? read_ei(field.repetition(1)) : Identifier{};
}

// Neighbouring OBX say the same of laboratory, method, time and unit: what was read of equal bytes is kept, and copied.
template <class T, std::size_t kKept = 1>
class Remembered {
 public:
  template <class Read>
  const T& of(std::string_view raw, Read read) {
    for (const auto& [known, value] : kept_) {
      if (known == raw) return value;
    }
    if (kept_.size() < kKept) return kept_.emplace_back(raw, read()).second;
    auto& oldest = kept_[next_++ % kKept];
    oldest = {raw, read()};
    return oldest.second;
  }

 private:
  std::vector<std::pair<std::string_view, T>> kept_;
  std::size_t next_ = 0;
};

bool is_result_message(const hl7::Message& message) {
  std::string code = message.code();
  for (char& c : code) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return code == "ORU" || code == "OUL" || code.empty();
}

class Interpreter {
 public:
  Interpreter(const hl7::Message& message, const hl7::Tree& tree)
      : message_(message), tree_(tree), used_(message.segment_count(), false), reasons_(message.segment_count()) {}

  Interpretation run() {
    header();
    if (is_result_message(message_)) {
      find_orders();
      for (std::uint32_t i = 0; i < message_.segment_count(); ++i) segment(message_.segment(i));
      for (Report& report : result_.reports) finish(report);
      link_parents(result_.reports);
      join_split_files(message_, result_);
    }
    account();
    return std::move(result_);
  }

 private:
  // Whose notes follow.
  struct Owner {
    enum class Kind : std::uint8_t { nobody, patient, order, report, observation, patient_observation, specimen };
    Kind kind = Kind::nobody;
    std::uint32_t report = kNone;  // or the patient
    std::uint32_t index = kNone;
  };

  void header() {
    result_.header.sending_application = message_.header_field(3).component(1).text();
    result_.header.sending_facility = message_.header_field(4).component(1).text();
    const std::string event = message_.event();
    result_.header.type = message_.code() + (event.empty() ? "" : "^" + event);
    result_.header.control_id = message_.control_id();
    result_.header.version = message_.version();
    result_.header.processing = message_.header_field(11).component(1).text();
    result_.header.sent = moment(message_.header_field(7).component(1));
    if (message_.has_header()) used_[0] = true;
  }

  // The order that each segment stands in: its ORDER_OBSERVATION, or in a message without groups the run since its OBR
  // or ORC.
  void find_orders() {
    order_of_.assign(message_.segment_count(), hl7::kNoNode);
    placed_.assign(message_.segment_count(), nullptr);
    for (const hl7::PlacedObservation& placed : tree_.observations) placed_[placed.segment] = &placed;
    if (!tree_.grouped) return find_orders_in_flat();
    std::vector<std::uint32_t> above(tree_.nodes.size(), hl7::kNoNode);  // nodes stand after their parents
    for (std::uint32_t n = 0; n < tree_.nodes.size(); ++n) {
      const hl7::Node& node = tree_.nodes[n];
      if (node.is_group() && node.name == "ORDER_OBSERVATION") {
        above[n] = n;
      } else if (node.parent != hl7::kNoNode) {
        above[n] = above[node.parent];
      }
      if (!node.is_group()) order_of_[node.segment] = above[n];
    }
    report_of_.assign(tree_.nodes.size() + 1, kNone);
    orc_of_.assign(tree_.nodes.size() + 1, kNone);
  }

  void find_orders_in_flat() {
    std::uint32_t order = 0;
    bool has_obr = false;
    bool has_orc = false;
    for (std::uint32_t i = 0; i < message_.segment_count(); ++i) {
      const std::string_view name = message_.segment(i).name();
      if (name == "OBR" && has_obr) {
        ++order;
        has_orc = false;
      }
      // OUL has the specimen before its orders.
      if ((name == "ORC" || name == "SPM") && (has_obr || has_orc)) {
        ++order;
        has_obr = has_orc = false;
      }
      if (name == "OBR") has_obr = true;
      if (name == "ORC") has_orc = true;
      order_of_[i] = order;
    }
    report_of_.assign(order + 1U, kNone);
    orc_of_.assign(order + 1U, kNone);
  }

  void segment(const hl7::Segment& s) {
    const std::string_view name = s.name();
    if (name == "OBX" && s.field_count() > 0) return obx(s);
    if (name == "NTE") return nte(s);
    if (name == "PRT") return prt(s);
    if (name == "PID") return pid(s);
    if (name == "ORC") return orc(s);
    if (name == "OBR") return obr(s);
    if (name == "SPM") return spm(s);
    if (name == "MSH" || name == "SFT" || name == "UAC") owner_ = {};
    if (name == "PV1" || name == "PD1" || name == "NK1") owner_ = patient_owner();
  }

  [[nodiscard]] Owner patient_owner() const {
    if (patient_ == kNone) return {};
    return {Owner::Kind::patient, patient_, kNone};
  }

  // ---- patient

  // Senders fill old and new fields with the same.
  template <class T>
  static void add_new(std::vector<T>& all, std::vector<T> more) {
    constexpr std::size_t kCompared = 32;  // who sends more is not looked through
    const std::size_t known = all.size();
    for (T& one : more) {
      const auto begin = all.begin();
      const auto end = begin + static_cast<std::ptrdiff_t>(known > kCompared ? 0 : known);
      if (std::find(begin, end, one) == end) all.push_back(std::move(one));
    }
  }

  void pid(const hl7::Segment& s) {
    Patient patient;
    patient.segment = s.index();
    patient.segments.push_back(s.index());
    for (const std::uint32_t number : {3U, 2U, 4U}) add_new(patient.identifiers, read_each(s.field(number), read_cx));
    patient.names = read_each(s.field(5), read_xpn);
    patient.born = moment(s.component(7, 1));
    patient.sex = s.component(8, 1).text();
    patient.addresses = read_each(s.field(11), read_xad);
    for (const std::uint32_t number : {13U, 14U, 40U}) add_new(patient.telecoms, read_each(s.field(number), read_xtn));
    patient_ = static_cast<std::uint32_t>(result_.patients.size());
    result_.patients.push_back(std::move(patient));
    owner_ = patient_owner();
    use(s);
  }

  // ---- orders

  Report& report_in(std::uint32_t order) {
    std::uint32_t& at = report_of_[order == hl7::kNoNode ? report_of_.size() - 1 : order];
    if (at == kNone) {
      at = static_cast<std::uint32_t>(result_.reports.size());
      Report& report = result_.reports.emplace_back();
      report.patient = patient_;
      report.zone = result_.header.sent.offset_minutes;
      report.status = &report_status("");
      report.observations.reserve(std::min<std::size_t>(tree_.observations.size(), kObservationsExpected));
      if (const std::uint32_t orc_at = orc_of_[order == hl7::kNoNode ? orc_of_.size() - 1 : order]; orc_at != kNone) {
        read_orc(message_.segment(orc_at), report);
      }
    }
    return result_.reports[at];
  }

  [[nodiscard]] std::uint32_t index_of(const Report& report) const {
    return static_cast<std::uint32_t>(&report - result_.reports.data());
  }

  // An ORC is read once there is an OBR or a result of its order; alone it says nothing of results.
  void orc(const hl7::Segment& s) {
    orc_of_[order_of_[s.index()] == hl7::kNoNode ? orc_of_.size() - 1 : order_of_[s.index()]] = s.index();
    owner_ = {Owner::Kind::order, kNone, order_of_[s.index()]};
    reasons_[s.index()] = "order_without_results";
  }

  void read_orc(const hl7::Segment& s, Report& report) {
    report.orc = s.index();
    report.placer = ei(s.field(2));
    report.filler = ei(s.field(3));
    report.group = ei(s.field(4));
    report.requested = moment(s.component(9, 1));
    report.orderers = read_each(s.field(12), read_xcn);
    use(s);
    if (order_with_notes_ != order_of_[s.index()]) return;
    for (Note& note : order_notes_) {
      use(message_.segment(note.segment));
      report.notes.push_back(std::move(note));
    }
    order_notes_.clear();
  }

  void obr(const hl7::Segment& s) {
    Report& report = report_in(order_of_[s.index()]);
    owner_ = {Owner::Kind::report, index_of(report), kNone};
    use(s);
    report.segment = s.index();
    report.set_id = s.field(1).text();
    if (s.field(2).valued()) report.placer = ei(s.field(2));
    if (s.field(3).valued()) report.filler = ei(s.field(3));
    report.test = codes(s.field(4));
    report.collected_from = moment(s.component(7, 1));
    report.collected_to = moment(s.component(8, 1));
    report.clinical_information = s.field(13).text();
    report.received = moment(s.component(14, 1));
    if (std::vector<Person> orderers = read_each(s.field(16), read_xcn); !orderers.empty())
      report.orderers = std::move(orderers);
    report.issued = moment(s.component(22, 1));
    report.category = s.component(24, 1).text();
    report.status_code = s.component(25, 1).text();
    report.status = &report_status(report.status_code);
    report.copies_to = read_each(s.field(28), read_xcn);
    report.reasons = all_codes(s.field(31));
    report.interpreters = read_each(s.field(32), read_xcn);
    if (report.requested.empty()) report.requested = moment(s.component(6, 1));
    parent(s, report.parent);
    check_times(s, report);
  }

  static void check_times(const hl7::Segment& s, Report& report) {
    const auto check = [&](const Moment& time, std::uint32_t field) {
      if (!time.empty() && !time.valid()) report.problems.push_back({"not_a_time", s.index(), field});
    };
    check(report.collected_from, 7);
    check(report.collected_to, 8);
    check(report.received, 14);
    check(report.issued, 22);
  }

  static void parent(const hl7::Segment& s, ParentLink& link) {
    if (s.field(26).valued()) {
      const hl7::Repetition result = s.field(26).repetition(1);
      link.observation = read_codes(result.component(1));
      link.sub_id = result.component(2).text();
      link.value = result.component(3).text();
    }
    if (s.field(29).valued()) {
      link.placer = read_ei(s.component(29, 1));
      link.filler = read_ei(s.component(29, 2));
    }
  }

  // ---- specimens

  void spm(const hl7::Segment& s) {
    Specimen specimen;
    specimen.segment = s.index();
    specimen.placer = read_ei(s.component(2, 1));
    specimen.filler = read_ei(s.component(2, 2));
    specimen.type = codes(s.field(4));
    specimen.modifiers = all_codes(s.field(5));
    for (Codes& additive : all_codes(s.field(6))) specimen.modifiers.push_back(std::move(additive));
    specimen.method = codes(s.field(7));
    specimen.site = codes(s.field(8));
    specimen.amount = s.field(12).text();
    for (const hl7::Repetition part : s.field(14).repetitions()) {
      if (part.valued()) specimen.descriptions.push_back(part.text());
    }
    specimen.collected = {moment(s.component(17, 1)), moment(s.component(17, 2))};
    specimen.received = moment(s.component(18, 1));
    specimen.reject_reasons = all_codes(s.field(21));
    specimen.conditions = all_codes(s.field(24));
    specimen.accession = s.field(30).valued() ? read_cx(s.field(30).repetition(1)) : Identifier{};
    Report& report = report_in(order_of_[s.index()]);
    const auto index = static_cast<std::uint32_t>(report.specimens.size());
    report.specimens.push_back(std::move(specimen));
    owner_ = {Owner::Kind::specimen, index_of(report), index};
    use(s);
  }

  // HL7 before 2.5 describes the specimen in the OBR.
  void specimen_of_obr(Report& report) {
    if (!report.specimens.empty() || report.segment == kNone) return;
    const hl7::Segment s = message_.segment(report.segment);
    if (!s.field(15).valued()) return;
    Specimen specimen;
    specimen.segment = report.segment;
    const hl7::Component name = s.component(15, 1);
    specimen.type = read_codes(name);
    specimen.site = read_codes(s.component(15, 4));
    specimen.collected = {report.collected_from, report.collected_to};
    specimen.received = report.received;
    for (const Codes& comment : all_codes(s.field(39)))
      specimen.notes.push_back({report.segment, std::string(comment.display()), {}, {}});
    report.specimens.push_back(std::move(specimen));
  }

  // ---- observations

  void obx(const hl7::Segment& s) {
    const ObxFields fields(s);
    if (says_nothing(s)) {
      reasons_[s.index()] = "says_nothing";
      return;
    }
    const hl7::PlacedObservation* placed = placed_[s.index()];
    const Observation::About about = placed == nullptr ? Observation::About::order : about_of(placed->role);
    use(s);
    if (about == Observation::About::patient) {
      owner_ = {Owner::Kind::patient_observation, kNone,
                static_cast<std::uint32_t>(result_.patient_observations.size())};
      Interpretation::OfPatient& of_patient = result_.patient_observations.emplace_back();
      of_patient.patient = patient_;
      of_patient.observation.about = about;
      read(fields, of_patient.observation);
      return;
    }
    Report& report = report_in(order_of_[s.index()]);
    Observation& observation = report.observations.emplace_back();
    observation.about = about;
    read(fields, observation);
    if (follows_specimen(placed) && !report.specimens.empty())
      observation.specimen = static_cast<std::uint32_t>(report.specimens.size() - 1);
    owner_ = {Owner::Kind::observation, index_of(report), join_or_keep(s, report)};
  }

  // No more than a set id and a value type.
  static bool says_nothing(const hl7::Segment& s) {
    for (std::uint32_t number = 3; number <= s.field_count(); ++number) {
      if (s.field(number).valued() || s.field(number).null()) return false;
    }
    return true;
  }

  static bool follows_specimen(const hl7::PlacedObservation* placed) {
    return placed != nullptr && placed->spm != hl7::kNoSegment;
  }

  static Observation::About about_of(Role role) {
    switch (role) {
      case Role::specimen:
        return Observation::About::specimen;
      case Role::patient:
        return Observation::About::patient;
      case Role::document:
        return Observation::About::document;
      case Role::result:
        break;
    }
    return Observation::About::order;
  }

  void read(const ObxFields& obx, Observation& observation) {
    const hl7::Segment s = obx.segment();
    observation.segments.push_back(s.index());
    observation.set_id = obx.field(1).text();
    observation.value_type = obx.field(2).text();
    observation.code = codes(obx.field(3));
    if (observation.code.empty()) problem(observation, "code_missing", s, 3);
    observation.sub_id = obx.field(4).text();
    read_value(obx, message_, observation, result_.documents);
    if (!obx.text_after().empty()) text_after(obx, observation);
    observation.unit = units_.of(obx.field(6).raw(), [&] { return Shared(read_unit(obx.field(6))); });
    if (observation.unit->standing == Unit::Standing::unknown) problem(observation, "unit_not_ucum", s, 6);
    observation.ranges = read_ranges(obx.field(7).text());
    observation.flags = read_flags(obx.field(8));
    observation.status_code = obx.field(11).text();
    observation.status = &observation_status(status_alone(obx.field(11), observation.status_code));
    if (observation.status->code == "?") problem(observation, "status_unknown", s, 11);
    if (observation.status->code == "") problem(observation, "status_missing", s, 11);
    observation.observed = time(obx.field(14));
    observation.analyzed = time(obx.field(19));
    if (!observation.observed.empty() && !observation.observed.valid()) problem(observation, "not_a_time", s, 14);
    if (!observation.analyzed.empty() && !observation.analyzed.valid()) problem(observation, "not_a_time", s, 19);
    if (s.field_count() < 15) return;
    observation.made = making(obx);
    observation.site = codes(obx.field(20));
    observation.identifiers = all_ei(obx.field(21));
  }

  // Most OBX were made as the one before.
  Shared<Making> making(const ObxFields& obx) {
    if (obx.broken()) return read_making(obx);
    const std::pair raw{obx.raw_between(15, 19), obx.raw_from(23)};
    if (made_of_ != raw) {
      made_ = read_making(obx);
      made_of_ = raw;
    }
    return made_;
  }

  static Making read_making(const ObxFields& obx) {
    Making made;
    made.producer = codes(obx.field(15));
    made.observers = read_each(obx.field(16), read_xcn);
    made.methods = all_codes(obx.field(17));
    made.devices = all_ei(obx.field(18));
    made.performer = performer(obx);
    return made;
  }

  // Lines without a segment name after a whole OBX: they go on with its text, or else stand as a note to it.
  static void text_after(const ObxFields& obx, Observation& observation) {
    const hl7::Segment s = obx.segment();
    problem(observation, "text_after_segment", s, 5);
    std::string lines = s.decode(obx.text_after());
    if (is_long_text_type(observation.value_type) && observation.values.size() == 1) {
      Value& value = observation.values.front();
      value.text.append("\n").append(lines);
      if (auto* text = std::get_if<Text>(&value.is)) text->text = value.text;
    } else {
      observation.notes.push_back({s.index(), std::move(lines), {}, {}});
    }
  }

  // "F^Final" says F; of "F~C" nobody knows which one holds.
  static std::string status_alone(const hl7::Field& field, const std::string& whole) {
    return field.repetitions().size() == 1 ? field.component(1).text() : whole;
  }

  static std::vector<Identifier> all_ei(const hl7::Field& field) {
    return read_each(field, [](const hl7::Repetition& repetition) { return read_ei(repetition); });
  }

  static Organization performer(const ObxFields& obx) {
    Organization performer;
    if (obx.field(23).valued()) performer = read_xon(obx.field(23).repetition(1));
    if (obx.field(24).valued()) performer.address = read_xad(obx.field(24).repetition(1));
    if (obx.field(25).valued()) performer.director = read_xcn(obx.field(25).repetition(1));
    return performer;
  }

  const Moment& time(const hl7::Field& field) {
    return times_.of(field.raw(), [&] { return moment(field.component(1)); });
  }

  static void problem(Observation& observation, std::string_view code, const hl7::Segment& s, std::uint32_t field) {
    observation.problems.push_back({code, s.index(), field});
  }

  // Texts go on over several OBX of the same code and sub-id. They are one Observation where nothing but text would be
  // joined. The index of the Observation that the last one of the report has become.
  std::uint32_t join_or_keep(const hl7::Segment& s, Report& report) {
    Observation& last = report.observations.back();
    const auto at = static_cast<std::uint32_t>(report.observations.size() - 1);
    if (!is_long_text_type(last.value_type)) return at;
    std::string key = std::to_string(index_of(report));
    key.append("\x1f").append(s.field(3).raw()).append("\x1f").append(last.sub_id);
    const auto [found, fresh] = texts_.try_emplace(std::move(key), at);
    if (!fresh && continues(report.observations[found->second], last)) {
      append(report.observations[found->second], std::move(last));
      report.observations.pop_back();
      return found->second;
    }
    return found->second = at;
  }

  static bool is_text_or_nothing(const Observation& observation) {
    return !observation.value_deleted && (observation.values.empty() || (observation.values.size() == 1 &&
                                                                         observation.values[0].as<Text>() != nullptr));
  }

  // Equal, or one of them says nothing: labs give status, time and laboratory with one line of a text or with each.
  template <class T>
  static bool agree(const T& first, const T& more, bool first_is_silent, bool more_is_silent) {
    return first_is_silent || more_is_silent || first == more;
  }

  static bool continues(const Observation& first, const Observation& more) {
    const auto is_silent = [](const StatusRow& row) { return row.code.empty(); };
    const auto is_known = [&](const Flag& flag) { return std::ranges::find(first.flags, flag) != first.flags.end(); };
    const Making& made = *first.made;
    const Making& also_made = *more.made;
    return first.about == more.about && is_text_or_nothing(first) && is_text_or_nothing(more) &&
           agree(first.status, more.status, is_silent(*first.status), is_silent(*more.status)) &&
           agree(first.unit, more.unit, first.unit->sent.empty(), more.unit->sent.empty()) &&
           agree(first.ranges, more.ranges, first.ranges.empty(), more.ranges.empty()) &&
           (first.flags.empty() || std::ranges::all_of(more.flags, is_known)) &&
           agree(first.observed, more.observed, first.observed.empty(), more.observed.empty()) &&
           agree(made.performer, also_made.performer, made == Making{}, also_made.performer.empty());
  }

  // What the first line left open and a later one says holds for the whole text.
  static void complete(Observation& first, Observation& more) {
    if (first.status->code.empty()) {
      first.status = more.status;
      first.status_code = std::move(more.status_code);
    }
    if (first.unit->sent.empty()) first.unit = more.unit;
    if (first.ranges.empty()) first.ranges = std::move(more.ranges);
    if (first.flags.empty()) first.flags = std::move(more.flags);
    if (first.observed.empty()) first.observed = more.observed;
    if (first.analyzed.empty()) first.analyzed = more.analyzed;
    if (*first.made == Making{}) first.made = more.made;
  }

  static void append(Observation& first, Observation more) {
    complete(first, more);
    if (first.values.empty()) first.values.push_back(Value{Text{}, {}});
    auto& whole = std::get<Text>(first.values[0].is).text;
    whole += '\n';
    if (!more.values.empty()) whole += more.values[0].text;
    first.values[0].text.clear();  // until finish(): a long text is not kept twice while it grows
    first.segments.push_back(more.segments.front());
    for (Problem& found : more.problems) first.problems.push_back(found);
  }

  // ---- participations

  // From version 2.7 on, PRT takes the place of OBX-16, 18 and 23 to 25 behind an OBX, and of OBR-16, 28 and 32 behind
  // an OBR or ORC (HL7 v2.8 §7.4.4; roles: table 0912). What those fields say stands; others who take part are not
  // read.
  void prt(const hl7::Segment& s) {
    const std::string role = s.component(4, 1).text();
    const bool withdrawn = s.text(2) == "D";
    if (withdrawn) return;
    if (Observation* observation = observation_of(owner_)) {
      if (takes_part(s, role, *observation)) use(s);
    } else if (owner_.kind == Owner::Kind::report) {
      Report& report = result_.reports[owner_.report];
      std::vector<Person>* people = role == "OP"                    ? &report.orderers
                                    : role == "PRI" || role == "PI" ? &report.interpreters
                                    : role == "RCT"                 ? &report.copies_to
                                                                    : nullptr;
      if (people == nullptr || !s.field(5).valued()) return;
      add_new(*people, read_each(s.field(5), read_xcn));
      use(s);
    }
  }

  static bool takes_part(const hl7::Segment& s, std::string_view role, Observation& observation) {
    Making made = *observation.made;
    const std::vector<Person> people = read_each(s.field(5), read_xcn);
    if (role == "PO" && s.field(8).valued()) {
      if (made.performer.empty()) {
        Person director = std::move(made.performer.director);
        made.performer = read_xon(s.field(8).repetition(1));
        made.performer.director = std::move(director);
      }
      if (made.performer.address.empty() && s.field(14).valued())
        made.performer.address = read_xad(s.field(14).repetition(1));
    } else if ((role == "POMD" || role == "MDIR") && !people.empty()) {
      if (made.performer.director.empty()) made.performer.director = people.front();
    } else if ((role == "RO" || role == "TN") && !people.empty()) {
      add_new(made.observers, people);
    } else if (role == "EQUIP" && s.field(10).valued()) {
      add_new(made.devices, all_ei(s.field(10)));
    } else {
      return false;
    }
    if (made != *observation.made) observation.made = std::move(made);
    return true;
  }

  Observation* observation_of(const Owner& owner) {
    if (owner.kind == Owner::Kind::observation) return &result_.reports[owner.report].observations[owner.index];
    if (owner.kind == Owner::Kind::patient_observation) return &result_.patient_observations[owner.index].observation;
    return nullptr;
  }

  // ---- notes

  void nte(const hl7::Segment& s) {
    Note note;
    note.segment = s.index();
    note.text = read_text_lines(s, s.field(3).raw(), message_.delimiters());
    note.source = s.field(2).text();
    note.type = codes(s.field(4));
    std::vector<Note>* notes = notes_of(owner_);
    if (notes == nullptr) {
      reasons_[s.index()] = "note_of_nothing_read";
      return;
    }
    const bool waits = owner_.kind == Owner::Kind::order;
    notes->push_back(std::move(note));
    if (waits) {
      reasons_[s.index()] = "order_without_results";
    } else {
      use(s);
    }
  }

  std::vector<Note>* notes_of(const Owner& owner) {
    switch (owner.kind) {
      case Owner::Kind::patient:
        return &result_.patients[owner.report].notes;
      case Owner::Kind::order:
        if (order_with_notes_ != owner.index) order_notes_.clear();
        order_with_notes_ = owner.index;
        return &order_notes_;
      case Owner::Kind::report:
        return &result_.reports[owner.report].notes;
      case Owner::Kind::observation:
        return &result_.reports[owner.report].observations[owner.index].notes;
      case Owner::Kind::patient_observation:
        return &result_.patient_observations[owner.index].observation.notes;
      case Owner::Kind::specimen:
        return &result_.reports[owner.report].specimens[owner.index].notes;
      case Owner::Kind::nobody:
        break;
    }
    return nullptr;
  }

  // ---- what needs the whole report

  void finish(Report& report) {
    specimen_of_obr(report);
    const Subject subject = subject_of(report);
    std::unordered_map<std::string_view, std::pair<std::uint32_t, bool>>
        by_sub_id;  // index, and whether it is the only one
    for (std::uint32_t i = 0; i < report.observations.size(); ++i) {
      Observation& observation = report.observations[i];
      finish(observation, subject);
      if (observation.specimen == kNone && report.specimens.size() == 1) observation.specimen = 0;
      if (report.performer.empty() && !observation.made->performer.empty())
        report.performer = observation.made->performer;
      if (observation.sub_id.empty()) continue;
      const auto [at, fresh] = by_sub_id.try_emplace(observation.sub_id, i, true);
      if (!fresh) at->second.second = false;
    }
    for (Observation& observation : report.observations) {
      const std::size_t dot = observation.sub_id.rfind('.');
      if (dot == std::string::npos || dot == 0) continue;
      const auto at = by_sub_id.find(std::string_view(observation.sub_id).substr(0, dot));
      if (at != by_sub_id.end() && at->second.second) observation.parent = at->second.first;
    }
    report.accession = report.filler;
    for (const Specimen& specimen : report.specimens) {
      if (!specimen.accession.empty()) report.accession = specimen.accession;
    }
  }

  static void finish(Observation& observation, const Subject& subject) {
    if (observation.segments.size() > 1) observation.values[0].text = std::get<Text>(observation.values[0].is).text;
    observation.assessment =
        assess(observation.values, observation.unit, observation.ranges, subject, observation.flags);
  }

  [[nodiscard]] Subject subject_of(const Report& report) const {
    Subject subject;
    if (report.patient == kNone) return subject;
    const Patient& patient = result_.patients[report.patient];
    if (patient.sex == "M" || patient.sex == "m") subject.sex = Sex::male;
    if (patient.sex == "F" || patient.sex == "f") subject.sex = Sex::female;
    const std::optional<Timestamp> at = report.collected_from.instant();
    const std::optional<Timestamp> born = patient.born.instant();
    if (!at || !born || report.collected_from.precision < Precision::day || patient.born.precision < Precision::day)
      return subject;
    constexpr double kSecondsAYear = 365.25 * 86'400;
    const double age = static_cast<double>(at->seconds() - born->seconds()) / kSecondsAYear;
    if (age >= 0) subject.age_years = age;
    return subject;
  }

  // ---- account (S7)

  void use(const hl7::Segment& s) { used_[s.index()] = true; }

  void account() {
    Account& account = result_.account;
    const bool results = is_result_message(message_);
    for (std::uint32_t i = 0; i < message_.segment_count(); ++i) {
      const hl7::Segment s = message_.segment(i);
      const std::string_view name = s.name();
      const bool obx = name == "OBX" && s.field_count() > 0 && s.as_written();
      ++(obx ? account.obx_in : account.segments_in);
      if (used_[i]) {
        ++(obx ? account.observations : account.segments_used);
        continue;
      }
      const std::string_view reason = results ? reason_of(s) : "not_a_result_message";
      (obx ? account.explained : account.unused).push_back({std::string(name), i, s.offset(), reason});
    }
  }

  [[nodiscard]] std::string_view reason_of(const hl7::Segment& s) const {
    if (!reasons_[s.index()].empty()) return reasons_[s.index()];
    const std::string_view name = s.name();
    if (name.empty()) return "not_a_segment";
    if (name[0] == 'Z') return "local_segment";
    if (s.field_count() == 0) return "says_nothing";
    return hl7::is_standard_segment(name) ? "not_interpreted" : "unknown_segment";
  }

  const hl7::Message& message_;
  const hl7::Tree& tree_;
  Interpretation result_;
  std::vector<bool> used_;
  std::vector<std::string_view> reasons_;  // why a segment is not used, where that was known at once
  std::vector<std::uint32_t> order_of_;    // by segment
  std::vector<const hl7::PlacedObservation*> placed_;
  std::vector<std::uint32_t> report_of_, orc_of_;  // by order; the last for segments outside every order
  Remembered<Shared<Unit>, 8> units_;
  Remembered<Moment, 4> times_;
  std::pair<std::string_view, std::string_view> made_of_;  // the bytes that made_ was read from
  Shared<Making> made_;
  std::uint32_t patient_ = kNone;
  Owner owner_;
  std::vector<Note> order_notes_;  // after an ORC whose report has not begun
  std::uint32_t order_with_notes_ = kNone;
  std::unordered_map<std::string, std::uint32_t>
      texts_;  // observations that may be continued, by report, code and sub-id
};

}  // namespace

const Document* Interpretation::find(const Sha256& digest) const {
  const auto found = std::ranges::find(documents, digest, &Document::digest);
  return found == documents.end() ? nullptr : &*found;
}

Interpretation interpret(const hl7::Message& message, const hl7::Tree& tree) {
  return Interpreter(message, tree).run();
}

Interpretation interpret(const hl7::Message& message) {
  return interpret(message, hl7::group(message));
}

}  // namespace resultsync::results
