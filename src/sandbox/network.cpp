#include "sandbox/network.hpp"

#include <fmt/format.h>

#include "base/digest.hpp"
#include "base/encoding.hpp"
#include "runtime/random.hpp"
#include "runtime/threads.hpp"
#include "sandbox/fullscript.hpp"
#include "sandbox/numbers.hpp"

namespace resultsync::sandbox {

Network::Network(NetworkOptions options, std::string base, const runtime::Clock& clock)
    : options_(std::move(options)),
      base_(std::move(base)),
      clock_(clock),
      time_(clock, options_.world.start, options_.speed),
      courier_(options_.courier, time_, clock),
      state_{.world = World(options_.world),
             .oauth = OAuth(options_.oauth, [] { return encode_base64url(runtime::random_bytes(24)); }),
             .links = DocumentLinks(options_.world.seed, base_),
             .switches = options_.switches,
             .ledger = {},
             .ledger_by_event = {},
             .ever_connected = {},
             .document_requests = {},
             .rates = {},
             .api_requests = {}} {
  courier_.set_switches(options_.switches);
  courier_.set_url(options_.webhook);
  thread_ = runtime::start_thread("sandbox-world", [this](std::stop_token stop) { run(stop); });
}

Network::~Network() {
  thread_.request_stop();
}

Network::Inside Network::enter() {
  Inside inside(*this);
  World::Told told = inside.told();
  state_.world.advance_to(time_.now(), told);
  return inside;
}

void Network::wake() {
  courier_.wake();
  {
    const std::lock_guard lock(mutex_);
    ++wakes_;
  }
  wake_.notify_all();
}

void Network::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    std::optional<Timestamp> due;
    {
      due = enter()->world.next_due();
    }
    std::unique_lock lock(mutex_);
    const auto patience = due ? time_.until(*due) : std::chrono::microseconds(std::chrono::seconds(1));
    wake_.wait_for(lock, stop, std::max(patience, std::chrono::microseconds(1000)),
                   [&, seen = wakes_] { return wakes_ != seen; });
  }
}

void Network::set_switches(const Switches& switches) {
  {
    enter()->switches = switches;
  }
  courier_.set_switches(switches);
}

DocumentForms Network::forms(const Inside& inside, std::string_view event) {
  const Switches& switches = inside->switches;
  return {switches.hl7_as, switches.pdf_as,
          [state = &*inside, event = std::string(event), now = real_now()](const DocumentName& name) {
            return state->links.link(name, event, now, state->switches.link_seconds);
          }};
}

void Network::release(const Happening& happening) {
  State& state = state_;
  const bool is_fullscript = options_.kind == NetworkKind::kFullscript;
  if (is_fullscript && fullscript_event_type(happening.what).empty()) return;  // it tells nothing of that
  const Order& order = state.world.orders()[happening.order];
  const std::size_t clinic = state.world.clinic_of(order);
  const std::string event = happening.event.text();
  LedgerEntry entry{.event = event,
                    .type = is_fullscript               ? std::string(fullscript_event_type(happening.what))
                            : is_result(happening.what) ? "order.new_result"
                                                        : "order.updated",
                    .created_at = network_time(happening.at, state.world.clinics()[clinic].utc_offset_minutes),
                    .order = order.id.text(),
                    .clinic = state.world.clinics()[clinic].id.text(),
                    .patient = state.world.patients()[order.patient].person.id,
                    .ordered_test = happening.test ? order.tests[*happening.test].id.text() : "",
                    .what = std::string(what_name(happening.what)),
                    .body_sha256 = {},
                    .result = {},
                    .connected = options_.all_clinics || state.ever_connected.contains(clinic)};
  const DocumentForms forms{state.switches.hl7_as, state.switches.pdf_as, [&](const DocumentName& name) {
                              return state.links.link(name, event, real_now(), state.switches.link_seconds);
                            }};
  const bool left_out = drawn(state.switches.leave_out_practitioner, options_.world.seed, "left_out", event);
  std::string body =
      is_fullscript
          ? fullscript_event_body(state.world, happening, options_.world.seed, state.switches.envelope)
          : event_body(state.world, happening,
                       {.type = entry.type, .payload = state.switches.payload, .leave_out_practitioner = left_out},
                       forms);
  entry.body_sha256 = sha256(body).hex();
  if (happening.test && order.tests[*happening.test].current) {
    const OrderedTest& test = order.tests[*happening.test];
    const LabReport& report = test.versions[*test.current];
    entry.result = LedgerEntry::ResultFacts{
        static_cast<int>(*test.current) + 1,
        is_fullscript ? std::string() : sha256(draw({DocumentKind::kHl7, report})).hex(),
        sha256(draw({DocumentKind::kPdf, report})).hex(), network_time(report.reported, report.utc_offset_minutes)};
  }
  if (entry.connected) {
    const bool lost = state.lose_next > 0;
    if (lost) --state.lose_next;
    courier_.take({event, entry.type, entry.order, entry.clinic, std::move(body), lost});
  }
  state.ledger_by_event[event] = state.ledger.size();
  state.ledger.push_back(std::move(entry));
}

std::string Network::send_test_event() {
  const Inside inside = enter();
  const std::string event = id_of("evt_", options_.world.seed ^ 0x7e57, inside->test_events++);
  JsonWriter json;
  json.begin_object().member("created_at", network_time(inside->world.now(), 0)).key("data").begin_object();
  json.key("object").null().key("included").begin_array().end_array().end_object();
  json.member("id", event).member("type", "webhook.test").end_object();
  courier_.take({event, "webhook.test", "", "", json.take(), false});
  return event;
}

bool Network::quiet() {
  {
    const Inside inside = enter();
    if (inside->world.next_due()) return false;
  }
  return courier_.quiet();
}

}  // namespace resultsync::sandbox
