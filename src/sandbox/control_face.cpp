// /control…: the hand behind the scenes, for tests, scripts and the control page.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "http/client.hpp"
#include "sandbox/faces.hpp"
#include "sandbox/form.hpp"
#include "sandbox/pages.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::int64_t kAdvanceMost = 366LL * 86'400;
constexpr std::size_t kListMost = 1000;

http::Response failure(const Error& error) {
  const int status = error.code == "not_found" ? 404 : error.code == "conflict" ? 409 : 400;
  return http::problem(status, error.code, error.message, error.cause);
}
http::Response not_found(std::string_view what) {
  return failure({"not_found", fmt::format("there is no {} of this id", what)});
}

// A body that is an object, or nothing; its members by name.
class Body {
 public:
  static Result<Body> read(const http::Request& request) {
    Body body;
    if (request.body.empty()) return body;
    body.text_ = std::make_unique<simdjson::padded_string>(request.body);
    body.parser_ = std::make_unique<simdjson::dom::parser>();
    if (body.parser_->parse(*body.text_).get(body.root_) != simdjson::SUCCESS || !body.root_.is_object())
      return fail("not_json", "the body has to be a JSON object");
    body.has_root_ = true;
    return body;
  }
  [[nodiscard]] std::optional<std::string> text(const char* name) const {
    std::string_view value;
    if (!has_root_ || root_[name].get(value) != simdjson::SUCCESS) return std::nullopt;
    return std::string(value);
  }
  [[nodiscard]] std::optional<double> number(const char* name) const {
    double value = 0;
    if (has_root_ && root_[name].get(value) == simdjson::SUCCESS) return value;
    const auto written = text(name);  // as the page's forms have it
    if (!written) return std::nullopt;
    char* end = nullptr;
    value = std::strtod(written->c_str(), &end);
    return *end == '\0' ? std::optional(value) : std::nullopt;
  }
  [[nodiscard]] bool flag(const char* name) const {
    bool value = false;
    return has_root_ && root_[name].get(value) == simdjson::SUCCESS && value;
  }
  [[nodiscard]] std::vector<std::string> texts(const char* name) const {
    std::vector<std::string> all;
    simdjson::dom::array values;
    if (!has_root_ || root_[name].get(values) != simdjson::SUCCESS) return all;
    for (const simdjson::dom::element one : values) {
      std::string_view value;
      if (one.get(value) == simdjson::SUCCESS) all.emplace_back(value);
    }
    return all;
  }
  // Every member as text: what set_switch() takes.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> members() const {
    std::vector<std::pair<std::string, std::string>> all;
    if (!has_root_) return all;
    for (const auto field : root_.get_object()) {
      std::string_view text;
      all.emplace_back(std::string(field.key),
                       field.value.get(text) == simdjson::SUCCESS ? std::string(text) : simdjson::minify(field.value));
    }
    return all;
  }

 private:
  std::unique_ptr<simdjson::padded_string> text_;
  std::unique_ptr<simdjson::dom::parser> parser_;
  simdjson::dom::element root_;
  bool has_root_ = false;
};

// A page of another site must not reach the sandbox through the browser of whoever runs it.
bool from_another_site(const Network& network, const http::Request& request) {
  const auto origin = request.headers.only("Origin");
  if (!origin) return request.headers.count("Origin") > 1;
  if (*origin == network.base()) return false;
  const auto host = request.headers.only("Host");
  return !host || *origin != "http://" + std::string(*host);
}

