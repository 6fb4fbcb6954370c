#include "network/reconcile.hpp"

#include <algorithm>
#include <future>
#include <thread>

#include "base/encoding.hpp"
#include "network/snapshot.hpp"
#include "orders/decode.hpp"
#include "runtime/log.hpp"

namespace resultsync::network {
namespace {

constexpr std::size_t kPagesMax = 100'000;
constexpr std::string_view kBackfill = "backfill";
constexpr std::string_view kNotCompared = "document_unavailable";  // of one order; the others can be
constexpr std::chrono::seconds kSyncPatience{60};
constexpr std::chrono::minutes kComparePatience{2};  // of one run with documents that cannot be fetched
constexpr std::chrono::milliseconds kSyncPoll{5};

bool ends_the_run(std::string_view code) {
  return code == "needs_consent" || code == "revoked" || code == "forbidden" || code == "not_found" ||
         code == "refused" || code == "foreign_address" || code == "address_refused" || code == "bad_url";
}

std::string page_path(const SourceSettings& source, std::int64_t number) {
  const std::string size = std::to_string(source.page_size);
  return source.orders_path + (source.orders_path.contains('?') ? "&" : "?") +
         "page%5Bnumber%5D=" + std::to_string(number) + "&page%5Bsize%5D=" + size;
}

// The path of the page after this one; empty on the last. A number that does not grow would never end.
std::string path_after(const SourceSettings& source, const orders::JsonBody& answer, std::int64_t number) {
  NextPage next = next_page(answer);
  if (!next.address.empty()) return std::move(next.address);
  return next.number > number ? page_path(source, next.number) : std::string{};
}

}  // namespace

Reconciler::Reconciler(const World& world, const Fetcher& fetcher, ApiClient& api)
    : world_(world),
      fetcher_(fetcher),
      api_(api),
      gaps_(world.metrics.counter("resultsync_reconciled_total",
                                  "Orders of which a reconciliation found something that had been missed.")),
      orders_(world.metrics.counter("resultsync_reconcile_orders_total",
                                    "Orders that were read from the network's API.")) {}

store::NetworkRun Reconciler::work(store::NetworkRun run, const std::stop_token& stop) {
  run.state = "running";
  run.orders_read = 0;
  const SourceSettings* source = settings_of(world_.settings, run.source);
  std::optional<store::Authorization> consent;
  {
    const auto snapshot = world_.views.snapshot();
    consent = consent_for(*snapshot, run.source, run.clinic);
  }
  Result<void> outcome =
      source == nullptr || source->api.empty() ? Result<void>(fail("refused", "this source has no API"))
      : !consent ? Result<void>(fail("needs_consent", "nobody of this clinic has given a consent that works"))
                 : read_pages(run, *source, consent->key, stop);
  if (outcome) {
    run.state = "finished";
    run.reason.clear();
  } else {
    run.reason = outcome.error().code;
    if (ends_the_run(outcome.error().code)) run.state = "failed";
    // A document that is gone for good must not keep the runs of other clinics waiting: `reason` says what is left
    // open.
    const bool in_vain = world_.clock.now().microseconds - run.started_at.microseconds >
                         std::chrono::microseconds(kComparePatience).count();
    if (outcome.error().code == kNotCompared && in_vain) run.state = "finished";
  }
  if (run.state != "running") {
    run.finished_at = world_.clock.now();
    runtime::log::info("network.run", {{"source", run.source.text()},
                                       {"clinic", run.clinic.text()},
                                       {"kind", run.kind},
                                       {"state", run.state},
                                       {"reason", run.reason},
                                       {"orders", run.orders_read},
                                       {"gaps", run.gaps}});
  }
  save(run);
  return run;
}

Result<void> Reconciler::read_pages(store::NetworkRun& run, const SourceSettings& source,
                                    store::AuthorizationKey consent, const std::stop_token& stop) {
  std::string page = page_path(source, 1);
  Result<void> outcome;
  for (std::size_t pages = 0; !page.empty() && pages < kPagesMax; ++pages) {
    if (stop.stop_requested()) return fail("stopped", "the server is stopping");
    const Sequence asked_at = world_.log.end();
    auto answer = api_.get(source, consent, page);
    if (!answer) return forward_error(std::move(answer));
    const auto body = in_json_api(source.order_form, std::move(answer->body));
    run.orders_total = std::max(run.orders_total, count_of(*body));
    wait_for_sync();  // what has been received already is no gap
    for (const OrderSnapshot& order : orders_of(*body)) {
      if (stop.stop_requested()) return fail("stopped", "the server is stopping");
      ++run.orders_read;
      orders_.add();
      const bool too_old =
          run.since.microseconds != 0 && order.submitted != orders::kNoTime && order.submitted < run.since;
      if (too_old) continue;
      const bool is_whole = source.order_form == OrderForm::kJsonApi;
      auto missed =
          is_whole ? apply(source, order, answer->at, asked_at) : read_order(source, consent, order.id, run.clinic);
      // The links of a page die while it is worked through: fresh ones come with the order itself.
      if (!missed && missed.error().code == kNotCompared && missed.error().cause == "link_expired")
        missed = read_order(source, consent, order.id, run.clinic);
      // It was there when the list was made, or it waits for what was read before: the next run sees what is left.
      if (!missed && (missed.error().code == "not_found" || missed.error().code == "not_yet")) continue;
      if (!missed && missed.error().code == kNotCompared) {
        outcome = std::unexpected(std::move(missed).error());  // it holds up no other order; the run is made again
        continue;
      }
      if (!missed) return forward_error(std::move(missed));
      if (!*missed) continue;
      ++run.gaps;
      if (run.kind != kBackfill) gaps_.add();  // nothing was missed of what came before there was a connection
    }
    run.orders_total = std::max(run.orders_total, run.orders_read);
    save(run);
    page = path_after(source, *body, static_cast<std::int64_t>(pages) + 1);
  }
  return outcome;
}

Result<bool> Reconciler::read_order(const SourceSettings& source, store::AuthorizationKey consent, const OrderId& order,
                                    const ClinicId& clinic) {
  std::string path = source.order_path;
  if (const auto at = path.find("{id}"); at != std::string::npos) path.replace(at, 4, percent_encoded(order.text()));
  const Sequence asked_at = world_.log.end();
  auto answer = api_.get(source, consent, path);
  if (!answer) return forward_error(std::move(answer));
  const auto body = in_json_api(source.order_form, std::move(answer->body));
  wait_for_sync();
  {
    const auto snapshot = world_.views.snapshot();
    const auto known = snapshot->order(source.source, order);
    if (known && snapshot->network().has_pending_documents(known->row.key))
      return fail("not_yet", "what was read of this order before is still being fetched");
  }
  for (OrderSnapshot& read : orders_of(*body)) {
    if (read.id != order) continue;
    if (source.order_form == OrderForm::kFullscript) read.clinic = clinic;
    return apply(source, read, answer->at, asked_at);
  }
  return fail("bad_response", "the network's answer does not hold the order that was asked for");
}

// True if the order showed something new, which is then in the log.
Result<bool> Reconciler::apply(const SourceSettings& source, const OrderSnapshot& order, Timestamp read_at,
                               Sequence asked_at) {
  std::optional<store::OrderRecord> known;
  bool pending = false;
  {
    const auto snapshot = world_.views.snapshot();
    known = snapshot->order(source.source, order.id);
    pending = known && snapshot->network().has_pending_documents(known->row.key);
    if (auto status = snapshot->status(); !status) return forward_error(std::move(status));
  }
  if (pending) return false;  // its documents are on their way: what they say is not known yet
  // S2: an event that came since the network was asked may be newer than what was read, which would be put behind it.
  if (known && std::ranges::any_of(known->history.points,
                                   [&](const orders::OrderPoint& point) { return point.record > asked_at; }))
    return false;
  const bool has_history = known && !known->history.points.empty();
  const auto event = event_of(order, source.event_type, read_at,
                              has_history ? known->history.latest().key : orders::EventKey{orders::kNoTime, {}});
  if (has_history) {
    auto news = is_news(source, *known, event.body);
    if (!news || !*news) return news;
  }
  std::promise<Result<Sequence>> committed;
  store::Record record{.source = source.source,
                       .received_at = world_.clock.now(),
                       .stale = false,
                       .headers = {{std::string(sync::kOriginHeader), std::string(sync::kReconciled)}},
                       .body_sha256 = sha256(event.body),
                       .body = event.body,
                       .same_body_as = {}};
  world_.log.append(std::move(record), [&](Result<Sequence> sequence) { committed.set_value(std::move(sequence)); });
  auto sequence = committed.get_future().get();
  if (!sequence) return forward_error(std::move(sequence));
  return true;
}

// Contents are compared by the bytes of their documents, so what is a link is fetched first.
Result<bool> Reconciler::is_news(const SourceSettings& source, const store::OrderRecord& known,
                                 const std::string& body) const {
  // What nothing is known of is news whatever its documents hold.
  const orders::Event shown = orders::decode_event(body, sha256(body));
  if (!shown.order) return false;
  const bool is_first = std::ranges::any_of(shown.order->tests, [&](const orders::OrderedTest& test) {
    const orders::TestHistory* known_test = known.history.test(test.id);
    return test.has_content && (known_test == nullptr || known_test->points.empty());
  });
  if (is_first || known.history.latest().status != shown.order->status) return true;
  orders::LinkedDocuments documents;
  for (const orders::Link& link : orders::links_of(body)) {
    if (!link.is_content) continue;
    auto bytes = fetcher_.fetch(source, link.url, link.member);
    for (int tries = 1; !bytes && tries < 4; ++tries) bytes = fetcher_.fetch(source, link.url, link.member);
    // What cannot be fetched now cannot be compared: the next run will.
    if (!bytes) return fail(kNotCompared, "a document could not be compared", std::string(bytes.error().code));
    documents.push_back({link.test, link.member, orders::LinkedDocument::State::kFetched, sha256(*bytes)});
  }
  const orders::Event event = orders::decode_event(body, sha256(body), documents);
  return event.order && shows_news(known.history, *event.order);
}

void Reconciler::wait_for_sync() const {
  const Sequence end = world_.log.end();
  const auto patience = world_.clock.monotonic() + kSyncPatience;
  while (world_.applied() < end && world_.clock.monotonic() < patience) std::this_thread::sleep_for(kSyncPoll);
}

void Reconciler::save(const store::NetworkRun& run) {
  const auto transaction = world_.views.begin();
  transaction->network().save_run(run);
  if (auto committed = transaction->commit(); !committed) {
    runtime::log::error("network.run_not_saved", {{"code", committed.error().code}});
  }
}

}  // namespace resultsync::network
