#include "network/network.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "runtime/log.hpp"
#include "sync/issue.hpp"

namespace resultsync::network {
namespace {

constexpr std::chrono::milliseconds kLookEvery{1'000};
constexpr std::chrono::seconds kRunRetry{5};
constexpr std::chrono::seconds kDirectoryEvery{2};
constexpr std::chrono::seconds kSilenceEvery{300};
constexpr std::chrono::minutes kAskAgain{10};  // for a practitioner's clinic that could not be learned
constexpr std::size_t kPractitionersAtOnce = 50;
constexpr std::size_t kAskedMax = 10'000;

}  // namespace

Result<std::unique_ptr<Network>> Network::open(World world, std::string instance) {
  auto wire = Wire::open(world.settings);
  if (!wire) return forward_error(std::move(wire));
  return std::unique_ptr<Network>(new Network(std::move(world), std::move(*wire), std::move(instance)));
}

Network::Network(World world, std::unique_ptr<Wire> wire, std::string instance)
    : world_(std::move(world)),
      wire_(std::move(wire)),
      tokens_(world_.views, world_.tokens, *wire_, world_.clock, std::move(instance)),
      api_(world_.settings, *wire_, tokens_, world_.clock),
      fetcher_(world_, *wire_, tokens_, api_),
      documents_(world_, fetcher_,
                 [this](const SourceSettings& source, store::AuthorizationKey consent, const OrderId& order,
                        const ClinicId& clinic) { return reconciler_.read_order(source, consent, order, clinic); }),
      reconciler_(world_, fetcher_, api_),
      connect_(world_, tokens_, api_, [this] { wake(); }),
      patients_(world_, api_) {}

Network::~Network() {
  stop();
}

void Network::start(std::function<void(const Error&)> on_failure) {
  on_failure_ = on_failure;
  documents_.start(std::move(on_failure));
  thread_ = runtime::start_thread("network", [this](const std::stop_token& stop) { run(stop); });
}

void Network::stop() {
  if (std::exchange(stopped_, true)) return;
  thread_.request_stop();
  api_.stop();
  wire_->stop();
  if (thread_.joinable()) thread_.join();
  documents_.stop();
  connect_.stop();
}

void Network::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void Network::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    refresh_ahead();
    plan_runs();
    work_on_runs(stop);
    look_up_clinics(stop);
    listen_for_silence();
    show_consents();
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kLookEvery, [this] { return woken_; });
    woken_ = false;
  }
}

void Network::work_on_runs(const std::stop_token& stop) {
  while (!stop.stop_requested() && world_.clock.monotonic() >= run_not_before_) {
    std::optional<store::NetworkRun> next;
    {
      const auto snapshot = world_.views.snapshot();
      next = snapshot->network().next_run();
    }
    if (!next) return;
    const auto run = reconciler_.work(std::move(*next), stop);
    if (run.state == "running") run_not_before_ = world_.clock.monotonic() + kRunRetry;  // the network fails just now
  }
}

// S6: the directory says where practitioners work whose events did not.
void Network::look_up_clinics(const std::stop_token& stop) {
  if (world_.clock.monotonic() < directory_not_before_) return;
  directory_not_before_ = world_.clock.monotonic() + kDirectoryEvery;
  if (asked_.size() > kAskedMax) asked_.clear();
  for (const SourceSettings& source : world_.settings.sources) {
    if (source.api.empty() || source.practitioner_path.empty()) continue;
    std::vector<PractitionerId> unknown;
    std::vector<store::Authorization> consents;
    {
      const auto snapshot = world_.views.snapshot();
      unknown = snapshot->network().practitioners_without_clinic(source.source, kPractitionersAtOnce);
      if (unknown.empty()) continue;
      consents = snapshot->network().authorizations();
    }
    std::erase_if(consents, [&](const store::Authorization& row) {
      return row.source != source.source || row.state != store::ConsentState::kConnected;
    });
    for (const PractitionerId& practitioner : unknown) {
      if (stop.stop_requested() || consents.empty()) break;
      const auto asked = asked_.find({source.source, practitioner});
      if (asked != asked_.end() && world_.clock.monotonic() - asked->second < kAskAgain) continue;
      asked_[{source.source, practitioner}] = world_.clock.monotonic();
      std::string path = source.practitioner_path;
      if (const auto at = path.find("{id}"); at != std::string::npos)
        path.replace(at, 4, percent_encoded(practitioner.text()));
      for (const store::Authorization& consent : consents) {
        const auto answer = api_.get(source, consent.key, path);
        if (!answer) continue;
        simdjson::dom::element found;
        if (!answer->body->root() ||
            answer->body->root()->at_pointer(source.clinic_pointer).get(found) != simdjson::SUCCESS)
          continue;
        const ClinicId clinic(orders::id_text(found));
        if (clinic.empty()) continue;
        const auto transaction = world_.views.begin();
        std::size_t items = 0;
        if (transaction->learn_clinic(source.source, {practitioner, clinic}, store::Witness::kConnection)) {
          const Timestamp now = world_.clock.now();
          for (const auto key : transaction->read().orders_without_clinic(source.source, practitioner)) {
            if (auto order = transaction->read().order(key))
              items += sync::settle_and_issue(*transaction, *order, {}, now).items;
          }
        }
        if (auto committed = transaction->commit(); !committed) return on_failure_(committed.error());
        runtime::log::info(
            "network.clinic_learned",
            {{"source", source.source.text()}, {"clinic", clinic.text()}, {"items", std::uint64_t{items}}});
        if (items > 0) world_.feed_changed();
        break;
      }
    }
  }
}

