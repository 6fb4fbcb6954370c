#include "sandbox/pages.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sandbox/numbers.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;accent-color:var(--house);--ink:#1c2430;--soft:#5b6675;--line:#d9dee6;--paper:#fff;--ground:#f3f5f8;--house:#17624f;--on-house:#fff;--warn:#9a3412;--good:#166534}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf2;--soft:#a3adbb;--line:#333c49;--paper:#1b212b;--ground:#12161d;--house:#4cc2a1;--on-house:#06251d;--warn:#fdba74;--good:#86efac}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,"DejaVu Sans",sans-serif}
main{max-width:34rem;margin:2.5rem auto;padding:0 1rem}
main.wide{max-width:76rem}
.card{background:var(--paper);border:1px solid var(--line);border-radius:12px;padding:1.5rem;margin:0 0 1.25rem}
.brand{display:flex;align-items:center;gap:.6rem;color:var(--soft);font-size:.9rem;margin:0 0 1rem}
.brand b{flex:none;display:inline-grid;place-items:center;width:1.9rem;height:1.9rem;border-radius:50%;background:var(--house);color:var(--on-house)}
h1{font-size:1.4rem;line-height:1.25;margin:0 0 .5rem}h2{font-size:1.05rem;margin:0 0 .75rem}
p{margin:.4rem 0}.soft{color:var(--soft)}.small{font-size:.875rem}
button,.button{font:inherit;cursor:pointer;border:1px solid var(--line);border-radius:8px;background:var(--paper);color:var(--ink);padding:.5rem .9rem}
button:hover{border-color:var(--house)}button:focus-visible,input:focus-visible,select:focus-visible,a:focus-visible{outline:3px solid var(--house);outline-offset:2px}
button.main{background:var(--house);color:var(--on-house);border-color:var(--house);font-weight:600}
button.tiny{padding:.15rem .5rem;font-size:.8125rem}
.who{display:flex;justify-content:space-between;align-items:center;width:100%;text-align:left;margin:0 0 .5rem;padding:.7rem 1rem}
.who span{display:block}.who em{font-style:normal;color:var(--house);font-weight:600;white-space:nowrap}
fieldset{border:0;padding:0;margin:0 0 1rem}legend{font-weight:600;padding:0;margin:0 0 .5rem}
label.row{display:flex;gap:.75rem;align-items:flex-start;padding:.5rem 0;border-top:1px solid var(--line)}
label.row:first-of-type{border-top:0}label.row span{flex:1}
input,select{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--line);border-radius:6px;padding:.35rem .5rem;min-width:0;max-width:100%}
input[type=checkbox]{width:1.1rem;height:1.1rem;margin:.2rem 0 0}
table{border-collapse:collapse;width:100%;font-size:.875rem}th{text-align:left;color:var(--soft);font-weight:600}
th,td{padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
.scroll{overflow-x:auto}code{font-size:.9em}
.tag{display:inline-block;border-radius:99px;border:1px solid currentColor;padding:0 .5rem;font-size:.75rem;white-space:nowrap}
.good{color:var(--good)}.warn{color:var(--warn)}
.bar{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center}.bar form{display:inline-flex;flex-wrap:wrap;gap:.4rem;align-items:center;max-width:100%}
.grid{display:grid;gap:1.25rem;grid-template-columns:repeat(auto-fit,minmax(min(21rem,100%),1fr))}.grid{margin:0 0 1.25rem;align-items:start}.grid .card{margin:0}
.head{display:flex;justify-content:space-between;align-items:baseline;gap:1rem}.head a{font-size:.875rem}a{color:var(--house)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.75rem;margin:0}.facts div{border-left:3px solid var(--house);padding-left:.6rem}
.facts .time{grid-column:span 2}
section{scroll-margin-top:1rem}
table.broad{min-width:54rem}
@media(max-width:30rem){.card{padding:1rem}main{margin-top:1rem}}
.facts dt{color:var(--soft);font-size:.8125rem}.facts dd{margin:0;font-size:1.1rem;font-weight:600}
.switches{display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:.4rem 1.5rem}
.switches label{display:flex;justify-content:space-between;gap:.75rem;align-items:center;font-size:.875rem}
.switches input,.switches select{width:7rem}
)css";

std::string hidden(std::string_view name, std::string_view value) {
  return fmt::format("<input type=\"hidden\" name=\"{}\" value=\"{}\">", name, escaped_html(value));
}

std::string dollars(std::int64_t cents) {
  return fmt::format("${}.{:02}", cents / 100, cents % 100);
}

