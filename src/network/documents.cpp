#include "network/documents.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "network/snapshot.hpp"
#include "orders/decode.hpp"
#include "runtime/log.hpp"
#include "runtime/random.hpp"
#include "store/document_bytes.hpp"

namespace resultsync::network {
namespace {

using State = orders::LinkedDocument::State;

constexpr std::chrono::milliseconds kLookEvery{500};  // for what falls due by the clock
constexpr std::size_t kBatch = 64;
constexpr int kTotalsSeldom = 50;  // documents are counted again after so many times as long as it took

Timestamp later(Timestamp time, std::chrono::microseconds by) {
  return {time.microseconds + by.count()};
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

bool is_host_allowed(const SourceSettings& source, const std::string& host) {
  const std::string name = lower(host);
  const auto api = http::parse_url(source.api);
  if (source.document_hosts.empty()) return api && lower(api->host) == name;
  return std::ranges::any_of(source.document_hosts, [&](const std::string& allowed) {
    return allowed.starts_with('.') ? name.ends_with(lower(allowed)) : name == lower(allowed);
  });
}

// What a member should hold, by its bytes and never by what the server calls it.
bool is_fit(std::string_view member, std::string_view bytes) {
  const std::string_view type = orders::sniff_media_type(bytes);
  if (member == "results_hl7") return type == "application/hl7-v2";
  if (member.ends_with("_pdf")) return type == "application/pdf";
  return type != "text/html";
}

std::string url_of(const std::string& body, const store::DocumentUse& use) {
  for (orders::Link& link : orders::links_of(body)) {
    if (link.test == use.test && link.member == use.member) return std::move(link.url);
  }
  return {};
}

std::string_view static_code(int status) {
  return status >= 500 ? "http_5xx" : "http_4xx";
}

}  // namespace

const SourceSettings* settings_of(const Settings& settings, const SourceId& source) {
  const auto found = std::ranges::find(settings.sources, source, &SourceSettings::source);
  return found == settings.sources.end() ? nullptr : &*found;
}

std::optional<store::Authorization> consent_for(store::ViewsSnapshot& snapshot, const SourceId& source,
                                                const ClinicId& clinic) {
  std::optional<store::Authorization> best;
  for (store::Authorization& row : snapshot.network().authorizations()) {
    if (row.source != source || (!clinic.empty() && row.clinic != clinic)) continue;
    if (row.state == store::ConsentState::kConnected) return std::move(row);
    if (row.state == store::ConsentState::kFailing && !best) best = std::move(row);
  }
  return best;
}

// One fetch
// ------------------------------------------------------------------------------------------------------------

Result<std::string> Fetcher::fetch(const SourceSettings& source, const std::string& address, std::string_view member,
                                   std::chrono::seconds* retry_after) const {
  const auto url = http::parse_url(address);
  if (!url) return fail("bad_url", "the link is no address");
  if (!is_host_allowed(source, url->host))
    return fail("host_not_allowed", "the link leads to a host that this source does not allow");
  http::OutboundRequest request;
  request.method = "GET";
  request.url = address;
  request.total_timeout = world_.settings.document_timeout;
  request.response_bytes_max = world_.settings.document_bytes_max;
  if (source.documents_need_token) {
    const auto api = http::parse_url(source.api);
    if (api && api->host == url->host && api->port == url->port && api->scheme == url->scheme) {
      const auto consent = consent_for(*world_.views.snapshot(), source.source, {});
      if (!consent) return fail(store::kNoConsent, "nobody's consent lets us fetch this");
      auto token = tokens_.access(source, consent->key);
      if (!token) return forward_error(std::move(token));
      request.headers.push_back({"Authorization", "Bearer " + token->reveal()});
    }
  }
  auto answer = wire_.send(source, std::move(request));
  if (!answer) return forward_error(std::move(answer));
  if (retry_after != nullptr) {
    if (const auto said = answer->headers.only("Retry-After")) {
      *retry_after = std::chrono::seconds(std::clamp(std::atoi(std::string(*said).c_str()), 0, 3600));
    }
  }
  const int status = answer->status;
  if (std::ranges::find(source.renew_on, status) != source.renew_on.end())
    return fail("link_expired", "the link is dead");
  if (status >= 300 && status < 400) return fail("redirected", "the link leads on to somewhere else");
  if (status != 200)
    return fail(static_code(status), "the document's server refused", "status " + std::to_string(status));
  if (answer->body.empty()) return fail("empty", "the document is empty");
  if (!is_fit(member, answer->body)) return fail("wrong_type", "what came is not what should be there");
  return std::move(answer->body);
}

Result<std::string> Fetcher::fetch_anew(const SourceSettings& source, const store::DocumentUse& use) const {
  OrderId order;
  std::optional<store::Authorization> consent;
  {
    const auto snapshot = world_.views.snapshot();
    const auto row = snapshot->order(use.order);
    if (!row) return fail("not_found", "the order is not known any more");
    order = row->row.id;
    consent = consent_for(*snapshot, use.source, row->row.clinic);
  }
  if (!consent) return fail("link_expired", "the link is dead, and no consent lets us ask for a fresh one");
  std::string path = source.order_path;
  if (const auto at = path.find("{id}"); at != std::string::npos) path.replace(at, 4, percent_encoded(order.text()));
  auto answer = api_.get(source, consent->key, path);
  if (!answer) return forward_error(std::move(answer));
  const auto orders = orders_of(*in_json_api(source.order_form, std::move(answer->body)));
  if (orders.empty()) return fail("withdrawn", "the network does not show the order any more");
  const auto event = event_of(orders.front(), "", answer->at, {});
  const std::string value = orders::attribute_of(event.body, use.test, use.member);
  if (value.empty()) return fail("withdrawn", "the order names no such document any more");
  if (orders::is_link(value)) return fetch(source, value, use.member);
  return orders::bytes_of(value);
}

// All of them
// ----------------------------------------------------------------------------------------------------------

Documents::Documents(const World& world, const Fetcher& fetcher, ReadOrder read_order)
    : world_(world),
      fetcher_(fetcher),
      read_order_(std::move(read_order)),
      stored_(world.metrics.gauge("resultsync_documents", "Documents stored, and links by what became of them.",
                                  {{"state", "stored"}})),
      pending_(world.metrics.gauge("resultsync_documents", "Documents stored, and links by what became of them.",
                                   {{"state", "pending"}})),
      missing_(world.metrics.gauge("resultsync_documents", "Documents stored, and links by what became of them.",
                                   {{"state", "missing"}})),
      waiting_(world.metrics.gauge("resultsync_documents", "Documents stored, and links by what became of them.",
                                   {{"state", "waiting"}})),
      given_up_(world.metrics.gauge("resultsync_documents", "Documents stored, and links by what became of them.",
                                    {{"state", "given_up"}})),
      fetches_(world.metrics.counter("resultsync_document_fetches_total", "Attempts to fetch a document.",
                                     {{"result", "fetched"}})),
      failures_(world.metrics.counter("resultsync_document_fetches_total", "Attempts to fetch a document.",
                                      {{"result", "failed"}})) {}

Documents::~Documents() {
  stop();
}

void Documents::start(std::function<void(const Error&)> on_failure) {
  on_failure_ = std::move(on_failure);
  workers_ = std::make_unique<runtime::Workers>("documents", world_.settings.document_threads, kBatch);
  thread_ = runtime::start_thread("documents", [this](const std::stop_token& stop) { run(stop); });
}

void Documents::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void Documents::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  workers_.reset();  // what is in hand ends with the wire
}

void Documents::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const std::size_t handed = hand_out();
    show_totals();
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, handed > 0 ? std::chrono::milliseconds{20} : kLookEvery, [this] { return woken_; });
    woken_ = false;
  }
}

