#include "delivery/endpoints.hpp"

#include <limits>

#include "base/encoding.hpp"
#include "delivery/ids.hpp"
#include "http/client.hpp"
#include "runtime/random.hpp"

namespace resultsync::delivery {
namespace {

using store::EndpointState;

constexpr std::uint16_t kPortsFrom = 1024;  // below, only 443 and 80: as the outbound client has it

std::unexpected<Error> not_found() {
  return fail("not_found", "there is no such endpoint");
}
std::unexpected<Error> not_enabled(const store::EndpointRow& row) {
  return fail("endpoint_not_enabled", "the endpoint is " + std::string(name_of(row.state)) + "; resume it first");
}

bool takes_items(const store::EndpointRow& row) {
  return row.state == EndpointState::kEnabled || row.state == EndpointState::kPaused;
}

void set_state(store::EndpointRow& row, EndpointState state, const std::string& reason, Timestamp now) {
  row.state = state;
  row.state_reason = reason;
  row.state_since = now;
}

void sweep(store::ViewsTransaction& transaction, store::EndpointRow& row, store::DeliveryState to,
           const std::string& reason) {
  row.sweep = {transaction.deliveries().read().last_delivery(), to, reason};
}

}  // namespace

Result<void> Destinations::check(const std::string& url) const {
  const auto parsed = http::parse_url(url);
  if (!parsed) return fail("bad_url", "this is no URL that webhooks can be sent to", parsed.error().text());
  if (parsed->scheme != "https" && !allow_http)
    return fail("bad_url", "webhooks are sent by https only", "delivery.allow_http = true allows http");
  const auto address = http::IpAddress::parse(parsed->host);
  if (!address) return {};
  const bool usual = parsed->port >= kPortsFrom || parsed->port == 443 || (parsed->port == 80 && allow_http);
  return policy.check({parsed->host, parsed->port, usual}, *address);
}

Result<void> Endpoints::apply(const EndpointChange& change, store::EndpointRow& row) const {
  if (change.url) {
    if (auto checked = destinations_.check(*change.url); !checked) return checked;
    row.url = vault_.seal(kUrlPurpose, *change.url);
  }
  if (change.description) row.description = *change.description;
  if (change.practitioners) row.filter.practitioners = *change.practitioners;
  if (change.clinics) row.filter.clinics = *change.clinics;
  if (change.types) row.filter.types = *change.types;
  if (change.statuses) row.filter.statuses = *change.statuses;
  if (change.payload) row.payload = *change.payload;
  if (change.ordered) row.ordered = *change.ordered;
  if (change.rate) row.rate = *change.rate;
  if (change.concurrency) row.concurrency = *change.concurrency;
  return {};
}

Result<Endpoints::Created> Endpoints::create(const NewEndpoint& wanted, Timestamp now) {
  Created created;
  store::EndpointRow& row = created.row;
  row.id = "ep_" + encode_hex(runtime::random_bytes(10));
  row.reach = wanted.reach;
  row.created_at = row.state_since = row.health_since = now;
  if (auto applied = apply(wanted.settings, row); !applied) return forward_error(std::move(applied));
  EndpointSecrets secrets;
  secrets.current.push_back(new_hmac_secret());
  if (wanted.ed25519) secrets.current.push_back(new_ed25519_secret());
  row.secrets = vault_.seal(kSecretsPurpose, secrets.text().reveal());
  created.secrets = {secrets.current.front(), delivery::public_key_of(secrets.current.back())};

  const auto transaction = views_.begin();
  if (transaction->deliveries().read().endpoints({}).size() >= kEndpointsMax)
    return fail("too_many_endpoints", "there are 1000 endpoints already");
  row.key = transaction->deliveries().add_endpoint(row);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  changed_();
  return created;
}

Result<store::EndpointRow> Endpoints::edit(const std::string& id, store::Reach reach, const Edit& edit) {
  const auto transaction = views_.begin();
  auto row = transaction->deliveries().read().endpoint(id, reach);
  if (auto status = transaction->read().status(); !status) return forward_error(std::move(status));
  if (!row) return not_found();
  if (auto edited = edit(*transaction, *row); !edited) return forward_error(std::move(edited));
  transaction->deliveries().save_endpoint(*row);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  changed_();
  return std::move(*row);
}

Result<store::EndpointRow> Endpoints::change(const std::string& id, store::Reach reach, const EndpointChange& change) {
  return edit(id, reach, [&](store::ViewsTransaction&, store::EndpointRow& row) { return apply(change, row); });
}

Result<EndpointSecrets> Endpoints::secrets_of(const store::EndpointRow& row) const {
  auto text = vault_.open(kSecretsPurpose, row.secrets);
  if (!text) return forward_error(std::move(text));
  return EndpointSecrets::parse(Secret<std::string>(std::move(*text)));
}

Result<NewSecrets> Endpoints::rotate(const std::string& id, store::Reach reach, std::chrono::seconds overlap,
                                     Timestamp now) {
  NewSecrets fresh;
  auto edited = edit(id, reach, [&](store::ViewsTransaction&, store::EndpointRow& row) -> Result<void> {
    auto secrets = secrets_of(row);
    if (!secrets) return forward_error(std::move(secrets));
    EndpointSecrets next;
    next.current.push_back(new_hmac_secret());
    if (secrets->has_ed25519()) next.current.push_back(new_ed25519_secret());
    if (overlap.count() > 0) next.previous = secrets->current;
    fresh = {next.current.front(), delivery::public_key_of(next.current.back())};
    row.secrets = vault_.seal(kSecretsPurpose, next.text().reveal());
    row.previous_until = overlap.count() > 0
                             ? Timestamp{now.microseconds + Timestamp::from_seconds(overlap.count()).microseconds}
                             : Timestamp{};
    return {};
  });
  if (!edited) return forward_error(std::move(edited));
  return fresh;
}

Result<store::EndpointRow> Endpoints::pause(const std::string& id, store::Reach reach, const std::string& reason,
                                            Timestamp now) {
  return edit(id, reach, [&](store::ViewsTransaction&, store::EndpointRow& row) -> Result<void> {
    if (row.state == EndpointState::kDisabled) return not_enabled(row);
    set_state(row, EndpointState::kPaused, reason, now);
    return {};
  });
}

Result<store::EndpointRow> Endpoints::resume(const std::string& id, store::Reach reach,
                                             const std::optional<std::string>& skip_reason, Timestamp now) {
  return edit(id, reach, [&](store::ViewsTransaction& transaction, store::EndpointRow& row) -> Result<void> {
    set_state(row, EndpointState::kEnabled, "", now);
    row.failing = false;  // whoever resumes it says that it is well again
    row.health_since = now;
    row.breaker_until = {};
    row.dead_told = false;
    if (skip_reason) sweep(transaction, row, store::DeliveryState::kSkipped, *skip_reason);
    return {};
  });
}

Result<store::EndpointRow> Endpoints::disable(const std::string& id, store::Reach reach, const std::string& reason,
                                              Timestamp now) {
  return edit(id, reach, [&](store::ViewsTransaction& transaction, store::EndpointRow& row) -> Result<void> {
    set_state(row, EndpointState::kDisabled, reason, now);
    sweep(transaction, row, store::DeliveryState::kDead, "endpoint_disabled");
    return {};
  });
}

Result<void> Endpoints::remove(const std::string& id, store::Reach reach, Timestamp now) {
  auto edited = edit(id, reach, [&](store::ViewsTransaction& transaction, store::EndpointRow& row) -> Result<void> {
    set_state(row, EndpointState::kDeleted, "", now);
    row.secrets.clear();
    row.url.clear();
    sweep(transaction, row, store::DeliveryState::kSkipped, "endpoint_deleted");
    return {};
  });
  if (!edited) return forward_error(std::move(edited));
  return {};
}

Result<store::DeliveryRow> Endpoints::test(const std::string& id, store::Reach reach, Timestamp now) {
  store::DeliveryRow sent;
  auto edited = edit(id, reach, [&](store::ViewsTransaction& transaction, store::EndpointRow& row) -> Result<void> {
    if (row.state != EndpointState::kEnabled) return not_enabled(row);
    sent = transaction.deliveries().add(row.key, "endpoint.test", R"({"endpoint_id":")" + row.id + R"("})", now);
    return {};
  });
  if (!edited) return forward_error(std::move(edited));
  return sent;
}

Result<void> Endpoints::retry(const std::string& delivery_id, store::Reach reach) {
  const auto name = parse_delivery_id(delivery_id);
  if (!name) return not_found();
  const auto transaction = views_.begin();
  auto& deliveries = transaction->deliveries();
  const auto view = deliveries.read().delivery(name->key, name->nonce, reach);
  if (auto status = transaction->read().status(); !status) return status;
  if (!view) return not_found();
  const auto endpoint = deliveries.read().endpoint(view->endpoint_id, reach);
  if (!endpoint) return not_found();
  if (!takes_items(*endpoint)) return not_enabled(*endpoint);
  if (!deliveries.retry(name->key)) return fail("not_dead", "only a dead or skipped delivery can be sent again");
  if (auto committed = transaction->commit(); !committed) return committed;
  changed_();
  return {};
}

Result<store::Job> Endpoints::retry_all(const RetryAll& wanted, store::Reach reach, Timestamp now) {
  store::Job job;
  job.kind = store::Job::Kind::kRetry;
  job.reach = reach;
  job.since = wanted.since;
  job.until = wanted.until;
  job.rate = wanted.rate;
  job.created_at = now;
  const auto transaction = views_.begin();
  auto& deliveries = transaction->deliveries();
  if (wanted.endpoint) {
    const auto endpoint = deliveries.read().endpoint(*wanted.endpoint, reach);
    if (auto status = transaction->read().status(); !status) return forward_error(std::move(status));
    if (!endpoint) return not_found();
    if (!takes_items(*endpoint)) return not_enabled(*endpoint);
    job.endpoint = endpoint->key;
  }
  job.total = deliveries.read().count_dead(job);
  if (wanted.dry_run) {
    if (auto status = transaction->read().status(); !status) return forward_error(std::move(status));
    return job;
  }
  job.key = deliveries.add_job(job);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  changed_();
  return job;
}

Result<store::Job> Endpoints::replay(const Replay& wanted, store::Reach reach, Timestamp now) {
  store::Job job;
  job.kind = store::Job::Kind::kReplay;
  job.reach = reach;
  job.since = wanted.range.since;
  job.until = wanted.range.until;
  job.rate = wanted.range.rate;
  job.created_at = now;
  const auto prepare = [&](store::ViewsSnapshot& read) -> Result<store::EndpointRow> {
    auto endpoint = read.deliveries().endpoint(wanted.endpoint, reach);
    if (auto status = read.status(); !status) return forward_error(std::move(status));
    if (!endpoint) return not_found();
    if (!takes_items(*endpoint)) return not_enabled(*endpoint);
    job.endpoint = endpoint->key;
    if (wanted.range.practitioner) {
      const auto practitioner = read.practitioner(*wanted.range.practitioner, reach);
      if (!practitioner) return fail("unknown_practitioner", "no practitioner is connected under this id");
      job.practitioner = practitioner->key;
    }
    job.total = read.deliveries().count_items(job, *endpoint);
    if (auto status = read.status(); !status) return forward_error(std::move(status));
    return std::move(*endpoint);
  };
  {  // counting may take a while: not in the writer's turn
    const auto snapshot = views_.snapshot();
    if (auto prepared = prepare(*snapshot); !prepared) return forward_error(std::move(prepared));
  }
  if (wanted.dry_run) return job;
  const auto transaction = views_.begin();
  job.key = transaction->deliveries().add_job(job);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  changed_();
  return job;
}

Result<store::Job> Endpoints::cancel(const std::string& id, store::Reach reach, Timestamp now) {
  const auto key = parse_job_id(id);
  if (!key) return not_found();
  const auto transaction = views_.begin();
  auto job = transaction->deliveries().read().job(*key, reach);
  if (auto status = transaction->read().status(); !status) return forward_error(std::move(status));
  if (!job) return not_found();
  if (job->state != store::Job::State::kRunning) return fail("not_running", "the job has ended already");
  job->state = store::Job::State::kCancelled;
  job->ended_at = now;
  transaction->deliveries().save_job(*job);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  changed_();
  return std::move(*job);
}

Result<std::string> Endpoints::url_of(const store::EndpointRow& row) const {
  return vault_.open(kUrlPurpose, row.url);
}

Result<std::string> Endpoints::public_key_of(const store::EndpointRow& row) const {
  const auto secrets = secrets_of(row);
  if (!secrets) return std::unexpected(secrets.error());
  return delivery::public_key_of(secrets->current.back());
}

std::string Endpoints::answer_of(const store::AttemptRow& attempt) const {
  return vault_.open(kAnswerPurpose, attempt.response).value_or("");
}

}  // namespace resultsync::delivery