std::string host_of(std::string_view uri) {
  const std::size_t from = uri.find("://");
  if (from == std::string_view::npos) return std::string(uri);
  return std::string(uri.substr(from + 3, uri.find_first_of("/?", from + 3) - from - 3));
}

// A button that posts one thing.
std::string button(std::string_view action, std::string_view label, std::string_view fields = {},
                   std::string_view css = "tiny") {
  return fmt::format("<form method=\"post\" action=\"/control/{}\">{}<button class=\"{}\">{}</button></form>", action,
                     fields, css, label);
}

std::string tag(std::string_view text, std::string_view css) {
  return fmt::format("<span class=\"tag {}\">{}</span>", css, text);
}

std::string facts(Network& network) {
  const bool quiet = network.quiet();
  const CourierCounts counts = network.courier().counts();
  const auto url = network.courier().url();
  const Network::Inside inside = network.enter();
  const auto fact = [](std::string_view name, const std::string& value) {
    return fmt::format("<div{}><dt>{}</dt><dd>{}</dd></div>", name.starts_with("Simulated") ? " class=\"time\"" : "",
                       name, escaped_html(value));
  };
  std::string now = format_timestamp(inside->world.now()).substr(0, 19);
  now[10] = ' ';
  const bool paused = network.time().paused();
  std::string text = "<section class=\"card\" aria-label=\"State\"><dl class=\"facts\">";
  text += fact("Simulated time (UTC)", now + (paused ? " \u2013 paused" : ""));
  text += fact("Speed", fmt::format("{}x", network.time().speed()));
  text += fact("Orders", std::to_string(inside->world.orders().size()));
  text += fact("Events released", std::to_string(inside->ledger.size()));
  text += fact("Deliveries waiting", std::to_string(counts.waiting));
  text += fact("Taken", std::to_string(counts.done));
  text += fact("Lost on purpose", std::to_string(counts.lost));
  text += fact("Given up", std::to_string(counts.given_up)) + "</dl><div class=\"bar\" style=\"margin-top:1rem\">";
  text += button("advance", "+ 1 hour", hidden("seconds", "3600")) +
          button("advance", "+ 1 day", hidden("seconds", "86400")) +
          button("advance", "+ 1 week", hidden("seconds", "604800"));
  text += button(paused ? "resume" : "pause", paused ? "Resume time" : "Pause time");
  text += button("lose-next", "Lose the next event", hidden("count", "1")) + button("test-event", "Send a test event");
  text += fmt::format(
      "<form method=\"post\" action=\"/control/webhook\"><label for=\"url\" class=\"small soft\">Webhook</label>"
      "<input id=\"url\" name=\"url\" size=\"34\" value=\"{}\" placeholder=\"http://127.0.0.1:8080/webhook\">"
      "<button class=\"tiny\">Set</button></form>",
      escaped_html(url.value_or("")));
  text += quiet ? tag("quiet", "good") : tag("busy", "soft");
  return text + "</div></section>";
}

std::string people(const Network::Inside& inside, bool all_clinics) {
  const World& world = inside->world;
  std::string text =
      "<section class=\"card\"><h2>Clinics and consent</h2><div "
      "class=\"scroll\"><table><thead><tr><th>Clinic</th><th>Practitioner</th><th>Consent</th></tr></thead><tbody>";
  for (std::size_t c = 0; c < std::min<std::size_t>(world.clinics().size(), 20); ++c) {
    bool first = true;
    for (std::size_t p = 0; p < world.practitioners().size(); ++p) {
      const Practitioner& one = world.practitioners()[p];
      if (one.clinic != c) continue;
      std::string consent = "<span class=\"soft\">none</span>";
      for (const Grant& grant : inside->oauth.grants()) {
        if (grant.practitioner != p) continue;
        if (grant.state == GrantState::kActive) {
          consent = tag("active", "good") + " " + button(fmt::format("grants/{}/withdraw", grant.id), "Withdraw");
          break;
        }
        consent = tag(grant_state_name(grant.state), "warn");
      }
      const bool told = all_clinics || inside->ever_connected.contains(c);
      text += fmt::format(
          "<tr><td>{}</td><td>{}<br><code class=\"soft\">{}</code></td><td><div class=\"bar\">{}</div></td></tr>",
          first ? fmt::format("{} {}<br><code class=\"soft\">{}</code>", escaped_html(world.clinics()[c].name),
                              told ? tag("told of events", "good") : "", world.clinics()[c].id.text())
                : std::string(),
          escaped_html(one.titled()), one.id.text(), consent);
      first = false;
    }
  }
  return text + "</tbody></table></div></section>";
}