// Tokens are refreshed before they expire, also when nobody asks anything; and what fails is tried again.
void Network::refresh_ahead() {
  std::vector<store::Authorization> rows;
  {
    const auto snapshot = world_.views.snapshot();
    rows = snapshot->network().authorizations();
  }
  for (const store::Authorization& row : rows) {
    if (row.state != store::ConsentState::kConnected && row.state != store::ConsentState::kFailing) continue;
    const SourceSettings* source = settings_of(world_.settings, row.source);
    if (source != nullptr) (void)tokens_.access(*source, row.key);
  }
}

void Network::plan_runs() {
  if (world_.settings.reconcile_every.count() == 0) return;
  const Timestamp now = world_.clock.now();
  std::vector<store::NetworkRun> due;
  {
    const auto snapshot = world_.views.snapshot();
    for (const store::Authorization& row : snapshot->network().authorizations()) {
      if (row.state != store::ConsentState::kConnected) continue;
      const bool planned = std::ranges::any_of(
          due, [&](const store::NetworkRun& run) { return run.source == row.source && run.clinic == row.clinic; });
      const auto last = snapshot->network().last_run(row.source, row.clinic);
      const bool open = last && (last->state == "waiting" || last->state == "running");
      const auto every = std::chrono::microseconds(world_.settings.reconcile_every).count();
      if (planned || open || (last && last->finished_at.microseconds + every > now.microseconds)) continue;
      store::NetworkRun run;
      run.source = row.source;
      run.app_practitioner = row.app_practitioner;
      run.clinic = row.clinic;
      run.kind = "scheduled";
      run.state = "waiting";
      run.since = {now.microseconds - std::chrono::microseconds(world_.settings.reconcile_window).count()};
      run.started_at = now;
      due.push_back(std::move(run));
    }
  }
  if (due.empty()) return;
  const auto transaction = world_.views.begin();
  for (const auto& run : due) transaction->network().add_run(run);
  if (auto committed = transaction->commit(); !committed) on_failure_(committed.error());
}

void Network::listen_for_silence() {
  if (world_.clock.monotonic() < silence_not_before_) return;
  std::vector<SilentClinic> silent;
  {
    const auto snapshot = world_.views.snapshot();
    const auto all_read = silence_.read_on(*snapshot);
    if (!all_read || !*all_read) return;  // next time
    auto clinics = silence_.clinics(*snapshot, world_.clock.now());
    if (!clinics) return;
    silent = std::move(*clinics);
  }
  silence_not_before_ = world_.clock.monotonic() + kSilenceEvery;
  for (const SourceSettings& source : world_.settings.sources) {
    const auto count = std::ranges::count(silent, source.source, &SilentClinic::source);
    world_.metrics
        .gauge("resultsync_silent_clinics", "Connected clinics that are quieter than their own history.",
               {{"source", source.source.text()}})
        .set(static_cast<double>(count));
  }
  const std::lock_guard lock(mutex_);
  silent_ = std::move(silent);
}