http::Response state(Network& network) {
  const bool quiet = network.quiet();
  const CourierCounts counts = network.courier().counts();
  const auto webhook = network.courier().url();
  const Network::Inside inside = network.enter();
  const World& world = inside->world;
  JsonWriter json;
  json.begin_object().member("now", format_timestamp(world.now()));
  json.member("started", format_timestamp(world.options().start)).member("speed", network.time().speed());
  json.member("paused", network.time().paused()).member("seed", world.options().seed).member("base", network.base());
  json.key("clinics").begin_array();
  for (std::size_t c = 0; c < world.clinics().size(); ++c) {
    json.begin_object().member("id", world.clinics()[c].id.text()).member("name", world.clinics()[c].name);
    json.member("connected", network.options().all_clinics || inside->ever_connected.contains(c));
    json.key("practitioners").begin_array();
    for (const Practitioner& one : world.practitioners()) {
      if (one.clinic == c) json.begin_object().member("id", one.id.text()).member("name", one.titled()).end_object();
    }
    json.end_array().end_object();
  }
  std::size_t connected = 0;
  for (const LedgerEntry& entry : inside->ledger) connected += entry.connected ? 1 : 0;
  json.end_array().key("counts").begin_object();
  json.member("orders", static_cast<std::uint64_t>(world.orders().size()));
  json.member("planned_orders", static_cast<std::uint64_t>(world.planned_orders()));
  json.member("events_released", static_cast<std::uint64_t>(inside->ledger.size()));
  json.member("events_connected", static_cast<std::uint64_t>(connected));
  json.member("events_lost", static_cast<std::uint64_t>(counts.lost));
  json.member("deliveries_waiting", static_cast<std::uint64_t>(counts.waiting));
  json.member("deliveries_due", static_cast<std::uint64_t>(counts.due));
  json.member("deliveries_done", static_cast<std::uint64_t>(counts.done));
  json.member("deliveries_given_up", static_cast<std::uint64_t>(counts.given_up));
  json.member("attempts", static_cast<std::uint64_t>(counts.attempts));
  json.member("forgeries_taken", static_cast<std::uint64_t>(counts.forgeries_taken)).end_object();
  json.member("webhook", webhook).member("quiet", quiet).end_object();
  return json_answer(200, json.take());
}

void write_delivery(JsonWriter& json, const Delivery& one) {
  json.begin_object().member("event", one.event).member("type", one.type).member("order", one.order);
  json.member("clinic", one.clinic).member("created", format_timestamp(one.created));
  json.member("state", delivery_state_name(one.state));
  json.member("next", one.next ? std::optional(format_timestamp(*one.next)) : std::nullopt)
      .key("attempts")
      .begin_array();
  for (const Attempt& attempt : one.attempts) {
    json.begin_object().member("at", format_timestamp(attempt.at)).member("status", attempt.status);
    json.member("error", attempt.error.empty() ? std::nullopt : std::optional(attempt.error));
    json.member("tampered", attempt.kind == AttemptKind::kTampered);
    json.member("kind", attempt_kind_name(attempt.kind)).end_object();
  }
  json.end_array().end_object();
}

std::size_t limit_of(const http::Request& request) {
  const std::string text = request.query("limit").value_or("100");
  const long value = std::strtol(text.c_str(), nullptr, 10);
  return std::clamp<std::size_t>(value < 1 ? 1 : static_cast<std::size_t>(value), 1, kListMost);
}

http::Response deliveries(Network& network, const http::Request& request) {
  std::optional<DeliveryState> wanted;
  const std::string named = request.query("state").value_or("");
  for (const DeliveryState one :
       {DeliveryState::kWaiting, DeliveryState::kDone, DeliveryState::kGivenUp, DeliveryState::kLost}) {
    if (delivery_state_name(one) == named) wanted = one;
  }
  if (!named.empty() && !wanted) return failure({"bad_value", "state is waiting, done, given_up or lost"});
  JsonWriter json;
  json.begin_array();
  for (const Delivery& one : network.courier().deliveries(wanted, limit_of(request))) write_delivery(json, one);
  json.end_array();
  return json_answer(200, json.take());
}

http::Response ledger(Network& network) {
  std::vector<LedgerEntry> entries;
  {
    entries = network.enter()->ledger;
  }
  std::string lines;
  for (const LedgerEntry& entry : entries) {
    const auto delivery = network.courier().delivery_of(entry.event);
    JsonWriter json;
    json.begin_object().member("event", entry.event).member("type", entry.type).member("created_at", entry.created_at);
    json.member("order", entry.order).member("clinic", entry.clinic).member("patient", entry.patient);
    json.member("ordered_test", entry.ordered_test.empty() ? std::nullopt : std::optional(entry.ordered_test));
    json.member("what", entry.what).member("body_sha256", entry.body_sha256).key("result");
    if (entry.result) {
      json.begin_object().member("ordered_test", entry.ordered_test).member("version", entry.result->version);
      json.member("hl7_sha256", entry.result->hl7_sha256).member("pdf_sha256", entry.result->pdf_sha256);
      json.member("received", entry.result->received).end_object();
    } else {
      json.null();
    }
    json.member("connected", entry.connected);
    const Delivery none;
    const Delivery& sent = delivery ? *delivery : none;
    json.member("lost", delivery && sent.state == DeliveryState::kLost).member("duplicated", sent.duplicated);
    json.member("corrupted", sent.tampered).member("replayed", sent.replayed).member("attempts", sent.sent);
    json.member("delivered", delivery && sent.state == DeliveryState::kDone);
    json.member("given_up", delivery && sent.state == DeliveryState::kGivenUp);
    json.member("forgery_taken", sent.forgery_taken).end_object();
    lines += json.take() + "\n";
  }
  return {.status = 200, .content_type = "application/x-ndjson", .body = std::move(lines)};
}