std::string new_order(const World& world) {
  std::string text =
      "<section class=\"card\"><h2>Make an order</h2><form method=\"post\" action=\"/control/orders\"><p><label "
      "class=\"small "
      "soft\" for=\"patient\">Patient</label><br><select id=\"patient\" name=\"patient\">";
  for (std::size_t i = 0; i < std::min<std::size_t>(world.patients().size(), 100); ++i) {
    const Patient& one = world.patients()[i];
    const Clinic& clinic = world.clinics()[world.practitioners()[one.practitioner].clinic];
    text +=
        fmt::format("<option value=\"{}\">{}, {} \u2013 {}</option>", one.person.id, escaped_html(one.person.last_name),
                    escaped_html(one.person.first_name), escaped_html(clinic.name));
  }
  text +=
      "</select></p><p><label class=\"small soft\" for=\"tests\">Tests</label><br><select id=\"tests\" "
      "name=\"lab_test\" multiple size=\"6\" style=\"width:100%\">";
  for (std::size_t i = 0; i < lab_tests().size(); ++i) {
    text += fmt::format("<option value=\"labts_{}\"{}>{} \u2013 {}</option>", lab_tests()[i].id,
                        i == 0 ? " selected" : "", escaped_html(lab_tests()[i].name),
                        escaped_html(lab_companies()[lab_tests()[i].company].short_name));
  }
  return text +
         "</select></p><p class=\"bar\"><button class=\"main\" name=\"plan\" value=\"held\">Make it, and hold "
         "it</button>"
         "<button name=\"plan\" value=\"running\">Make it, and let it run</button></p></form></section>";
}

std::string orders(const World& world) {
  std::string text =
      "<section class=\"card\" id=\"orders\"><h2>Orders</h2><div "
      "class=\"scroll\"><table class=\"broad\"><thead><tr><th>Order</th><th>Patient</th><th>Status</th>"
      "<th>Test</th><th>Result</th><th>Do</th></tr></thead><tbody>";
  const std::size_t shown = std::min<std::size_t>(world.orders().size(), 12);
  for (std::size_t i = 0; i < shown; ++i) {
    const Order& order = world.orders()[world.orders().size() - 1 - i];
    const Person& who = world.patients()[order.patient].person;
    for (std::size_t t = 0; t < order.tests.size(); ++t) {
      const OrderedTest& test = order.tests[t];
      const std::string at = "ordered-tests/" + test.id.text() + "/";
      const bool can = order.state != OrderState::kCanceled && !test.canceled;
      const bool preliminary = test.current && test.versions[*test.current].stage == Stage::kPreliminary;
      std::string result = "<span class=\"soft\">none</span>";
      if (test.current) {
        const LabReport& report = test.versions[*test.current];
        result = tag(stage_name(report.stage), report.stage == Stage::kFinal ? "good" : "warn") +
                 fmt::format(" <span class=\"soft\">version {}</span>", *test.current + 1);
      }
      std::string actions;
      const bool parts = lab_tests()[test.test].kind != ResultKind::kNarrative;
      if (can && !test.current && parts)
        actions += button(at + "release", "Preliminary", hidden("stage", "preliminary"));
      if (can && (!test.current || preliminary)) actions += button(at + "release", "Final");
      if (can && test.current && !preliminary) actions += button(at + "correct", "Correct");
      if (can && test.current) actions += button(at + "withdraw", "Withdraw");
      if (can) actions += button(at + "cancel", "Cancel test");
      if (t == 0 && order.state != OrderState::kCanceled && order.state != OrderState::kCompleted)
        actions += button("orders/" + order.id.text() + "/cancel", "Cancel order");
      text += fmt::format(
          "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}<br><code class=\"soft\">{}</code></td><td>{}</td><td><div "
          "class=\"bar\">{}</div></td></tr>",
          t == 0 ? "<code>" + order.id.text() + "</code>" : std::string(),
          t == 0 ? escaped_html(who.last_name + ", " + who.first_name) : std::string(),
          t == 0 ? escaped_html(status_text(order.state)) : std::string(), escaped_html(lab_tests()[test.test].name),
          test.id.text(), result, actions);
    }
  }
  return text + fmt::format("</tbody></table></div><p class=\"soft small\">The latest {} of {}.</p></section>", shown,
                            world.orders().size());
}

