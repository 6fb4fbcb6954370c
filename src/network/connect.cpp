#include "network/connect.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.hpp"
#include "network/page.hpp"
#include "runtime/log.hpp"
#include "runtime/random.hpp"
#include "sync/connections.hpp"

namespace resultsync::network {
namespace {

constexpr std::string_view kConnectPrefix = "/connect/";
constexpr std::string_view kCallback = "/oauth/callback";
constexpr std::string_view kCookie = "resultsync_connect";
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kTokenBytesMax = 128;

Timestamp later(Timestamp time, std::chrono::seconds by) {
  return {time.microseconds + std::chrono::microseconds(by).count()};
}

std::string new_secret() {
  return encode_base64url(runtime::random_bytes(kSecretBytes));
}

std::string cookie_of(const http::Request& request) {
  const auto header = request.headers.only("Cookie");
  if (!header) return {};
  std::string_view rest = *header;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(';'), rest.size());
    std::string_view one = rest.substr(0, end);
    while (one.starts_with(' ')) one.remove_prefix(1);
    if (one.starts_with(kCookie) && one.substr(kCookie.size()).starts_with('='))
      return std::string(one.substr(kCookie.size() + 1));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

// What is stored: neither half alone gives it.
Sha256 digest_of_state(std::string_view state, std::string_view cookie) {
  return sha256(std::string(state) + "." + std::string(cookie));
}

std::string redirect_uri(const std::string& public_url) {
  return public_url + std::string(kCallback);
}

std::string text_at(const orders::JsonBody& body, const std::string& pointer) {
  simdjson::dom::element found;
  if (!body.root() || body.root()->at_pointer(pointer).get(found) != simdjson::SUCCESS) return {};
  return orders::id_text(found);
}

// P5: who may see a clinic's data changes here, on the public listener, where no key says who asks. The request id is
// that of the visit: its `begun` and its end share it.
store::AuditRow audit_row(const store::ConnectLink& link, const http::Request& request, const std::string& request_id,
                          std::string outcome) {
  store::AuditRow row;
  row.request_id = request_id;
  row.actor = "connect-link";
  row.action = "GET " + std::string(kCallback);
  row.objects = {"practitioner=" + link.app_practitioner.text(), "source=" + link.source.text()};
  row.peer = request.peer.substr(0, request.peer.rfind(':'));
  row.outcome = std::move(outcome);
  return row;
}

Page ask_for_a_new_link(std::string title, std::string what) {
  return {.status = 410,
          .title = std::move(title),
          .paragraphs = {std::move(what), "Go back to the application that sent you here and ask for a new link."}};
}

Page opened_already() {
  return {.status = 410,
          .mood = Mood::kStopped,
          .title = "This page was opened already",
          .paragraphs = {"What you decided was taken the first time, so there is nothing left to do here.",
                         "If the application does not show the connection, ask it for a new link."}};
}

}  // namespace

Connect::Connect(const World& world, Tokens& tokens, ApiClient& api, std::function<void()> run_added)
    : world_(world),
      tokens_(tokens),
      api_(api),
      run_added_(std::move(run_added)),
      workers_(std::make_unique<runtime::Workers>("connect", 2, 64)) {}

Connect::~Connect() {
  stop();
}

void Connect::set_public_url(std::string url) {
  tokens_.set_redirect_uri(redirect_uri(url));
  const std::lock_guard lock(mutex_);
  public_url_ = std::move(url);
}

std::string Connect::public_url() const {
  const std::lock_guard lock(mutex_);
  return public_url_;
}

void Connect::stop() {
  workers_.reset();
}

Result<Connect::Link> Connect::make_link(const SourceId& source, const AppPractitionerId& practitioner) {
  const SourceSettings* settings = settings_of(world_.settings, source);
  if (settings == nullptr || settings->api.empty() || settings->client_id.empty()) {
    return fail("no_api", "this source has no API and client id in the configuration, so nobody can consent to it");
  }
  const std::string token = new_secret();
  store::ConnectLink link;
  link.link = sha256(token);
  link.source = source;
  link.app_practitioner = practitioner;
  link.expires_at = later(world_.clock.now(), world_.settings.link_lifetime);
  const auto transaction = world_.views.begin();
  transaction->network().drop_connect_links(later(world_.clock.now(), -std::chrono::hours(24)));
  transaction->network().add_connect_link(link);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  return Link{public_url() + std::string(kConnectPrefix) + token, link.expires_at};
}

bool Connect::is_ours(std::string_view path) {
  return path == kCallback || (path.starts_with(kConnectPrefix) && path.size() > kConnectPrefix.size());
}

void Connect::handle(http::Request request, http::Responder respond) {
  auto shared = std::make_shared<std::pair<http::Request, http::Responder>>(std::move(request), std::move(respond));
  const bool taken = workers_ && workers_->submit([this, shared] { shared->second(answer(shared->first)); });
  if (!taken)
    shared->second(render({.status = 503, .title = "Too busy just now", .paragraphs = {"Try again in a minute."}}));
}

http::Response Connect::answer(const http::Request& request) {
  if (request.path == kCallback) {
    if (request.method == "GET") return callback(request);
  } else {
    const std::string token = request.path.substr(kConnectPrefix.size());
    if (token.size() > kTokenBytesMax)
      return render(ask_for_a_new_link("This link is not known", "It may have been cut off on its way."));
    if (request.method == "GET" || request.method == "HEAD") return show_link(token);
    if (request.method == "POST") return use_link(request, token);
  }
  return render(
      {.status = 405, .title = "This page does not take that", .paragraphs = {"Open the link in a browser."}});
}

http::Response Connect::show_link(const std::string& token) {
  const auto snapshot = world_.views.snapshot();
  const auto link = snapshot->network().connect_link(sha256(token));
  if (!link)
    return render(ask_for_a_new_link("This link is not known", "It may be too old, or it was cut off on its way."));
  if (link->used)
    return render(ask_for_a_new_link("This link was used already",
                                     "Each link connects once, so that nobody else can use yours."));
  if (link->expires_at <= world_.clock.now())
    return render(ask_for_a_new_link("This link is too old", "Links are good for 15 minutes."));
  const SourceSettings* source = settings_of(world_.settings, link->source);
  const std::string& network = source == nullptr ? link->source.text() : source->network_name;
  return render(
      {.status = 200,
       .mood = Mood::kAsk,
       .title = "Connect your lab orders",
       .paragraphs = {fmt::format("The application that sent you here asks for the orders and results of your "
                                  "whole clinic, earlier ones too. On the next page, {} asks whether you "
                                  "allow that.",
                                  network),
                      "You can end it at any time in the application."},
       .button = "Continue"});
}

http::Response Connect::use_link(const http::Request& request, const std::string& token) {
  // A form on another site could send a browser here; what it cannot do is say that it is us.
  if (const auto site = request.headers.only("Sec-Fetch-Site"); site && *site != "same-origin" && *site != "none") {
    return render({.status = 403,
                   .title = "This did not come from our page",
                   .paragraphs = {"Open the link itself, and use its button."}});
  }
  const std::string state = new_secret();
  const std::string cookie = new_secret();
  const std::string verifier = new_secret();
  std::optional<store::ConnectLink> link;
  {
    const auto transaction = world_.views.begin();
    link = transaction->read().network().connect_link(sha256(token));
    const bool good = link && !link->used && link->expires_at > world_.clock.now();
    if (!good) link.reset();
    if (link) {
      link->used = true;
      link->state = digest_of_state(state, cookie);
      link->state_expires_at = later(world_.clock.now(), world_.settings.consent_lifetime);
      link->sealed_verifier = world_.tokens.seal("verifier " + link->link.hex(), verifier);
      transaction->network().save_connect_link(*link);
      if (auto committed = transaction->commit(); !committed) link.reset();
    }
  }
  const SourceSettings* source = link ? settings_of(world_.settings, link->source) : nullptr;
  if (source == nullptr)
    return render(
        ask_for_a_new_link("This link is not good any more", "It was used already, or it is older than 15 minutes."));

  std::vector<std::pair<std::string, std::string>> query{{"response_type", "code"},
                                                         {"client_id", source->client_id},
                                                         {"redirect_uri", redirect_uri(public_url())},
                                                         {"state", state}};
  if (!source->scope.empty()) query.emplace_back("scope", source->scope);
  if (source->pkce) {
    query.emplace_back("code_challenge", encode_base64url(sha256(verifier).view()));
    query.emplace_back("code_challenge_method", "S256");
  }
  const std::string address = full_url(*source, source->authorize_url);
  http::Response response;
  response.status = 303;
  response.content_type.clear();
  response.set_header("Location", address + (address.contains('?') ? "&" : "?") + form_encoded(query));
  const bool https = public_url().starts_with("https://");
  response.set_header("Set-Cookie",
                      fmt::format("{}={}; Path={}; HttpOnly; SameSite=Lax; Max-Age={}{}", kCookie, cookie, kCallback,
                                  world_.settings.consent_lifetime.count(), https ? "; Secure" : ""));
  return secured(std::move(response));
}

http::Response Connect::callback(const http::Request& request) {
  const auto state = request.query("state");
  if (!state)
    return render(
        ask_for_a_new_link("Something is missing", "The network sent you back without what we need to know you by."));
  const auto link = link_of_visit(*state, cookie_of(request));
  if (link && link->finished) return render(opened_already());
  const std::string request_id = "req_" + encode_hex(runtime::random_bytes(12));
  const auto record = [&](std::string outcome, const std::string& clinic) {
    auto row = audit_row(*link, request, request_id, std::move(outcome));
    row.at = world_.clock.now();
    if (!clinic.empty()) row.objects.push_back("clinic=" + clinic);
    const auto recorded = world_.audit.append(row);
    if (!recorded) runtime::log::error("audit.failed", {{"code", recorded.error().code}});
    return recorded.has_value();
  };
  // Durable before anything comes of the consent; `begun` alone says that it was interrupted.
  if (!link || !record("begun", {}))
    return render(ask_for_a_new_link("We do not know this visit",
                                     "It took longer than 15 minutes, or it was begun in another browser."));
  Outcome outcome = end_visit(*link, request);
  // What it led to is so, and on record as begun: whatever becomes of this row, saying otherwise would be wrong.
  record(std::move(outcome.audited), outcome.clinic);
  outcome.page.set_header("X-Request-Id", request_id);
  return std::move(outcome.page);
}

Connect::Outcome Connect::end_visit(const store::ConnectLink& link, const http::Request& request) {
  const auto taken = finish_link(link.state);
  if (!taken)
    return {render({.status = 503, .title = "Too busy just now", .paragraphs = {"Try again in a minute."}}),
            "503 " + std::string(taken.error().code)};
  if (!*taken) return {render(opened_already()), "410 opened_already"};
  if (const auto error = request.query("error")) {
    if (*error == "access_denied") {
      return {render({.status = 200,
                      .mood = Mood::kStopped,
                      .title = "Not connected",
                      .paragraphs = {"You did not give your consent, so nothing was connected.",
                                     "If that was a mistake, ask the application for a new link."}}),
              "403 access_denied"};
    }
    runtime::log::warning("network.consent_error", {{"source", link.source.text()}});
    return {render({.status = 502,
                    .title = "The network could not ask for your consent",
                    .paragraphs = {"Ask the application for a new link. If this happens again, tell its operator: the "
                                   "network refused its request."}}),
            "502 consent_error"};
  }
  const auto code = request.query("code");
  if (!code || code->empty())
    return {render(ask_for_a_new_link("Something is missing", "The network sent you back without a code.")),
            "400 no_code"};
  auto clinic = conclude(link, *code);
  if (!clinic) {
    runtime::log::warning(
        "network.connect_failed",
        {{"source", link.source.text()}, {"reason", clinic.error().code}, {"cause", clinic.error().cause}});
    if (clinic.error().code == "consent_refused")
      return {render(ask_for_a_new_link("Your consent came too late", "The network did not take it any more.")),
              "410 consent_refused"};
    return {render({.status = 502,
                    .title = "The network did not answer as it should",
                    .paragraphs = {"Your consent was given, but your account could not be read, so nothing was "
                                   "connected.",
                                   "Wait a minute and ask the application for a new link. If it happens again, tell "
                                   "its operator."}}),
            "502 " + std::string(clinic.error().code)};
  }
  return {render({.status = 200,
                  .mood = Mood::kDone,
                  .title = "Connected",
                  .paragraphs = {"Your clinic is connected. Its earlier orders are being read now; new results will "
                                 "follow by themselves.",
                                 "You can close this page and go back to the application."}}),
          "200", std::move(*clinic)};
}

// The link that this browser was sent away with, while it may come back.
std::optional<store::ConnectLink> Connect::link_of_visit(const std::string& state, const std::string& cookie) const {
  auto link = world_.views.snapshot()->network().connect_link_of_state(digest_of_state(state, cookie));
  if (link && link->state_expires_at <= world_.clock.now()) link.reset();
  return link;
}

// One use, whatever comes of it. False: it was used meanwhile.
Result<bool> Connect::finish_link(const Sha256& state) {
  const auto transaction = world_.views.begin();
  auto link = transaction->read().network().connect_link_of_state(state);
  if (auto status = transaction->read().status(); !status) return forward_error(std::move(status));
  if (!link || link->finished) return false;
  link->finished = true;
  transaction->network().save_connect_link(*link);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  return true;
}

// The code becomes tokens, the tokens say who this is, and that makes the connection. The clinic.
Result<std::string> Connect::conclude(const store::ConnectLink& link, const std::string& code) {
  const SourceSettings* source = settings_of(world_.settings, link.source);
  if (source == nullptr) return fail("no_api", "this source has no API any more");
  auto verifier = world_.tokens.open("verifier " + link.link.hex(), link.sealed_verifier);
  if (!verifier) return forward_error(std::move(verifier));
  auto pair = tokens_.exchange(*source, code, redirect_uri(public_url()), source->pkce ? *verifier : std::string{});
  if (!pair) return forward_error(std::move(pair));
  auto me = api_.get_with(*source, pair->access, source->me_path);
  if (!me) return forward_error(std::move(me));
  store::Authorization row;
  row.source = link.source;
  row.app_practitioner = link.app_practitioner;
  row.vendor_practitioner = source->practitioner_pointer.empty()
                                ? pair->owner
                                : PractitionerId(text_at(*me->body, source->practitioner_pointer));
  row.clinic = ClinicId(text_at(*me->body, source->clinic_pointer));
  if (row.clinic.empty()) return fail("bad_response", "the Practitioner endpoint names no clinic");
  {
    // One transaction: a consent without its connection would let the clinic be read for nobody, and a connection
    // without its run would never be given what is older than a scheduled reading looks back.
    const auto transaction = world_.views.begin();
    const Timestamp now = world_.clock.now();
    tokens_.keep(*transaction, *source, row, *pair);
    auto connected =
        sync::connect(*transaction, {row.app_practitioner, row.source, row.clinic, row.vendor_practitioner}, now);
    if (!connected) return forward_error(std::move(connected));
    store::NetworkRun run;
    run.source = row.source;
    run.app_practitioner = row.app_practitioner;
    run.clinic = row.clinic;
    run.kind = "backfill";
    run.state = "waiting";
    run.started_at = now;
    transaction->network().add_run(run);
    transaction->network().retry_missing({.source = row.source, .clinic = row.clinic}, now);
    if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  }
  runtime::log::info("network.connected", {{"source", row.source.text()}, {"clinic", row.clinic.text()}});
  world_.wake_sync();
  world_.feed_changed();
  run_added_();
  return row.clinic.text();
}

}  // namespace resultsync::network