void Network::show_consents() {
  std::map<std::pair<std::string, std::string>, int> counts;
  for (const SourceSettings& source : world_.settings.sources) {
    for (const auto state : {store::ConsentState::kConnected, store::ConsentState::kNeedsConsent,
                             store::ConsentState::kRevoked, store::ConsentState::kFailing}) {
      counts[{source.source.text(), std::string(store::name_of(state))}] = 0;
    }
  }
  {
    const auto snapshot = world_.views.snapshot();
    for (const auto& row : snapshot->network().authorizations())
      ++counts[{row.source.text(), std::string(store::name_of(row.state))}];
  }
  for (const auto& [key, count] : counts) {
    world_.metrics
        .gauge("resultsync_consents", "Practitioners' consents, by state.",
               {{"source", key.first}, {"state", key.second}})
        .set(count);
  }
}

std::vector<SilentClinic> Network::silent_clinics() const {
  const std::lock_guard lock(mutex_);
  return silent_;
}

Result<std::size_t> Network::disconnect(const AppPractitionerId& practitioner, const std::optional<SourceId>& source) {
  std::vector<store::Authorization> rows;
  {
    const auto snapshot = world_.views.snapshot();
    rows = snapshot->network().authorizations_of(practitioner);
  }
  std::size_t ended = 0;
  for (const store::Authorization& row : rows) {
    if ((source && row.source != *source) || row.state == store::ConsentState::kRevoked) continue;
    const SourceSettings* settings = settings_of(world_.settings, row.source);
    if (settings == nullptr) continue;
    if (auto revoked = tokens_.revoke(*settings, row.key); !revoked) return forward_error(std::move(revoked));
    ++ended;
  }
  return ended;
}

Result<std::vector<store::NetworkRun>> Network::reconcile(const ReconcileRequest& request, std::string kind) {
  std::vector<store::NetworkRun> runs;
  {
    const auto transaction = world_.views.begin();
    for (const store::Authorization& row : transaction->read().network().authorizations()) {
      if (row.state == store::ConsentState::kRevoked || (request.source && row.source != *request.source)) continue;
      if (std::ranges::any_of(
              runs, [&](const store::NetworkRun& run) { return run.source == row.source && run.clinic == row.clinic; }))
        continue;
      store::NetworkRun run;
      run.source = row.source;
      run.app_practitioner = row.app_practitioner;
      run.clinic = row.clinic;
      run.kind = kind;
      run.state = "waiting";
      run.since = request.since;
      run.started_at = world_.clock.now();
      run.key = transaction->network().add_run(run);
      runs.push_back(std::move(run));
    }
    if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  }
  wake();
  return runs;
}

Result<store::Retried> Network::retry_documents(const store::MissingFilter& filter) {
  const auto transaction = world_.views.begin();
  const store::Retried retried = transaction->network().retry_missing(filter, world_.clock.now());
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  documents_.wake();
  return retried;
}

Result<Network::Intent> Network::order_intent(const SourceId& source, const AppPractitionerId& practitioner,
                                              std::string body) {
  const SourceSettings* settings = settings_of(world_.settings, source);
  if (settings == nullptr || settings->api.empty())
    return fail("no_api", "this source has no API in the configuration");
  if (settings->order_intents_path.empty()) return fail("no_api", "this source takes no order intents");
  std::optional<store::Authorization> consent;
  {
    const auto snapshot = world_.views.snapshot();
    consent = snapshot->network().authorization(source, practitioner);
  }
  if (!consent) return fail("needs_consent", "the practitioner has given no consent yet");
  auto answer = api_.post(*settings, consent->key, settings->order_intents_path, std::move(body));
  if (!answer) return forward_error(std::move(answer));
  const auto data = orders::member(answer->body->root(), "data");
  const auto attributes = orders::member(data ? data : answer->body->root(), "attributes");
  Intent intent;
  intent.id = orders::id_text(orders::member(data ? data : answer->body->root(), "id"));
  for (const auto& place : {attributes, data, answer->body->root()}) {  // JSON:API, or the flat form of rupa-js
    for (const char* name : {"checkout_url", "redirect_url"}) {
      if (intent.checkout_url.empty()) intent.checkout_url = orders::text_of(orders::member(place, name));
    }
  }
  if (intent.id.empty() || intent.checkout_url.empty())
    return fail("bad_response", "the network's answer names no checkout address");
  return intent;
}

}  // namespace resultsync::network