http::Response events(Network& network, const http::Request& request) {
  const Network::Inside inside = network.enter();
  JsonWriter json;
  json.begin_array();
  std::size_t left = limit_of(request);
  for (auto entry = inside->ledger.rbegin(); entry != inside->ledger.rend() && left > 0; ++entry, --left) {
    const auto delivery = network.courier().delivery_of(entry->event);
    json.begin_object().member("id", entry->event).member("type", entry->type).member("created_at", entry->created_at);
    json.member("order", entry->order).member("clinic", entry->clinic).member("what", entry->what);
    json.member("lost", delivery && delivery->state == DeliveryState::kLost);
    json.member("delivery", delivery ? std::optional(std::string(delivery_state_name(delivery->state))) : std::nullopt);
    json.end_object();
  }
  json.end_array();
  return json_answer(200, json.take());
}

http::Response grants(Network& network) {
  const Network::Inside inside = network.enter();
  JsonWriter json;
  json.begin_array();
  for (const Grant& grant : inside->oauth.grants()) {
    const Practitioner& who = inside->world.practitioners()[grant.practitioner];
    json.begin_object().member("id", grant.id).member("practitioner", who.id.text()).member("name", who.titled());
    json.member("clinic", inside->world.clinics()[who.clinic].id.text());
    json.member("state", grant_state_name(grant.state)).member("since", format_timestamp(grant.since)).end_object();
  }
  json.end_array();
  return json_answer(200, json.take());
}

http::Response change_grant(Network& network, std::string_view id, std::string_view verb) {
  const Network::Inside inside = network.enter();
  const auto number = static_cast<std::uint64_t>(std::strtoull(std::string(id).c_str(), nullptr, 10));
  if (number == 0 || number > inside->oauth.grants().size()) return not_found("grant");
  const bool done = verb == "withdraw" ? inside->oauth.withdraw(number) : inside->oauth.expire(number);
  if (!done) return failure({"conflict", "the grant has ended already"});
  return json_answer(200, R"({"status":"ok"})");
}

// The event that an action made: the first of those that it released.
http::Response acted(const Network::Inside& inside, std::size_t ledger_before) {
  if (ledger_before >= inside->ledger.size()) return json_answer(200, R"({"event":null})");  // nothing was told of it
  const LedgerEntry& entry = inside->ledger[ledger_before];
  JsonWriter json;
  json.begin_object().member("event", entry.event).member("what", entry.what).end_object();
  return json_answer(200, json.take());
}

http::Response make_order(Network& network, const Body& body) {
  Network::Inside inside = network.enter();
  const World& world = inside->world;
  World::NewOrder order;
  order.held = body.text("plan").value_or("held") != "running";
  if (const auto id = body.text("clinic")) {
    const auto clinic = world.clinic(*id);
    if (!clinic) return not_found("clinic");
    order.practitioner = world.clinics()[*clinic].first_practitioner;
    order.patient = world.clinics()[*clinic].first_patient;
  }
  if (const auto id = body.text("patient")) {
    const auto patient = world.patient(*id);
    if (!patient) return not_found("patient");
    order.patient = *patient;
    order.practitioner = world.patients()[*patient].practitioner;
  }
  if (const auto id = body.text("practitioner")) {
    const auto practitioner = world.practitioner(*id);
    if (!practitioner) return not_found("practitioner");
    order.practitioner = *practitioner;
    const std::size_t clinic = world.practitioners()[*practitioner].clinic;
    if (!body.text("patient")) order.patient = world.clinics()[clinic].first_patient;
    if (world.practitioners()[world.patients()[order.patient].practitioner].clinic != clinic)
      return failure({"conflict", "the patient is of another clinic"});
  }
  for (const std::string& id : body.texts("lab_tests")) {
    const auto test = World::lab_test(id);
    if (!test) return not_found("lab test");
    if (std::ranges::find(order.tests, *test) == order.tests.end()) order.tests.push_back(*test);
  }
  if (order.tests.size() > 30) return failure({"bad_value", "an order has at most 30 tests"});
  if (order.tests.empty()) order.tests = {0};
  const std::size_t before = inside->ledger.size();
  World::Told told = inside.told();
  const Order& made = world.orders()[inside->world.place_order(std::move(order), told)];
  JsonWriter json;
  json.begin_object().member("order", made.id.text()).key("ordered_tests").begin_array();
  for (const OrderedTest& test : made.tests) json.string(test.id.text());
  // A network may tell nothing of it.
  const bool is_told = before < inside->ledger.size();
  json.end_array().member("event", is_told ? std::optional(inside->ledger[before].event) : std::nullopt).end_object();
  return json_answer(201, json.take());
}