// One fetch for each link that is due and that nobody has in hand.
std::size_t Documents::hand_out() {
  std::vector<store::DocumentUse> due;
  {
    const auto snapshot = world_.views.snapshot();
    due = snapshot->network().due_uses(world_.clock.now(), kBatch);
  }
  std::size_t handed = 0;
  for (const store::DocumentUse& use : due) {
    {
      const std::lock_guard lock(mutex_);
      if (!in_hand_.insert(use.link).second) continue;
    }
    const bool taken = workers_->submit([this, use] {
      serve(use);
      {
        const std::lock_guard lock(mutex_);
        in_hand_.erase(use.link);
        woken_ = true;
      }
      wake_.notify_one();
    });
    if (!taken) {
      const std::lock_guard lock(mutex_);
      in_hand_.erase(use.link);
      break;
    }
    ++handed;
  }
  return handed;
}

void Documents::serve(const store::DocumentUse& use) {
  const Timestamp began = world_.clock.now();
  std::chrono::seconds retry_after{0};
  const auto outcome = obtain(use, retry_after);
  if (!outcome && outcome.error().code == "stopped") return;
  if (auto settled = settle(use, began, outcome, retry_after); !settled && on_failure_) on_failure_(settled.error());
}

Result<std::string> Documents::obtain(const store::DocumentUse& use, std::chrono::seconds& retry_after) const {
  const SourceSettings* source = settings_of(world_.settings, use.source);
  if (source == nullptr || (source->api.empty() && source->document_hosts.empty()))
    return fail("no_api", "this source has no API and no document_hosts, so its links are not fetched");
  if (use.member == sync::kWholeOrder) return read_whole(*source, use);
  auto stored = world_.log.at(use.record);
  if (!stored) return forward_error(std::move(stored));
  const std::string url = url_of(sync::in_common_form(world_.apply.common_form, stored->record), use);
  if (url.empty()) return fail("bad_url", "the event does not hold the link any more");
  auto bytes = fetcher_.fetch(*source, url, use.member, &retry_after);
  if (bytes || bytes.error().code != "link_expired") return bytes;
  return fetcher_.fetch_anew(*source, use);
}