std::string deliveries(Network& network) {
  std::string text =
      "<section class=\"card\" id=\"deliveries\"><div class=\"head\"><h2>Deliveries</h2><a "
      "href=\"/control#deliveries\">Look again</a></div><div "
      "class=\"scroll\"><table class=\"broad\"><thead><tr><th>Event</th><th>Type</th><th>State</th>"
      "<th>Attempts</th><th>Do</th></tr></thead><tbody>";
  const auto latest = network.courier().deliveries({}, 30);
  for (const Delivery& one : latest) {
    std::string attempts;
    for (const Attempt& attempt : one.attempts) {
      const bool taken = attempt.status >= 200 && attempt.status < 300;
      const std::string kind =
          attempt.kind == AttemptKind::kOrdinary ? "" : fmt::format(" {}", attempt_kind_name(attempt.kind));
      attempts += tag(attempt.status != 0 ? fmt::format("{}{}", attempt.status, kind) : "no answer" + kind,
                      taken ? "good" : "warn") +
                  " ";
    }
    const bool bad = one.state == DeliveryState::kLost || one.state == DeliveryState::kGivenUp;
    text += fmt::format("<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", one.event,
                        escaped_html(one.type),
                        tag(delivery_state_name(one.state), bad                                 ? "warn"
                                                            : one.state == DeliveryState::kDone ? "good"
                                                                                                : "soft"),
                        attempts, button("events/" + one.event + "/send", "Send"));
  }
  if (latest.empty())
    text +=
        "<tr><td colspan=\"5\" class=\"soft\">None yet. Events are sent for clinics with a connected "
        "practitioner.</td></tr>";
  return text + "</tbody></table></div></section>";
}

std::string switches(const Switches& of) {
  std::string text =
      "<section class=\"card\" id=\"switches\"><h2>Switches</h2><form method=\"post\" "
      "action=\"/control/switches\"><div "
      "class=\"switches\">";
  for (const SwitchDescription& one : switch_descriptions()) {
    const std::string value = switch_value(of, one.name);
    text += fmt::format("<label title=\"{}\"><span>{}{}</span>", escaped_html(one.text), one.name,
                        one.hostile ? " \u25cf" : "");
    if (one.kind.contains(',') || one.kind == "yes/no") {
      text += fmt::format("<select name=\"{}\">", one.name);
      std::string_view words = one.kind == "yes/no" ? std::string_view("true, false") : one.kind;
      while (!words.empty()) {
        const std::string_view word = words.substr(0, words.find(", "));
        words = word.size() == words.size() ? std::string_view{} : words.substr(word.size() + 2);
        text += fmt::format("<option{}>{}</option>", word == value ? " selected" : "", word);
      }
      text += "</select></label>";
    } else {
      text += fmt::format("<input name=\"{}\" value=\"{}\" inputmode=\"decimal\"></label>", one.name, value);
    }
  }
  return text +
         "</div><p class=\"bar\" style=\"margin-top:1rem\"><button class=\"main\">Set</button>"
         "<button name=\"hostile\" value=\"true\">All of \u25cf at once</button></p></form></section>";
}

}  // namespace

std::string escaped_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string page(std::string_view title, std::string_view body, PageWidth width) {
  return fmt::format(
      "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, "
      "initial-scale=1\"><title>{} \u2013 Sandbox network</title><style>{}</style></head><body><main{}><p "
      "class=\"brand\"><b "
      "aria-hidden=\"true\">R</b>Sandbox network \u2013 simulated, everybody is invented</p>{}</main></body></html>",
      escaped_html(title), kStyle, width == PageWidth::kWide ? " class=\"wide\"" : "", body);
}

std::string problem_page(std::string_view title, std::string_view text) {
  return page(title, fmt::format("<div class=\"card\" role=\"alert\"><h1>{}</h1><p>{}</p></div>", escaped_html(title),
                                 escaped_html(text)));
}