http::Response act_on_test(Network& network, std::string_view id, std::string_view verb, const Body& body) {
  Network::Inside inside = network.enter();
  const auto place = inside->world.ordered_test(id);
  if (!place) return not_found("ordered test");
  const std::string stage = body.text("stage").value_or("final");
  if (stage != "final" && stage != "preliminary") return failure({"bad_value", "stage is preliminary or final"});
  const std::size_t before = inside->ledger.size();
  if (body.flag("lose")) ++inside->lose_next;
  World::Told told = inside.told();
  World& world = inside->world;
  const auto done = verb == "release"
                        ? world.release(*place, stage == "final" ? Stage::kFinal : Stage::kPreliminary, told)
                    : verb == "correct" ? world.correct(*place, told)
                    : verb == "cancel"  ? world.cancel_test(*place, told)
                                        : world.withdraw(*place, told);
  if (!done) {
    if (body.flag("lose")) --inside->lose_next;
    return failure(done.error());
  }
  return acted(inside, before);
}

http::Response cancel_order(Network& network, std::string_view id) {
  Network::Inside inside = network.enter();
  const auto order = inside->world.order(id);
  if (!order) return not_found("order");
  const std::size_t before = inside->ledger.size();
  World::Told told = inside.told();
  if (const auto done = inside->world.cancel_order(*order, told); !done) return failure(done.error());
  return acted(inside, before);
}

http::Response advance(Network& network, const Body& body) {
  const double seconds = body.number("seconds").value_or(0);
  if (!(seconds >= 1) || seconds > static_cast<double>(kAdvanceMost))
    return failure({"bad_value", "seconds is 1 to a year"});
  network.time().advance(static_cast<std::int64_t>(seconds));
  std::string now;
  {
    now = format_timestamp(network.enter()->world.now());
  }
  network.wake();
  JsonWriter json;
  json.begin_object().member("now", now).end_object();
  return json_answer(200, json.take());
}

http::Response change_switches(Network& network, const Body& body) {
  Switches switches;
  {
    switches = network.enter()->switches;
  }
  for (const auto& [name, value] : body.members()) {
    if (name == "hostile" && value == "true") {
      make_hostile(switches);
    } else if (const auto done = set_switch(switches, name, value); !done) {
      return failure(done.error());
    }
  }
  network.set_switches(switches);
  JsonWriter json;
  write_switches(json, switches);
  return json_answer(200, json.take());
}

http::Response change_webhook(Network& network, const Body& body) {
  const auto url = body.text("url");
  if (url && !url->empty()) {
    if (const auto allowed = check_target(*url, network.options().courier.allow_remote); !allowed)
      return failure(allowed.error());
  }
  network.courier().set_url(url && !url->empty() ? url : std::nullopt);
  return json_answer(200, R"({"status":"ok"})");
}

http::Response lose_next(Network& network, const Body& body) {
  const double count = body.number("count").value_or(1);
  if (!(count >= 0) || count > 1e6) return failure({"bad_value", "count is 0 to 1000000"});
  network.enter()->lose_next = static_cast<std::int64_t>(count);
  return json_answer(200, R"({"status":"ok"})");
}

http::Response test_event(Network& network) {
  JsonWriter json;
  json.begin_object().member("event", network.send_test_event()).end_object();
  return json_answer(200, json.take());
}