// The order behind a thin event. What it shows is in the log before this is settled, so nothing falls between.
Result<std::string> Documents::read_whole(const SourceSettings& source, const store::DocumentUse& use) const {
  if (source.api.empty()) return fail("no_api", "this source has no API, so its orders are not read");
  std::optional<store::OrderRecord> order;
  std::optional<store::Authorization> consent;
  {
    const auto snapshot = world_.views.snapshot();
    order = snapshot->order(use.order);
    if (!order) return fail("not_found", "the order is not known any more");
    consent = consent_for(*snapshot, use.source, order->row.clinic);
  }
  if (!consent) return fail(store::kNoConsent, "nobody's consent lets us read this order");
  auto read = read_order_(source, consent->key, order->row.id, consent->clinic);
  if (!read) return forward_error(std::move(read));
  return std::string{};
}

// The outcome and all that it lets through are one transaction.
Result<void> Documents::settle(const store::DocumentUse& use, Timestamp began, const Result<std::string>& outcome,
                               std::chrono::seconds retry_after) {
  std::string sealed;
  const bool is_document = use.member != sync::kWholeOrder;
  if (outcome && is_document) sealed = store::seal_document(world_.documents, *outcome);
  std::size_t items = 0;
  {
    const auto transaction = world_.views.begin();
    // Everybody who waited for this link before the fetch began; the others may mean a newer file behind it.
    auto uses = transaction->read().network().open_uses_of(use.source, use.link);
    std::erase_if(uses, [&](const store::DocumentUse& other) { return other.received_at > began; });
    // Who consents takes up what waits for it, in a transaction like this one: nothing falls between.
    if (!outcome && outcome.error().code == store::kNoConsent && may_ask_after_all(transaction->read(), use)) return {};
    if (outcome && is_document) {
      const Sha256 name = sha256(*outcome);
      transaction->network().add_document({name, std::string(orders::sniff_media_type(*outcome)), std::ssize(*outcome),
                                           use.source, world_.clock.now(), std::move(sealed)});
    }
    for (store::DocumentUse& waiting : uses) {
      if (outcome) {
        waiting.state = State::kFetched;
        waiting.open = false;
        if (is_document) waiting.document = sha256(*outcome);
        waiting.reason.clear();
        ++waiting.tries;
      } else {
        failed(waiting, outcome.error(), retry_after);
      }
      transaction->network().save_use(waiting);
    }
    for (const store::DocumentUse& waiting : uses) {
      if (waiting.state == State::kPending) continue;
      auto told = sync::documents_settled(*transaction, world_.log, waiting.record, world_.apply, world_.clock.now());
      if (!told) return forward_error(std::move(told));
      items += *told;
    }
    if (auto committed = transaction->commit(); !committed) return committed;
  }
  (outcome ? fetches_ : failures_).add();
  if (!outcome) {
    runtime::log::debug("document.not_fetched", {{"source", use.source.text()},
                                                 {"member", use.member},
                                                 {"reason", outcome.error().code},
                                                 {"tries", use.tries + 1}});
  }
  if (items > 0) world_.feed_changed();
  return {};
}