std::string consent_page(const World& world, const AuthorizationRequest& request) {
  std::string fields = hidden("client_id", request.client_id) + hidden("redirect_uri", request.redirect_uri) +
                       hidden("response_type", request.response_type);
  for (const auto& [name, value] : {std::pair{"scope", &request.scope},
                                    {"state", &request.state},
                                    {"code_challenge", &request.code_challenge},
                                    {"code_challenge_method", &request.code_challenge_method}}) {
    if (!value->empty()) fields += hidden(name, *value);
  }
  const bool writes = request.scope.empty() || request.scope.contains("write");
  std::string text = fmt::format(
      "<div class=\"card\"><h1>Connect your lab orders</h1><p>The application at <strong>{}</strong> asks to see the "
      "patients, "
      "orders and results of your clinic{}.</p><p class=\"soft small\">You can take this back at any time. Sign in "
      "as:</p>",
      escaped_html(host_of(request.redirect_uri)), writes ? ", and to prepare orders for you" : "");
  std::size_t shown = 0;
  for (const Clinic& clinic : world.clinics()) {
    const std::size_t index = static_cast<std::size_t>(&clinic - world.clinics().data());
    text += fmt::format("<h2 style=\"margin-top:1.25rem\">{}</h2>", escaped_html(clinic.name));
    for (const Practitioner& one : world.practitioners()) {
      if (one.clinic != index || ++shown > 300) continue;
      text += fmt::format(
          "<form method=\"post\" action=\"/oauth/authorize\">{}{}<button class=\"who\" name=\"decision\" "
          "value=\"accept\"><span><strong>{}</strong><span class=\"soft "
          "small\">{}</span></span><em>Allow</em></button></form>",
          fields, hidden("practitioner", one.id.text()), escaped_html(one.titled()), escaped_html(one.type));
    }
  }
  text += fmt::format(
      "<form method=\"post\" action=\"/oauth/authorize\">{}<p style=\"margin-top:1.25rem\"><button name=\"decision\" "
      "value=\"refuse\">Do not allow</button></p></form></div>",
      fields);
  return page("Connect your lab orders", text);
}

std::string checkout_page(const World& world, std::size_t index) {
  const OrderIntent& intent = world.intents()[index];
  const Person& who = world.patients()[intent.patient].person;
  const Practitioner& practitioner = world.practitioners()[intent.practitioner];
  std::int64_t total = 0;
  std::string rows;
  for (const bool chosen : {true, false}) {
    for (std::size_t i = 0; i < lab_tests().size(); ++i) {
      const LabTest& test = lab_tests()[i];
      const bool in_cart = std::ranges::find(intent.tests, i) != intent.tests.end();
      if (in_cart != chosen) continue;
      if (in_cart) total += test.price_cents;
      rows += fmt::format(
          "<label class=\"row\"><input type=\"checkbox\" name=\"lab_test\" "
          "value=\"labts_{}\"{}><span><strong>{}</strong><br><span "
          "class=\"soft small\">{} \u2013 {} \u2013 about {} days</span></span><span "
          "style=\"flex:none\">{}</span></label>",
          test.id, in_cart ? " checked" : "", escaped_html(test.name), escaped_html(lab_companies()[test.company].name),
          escaped_html(test.sample), test.turnaround_days, dollars(test.price_cents));
    }
  }
  return page(
      "Checkout",
      fmt::format(
          "<form class=\"card\" method=\"post\"><h1>Order for {} {}</h1><p class=\"soft\">Born {} \u2013 ordered by "
          "{}</p><fieldset style=\"margin-top:1rem\"><legend>Tests</legend>{}</fieldset><p>In the cart when this page "
          "opened: <strong>{}</strong></p><p class=\"bar\"><button class=\"main\" name=\"decision\" "
          "value=\"submit\">Submit "
          "order</button><button name=\"decision\" value=\"cancel\">Cancel</button></p></form>",
          escaped_html(who.first_name), escaped_html(who.last_name),
          escaped_html(who.birthday.empty() ? "unknown" : who.birthday), escaped_html(practitioner.titled()), rows,
          dollars(total)));
}

std::string checkout_done_page(const World& world, std::size_t index) {
  const OrderIntent& intent = world.intents()[index];
  const bool submitted = intent.state == IntentState::kSubmitted;
  return page("Checkout", fmt::format("<div class=\"card\"><h1>{}</h1><p>{}</p></div>",
                                      submitted ? "This order was submitted" : "This checkout was canceled",
                                      submitted && intent.order
                                          ? "Order <code>" + world.orders()[*intent.order].id.text() + "</code>"
                                          : "Nothing was ordered."));
}

std::string control_page(Network& network) {
  std::string text = "<h1>Control</h1>" + facts(network);
  {
    const Network::Inside inside = network.enter();
    text +=
        "<div class=\"grid\">" + new_order(inside->world) + people(inside, network.options().all_clinics) + "</div>";
    text += orders(inside->world);
  }
  text += deliveries(network);
  text += switches(network.enter()->switches);
  text +=
      "<p class=\"small soft\">For scripts: <a href=\"/control/state\">state</a>, <a "
      "href=\"/control/ledger\">ledger</a>, <a "
      "href=\"/control/deliveries\">deliveries</a>, <a href=\"/control/grants\">grants</a>.</p>";
  return page("Control", text, PageWidth::kWide);
}

}  // namespace resultsync::sandbox