http::Response post(Network& network, std::string_view what, const Body& body) {
  if (what == "orders") return make_order(network, body);
  if (what == "advance") return advance(network, body);
  if (what == "lose-next") return lose_next(network, body);
  if (what == "test-event") return test_event(network);
  if (what == "pause" || what == "resume") {
    network.time().pause(what == "pause");
    network.wake();
    return json_answer(200, R"({"status":"ok"})");
  }
  // "ordered-tests/ordts_1/release"
  const std::size_t first = what.find('/');
  const std::size_t second = first == std::string_view::npos ? first : what.find('/', first + 1);
  if (second == std::string_view::npos) return not_found("control");
  const std::string_view group = what.substr(0, first), id = what.substr(first + 1, second - first - 1),
                         verb = what.substr(second + 1);
  if (group == "ordered-tests" && (verb == "release" || verb == "correct" || verb == "cancel" || verb == "withdraw"))
    return act_on_test(network, id, verb, body);
  if (group == "orders" && verb == "cancel") return cancel_order(network, id);
  if (group == "grants" && (verb == "withdraw" || verb == "expire")) return change_grant(network, id, verb);
  if (group == "events" && verb == "send")
    return network.courier().send_again(id) ? json_answer(200, R"({"status":"ok"})") : not_found("event that was sent");
  return not_found("control");
}

// Where on the page somebody stands who has just pressed a button of it.
std::string_view place_of(std::string_view what) {
  if (what == "switches") return "#switches";
  if (what.starts_with("events/")) return "#deliveries";
  return what.starts_with("order") ? "#orders" : "";
}

// What a button of the control page posts: the same as in JSON, and back to the page.
Answer from_page(Network& network, const http::Request& request, std::string_view what) {
  const auto form = Form::read(request.body);
  if (!form) return {html(400, problem_page("This form cannot be read", "Go back and try again."))};
  JsonWriter json;
  json.begin_object();
  for (const char* name : {"clinic", "practitioner", "patient", "plan", "stage", "seconds", "count", "url"}) {
    if (const std::string value = form->only(name); !value.empty()) json.member(name, value);
  }
  if (form->has("lose")) json.member("lose", true);
  json.key("lab_tests").begin_array();
  for (const std::string& id : form->all("lab_test")) json.string(id);
  json.end_array();
  if (what == "switches") {
    json = JsonWriter();
    json.begin_object();
    for (const SwitchDescription& one : switch_descriptions()) {
      if (form->has(one.name)) json.member(one.name, form->only(one.name));
    }
    if (form->has("hostile")) json.member("hostile", "true");
  }
  json.end_object();
  http::Request as_json;
  as_json.body = json.take();
  const auto body = Body::read(as_json);
  const http::Response done = !body                ? failure(body.error())
                              : what == "switches" ? change_switches(network, *body)
                              : what == "webhook"  ? change_webhook(network, *body)
                                                   : post(network, what, *body);
  if (done.status < 300) return {redirect(303, "/control" + std::string(place_of(what)))};
  simdjson::dom::parser parser;
  std::string_view title = "it was refused";
  const simdjson::padded_string text(done.body);
  simdjson::dom::element problem;
  if (parser.parse(text).get(problem) == simdjson::SUCCESS) (void)problem["title"].get(title);
  return {html(done.status, problem_page("This cannot be done", title))};
}

}  // namespace

Answer answer_control(Network& network, const http::Request& request, std::string_view path) {
  if (from_another_site(network, request))
    return {http::problem(403, "another_site", "A page of another site may not use the control API.")};
  const std::string_view what =
      path == "/control" ? std::string_view{} : path.substr(std::string_view("/control/").size());
  if (request.method == "GET" || request.method == "HEAD") {
    if (what.empty()) return {html(200, control_page(network))};
    if (what == "state") return {state(network)};
    if (what == "deliveries") return {deliveries(network, request)};
    if (what == "events") return {events(network, request)};
    if (what == "grants") return {grants(network)};
    if (what == "ledger") return {ledger(network)};
    if (what == "switches") {
      JsonWriter json;
      write_switches(json, network.enter()->switches);
      return {json_answer(200, json.take())};
    }
    return {not_found("control")};
  }
  // `curl -d` calls everything a form; what a browser's form sends never begins with a brace.
  const auto type = request.headers.only("Content-Type").value_or("");
  if (request.method == "POST" && type.starts_with("application/x-www-form-urlencoded") &&
      !request.body.starts_with('{'))
    return from_page(network, request, what);
  const auto body = Body::read(request);
  if (!body) return {failure(body.error())};
  if (request.method == "POST") return {post(network, what, *body)};
  if (request.method == "PATCH" && what == "switches") return {change_switches(network, *body)};
  if (request.method == "PUT" && what == "webhook") return {change_webhook(network, *body)};
  return {http::problem(405, "method_not_allowed", "This method is not allowed here.")};
}

}  // namespace resultsync::sandbox