bool Documents::may_ask_after_all(store::ViewsSnapshot& snapshot, const store::DocumentUse& use) const {
  const auto order = snapshot.order(use.order);
  return order && consent_for(snapshot, use.source, order->row.clinic);
}

void Documents::failed(store::DocumentUse& use, const Error& error, std::chrono::seconds retry_after) const {
  const Settings& settings = world_.settings;
  const Timestamp now = world_.clock.now();
  ++use.tries;
  use.reason = error.code;
  std::chrono::microseconds pause = settings.document_retry_first;
  for (int i = 1; i < use.tries && pause < settings.document_retry_most; ++i) pause *= 2;
  pause = std::min<std::chrono::microseconds>(pause, settings.document_retry_most);
  pause = std::max<std::chrono::microseconds>(pause, retry_after);
  pause += pause * static_cast<unsigned char>(runtime::random_bytes(1).front()) / 1024;
  use.next_try_at = later(now, pause);
  const Timestamp limit = later(use.received_at, settings.document_wait);
  if (use.state == State::kPending) {
    if (now >= limit) {
      use.state = State::kMissing;
      runtime::log::warning(
          "document.missing",
          {{"source", use.source.text()}, {"member", use.member}, {"reason", use.reason}, {"tries", use.tries}});
    } else {
      use.next_try_at = std::min(use.next_try_at, limit);  // so that it is told on time
    }
  }
  if (error.code == store::kNoConsent && (use.state == State::kMissing || !use.is_content)) {
    // No attempt asks anybody anything until somebody consents (Connect::conclude).
    use.open = false;
    use.state = State::kMissing;
    runtime::log::info("document.waits_for_consent", {{"source", use.source.text()}, {"member", use.member}});
  } else if (now >= later(use.received_at, settings.document_give_up)) {
    use.open = false;
    use.state = State::kMissing;
    runtime::log::error(
        "document.given_up",
        {{"source", use.source.text()}, {"member", use.member}, {"reason", use.reason}, {"tries", use.tries}});
  }
}

void Documents::show_totals() {
  const auto begun = world_.clock.monotonic();
  if (begun < totals_not_before_) return;
  const auto snapshot = world_.views.snapshot();
  const auto totals = snapshot->network().document_totals();
  if (!snapshot->status()) return;  // the gauges keep what they say; the next step is told why
  totals_not_before_ = begun + kTotalsSeldom * (world_.clock.monotonic() - begun);
  stored_.set(static_cast<double>(totals.documents));
  pending_.set(static_cast<double>(totals.pending));
  missing_.set(static_cast<double>(totals.missing));
  waiting_.set(static_cast<double>(totals.waiting));
  given_up_.set(static_cast<double>(totals.given_up));
}

}  // namespace resultsync::network
