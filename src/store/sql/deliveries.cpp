#include "store/sql/deliveries.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/random.hpp"
#include "store/sql/rows.hpp"

namespace resultsync::store::sql {
namespace {

// Endpoints
// ----------------------------------------------------------------------------------------------------------------------

#define ENDPOINT_COLUMNS                                                                                             \
  "endpoint_key, endpoint_id, url, secrets, description, state, state_reason, state_since, practitioners, clinics, " \
  "types, statuses, payload, ordered, rate, concurrency, reach, created_at, previous_until, health, health_since, "  \
  "breaker_until, dead_told, sweep_through, sweep_to, sweep_reason"

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string as_lines(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : "\n") + value;
  return text;
}

EndpointState endpoint_state_named(std::string_view name) {
  using enum EndpointState;
  for (const EndpointState state : {kEnabled, kPaused, kDisabled, kDeleted}) {
    if (name_of(state) == name) return state;
  }
  return kDisabled;
}

EndpointRow endpoint_row(const Query& query) {
  EndpointRow row;
  row.key = EndpointKey{query.integer(0)};
  row.id = query.text(1);
  row.url = query.blob(2);
  row.secrets = query.blob(3);
  row.description = query.text(4);
  row.state = endpoint_state_named(query.text(5));
  row.state_reason = query.text(6);
  row.state_since = Timestamp{query.integer(7)};
  row.filter = {lines_of(query.text(8)), lines_of(query.text(9)), lines_of(query.text(10)), lines_of(query.text(11))};
  row.payload = query.text(12) == name_of(PayloadForm::kFull) ? PayloadForm::kFull : PayloadForm::kThin;
  row.ordered = query.boolean(13);
  row.rate = query.integer(14);
  row.concurrency = query.integer(15);
  row.reach = Reach{query.integer(16)};
  row.created_at = Timestamp{query.integer(17)};
  row.previous_until = Timestamp{query.integer(18)};
  row.failing = query.text(19) == "failing";
  row.health_since = Timestamp{query.integer(20)};
  row.breaker_until = Timestamp{query.integer(21)};
  row.dead_told = query.boolean(22);
  row.sweep = {DeliveryKey{query.integer(23)}, delivery_state_named(query.text(24)).value_or(DeliveryState::kSkipped),
               query.text(25)};
  return row;
}

std::vector<EndpointRow> endpoint_rows(Query&& query) {
  std::vector<EndpointRow> rows;
  while (query.next()) rows.push_back(endpoint_row(query));
  return rows;
}

// Deliveries
// ---------------------------------------------------------------------------------------------------------------------

#define DELIVERY_COLUMNS_OF(T)                                                                                         \
  T "delivery_key, " T "nonce, " T "endpoint_key, " T "type, " T "practitioner_key, " T "position, " T "order_key, " T \
    "note, " T "replay, " T "state, " T "reason, " T "attempts, " T "attempted, " T "tries, " T "next_at, " T          \
    "fence, " T "lease_until, " T "last_status, " T "created_at, " T "ended_at"
#define DELIVERY_COLUMNS DELIVERY_COLUMNS_OF("d.")
constexpr int kDeliveryColumns = 20;

DeliveryRow delivery_row(const Query& query) {
  DeliveryRow row;
  row.key = DeliveryKey{query.integer(0)};
  row.nonce = query.integer(1);
  row.endpoint = EndpointKey{query.integer(2)};
  row.type = query.text(3);
  row.practitioner = PractitionerKey{query.integer(4)};
  row.position = query.integer(5);
  row.order = OrderKey{query.integer(6)};
  row.note = query.text(7);
  row.replay = query.boolean(8);
  row.state = delivery_state_named(query.text(9)).value_or(DeliveryState::kPending);
  row.reason = query.text(10);
  row.attempts = query.integer(11);
  row.attempted = query.boolean(12);
  row.tries = query.integer(13);
  row.next_at = Timestamp{query.integer(14)};
  row.fence = query.integer(15);
  row.lease_until = Timestamp{query.integer(16)};
  row.last_status = query.integer(17);
  row.created_at = Timestamp{query.integer(18)};
  if (!query.is_null(19)) row.ended_at = Timestamp{query.integer(19)};
  return row;
}

std::vector<DeliveryRow> delivery_rows(Query&& query) {
  std::vector<DeliveryRow> rows;
  while (query.next()) rows.push_back(delivery_row(query));
  return rows;
}

// What a paused endpoint has not sent yet is held, as far as anybody who asks is concerned.
#define SHOWN_STATE "CASE WHEN d.state = 'pending' AND e.state = 'paused' THEN 'held' ELSE d.state END"

#define DELIVERY_VIEWS                                                                                    \
  "SELECT " DELIVERY_COLUMNS ", e.endpoint_id, e.state, " SHOWN_STATE                                     \
  ", coalesce(p.app_id, ''), coalesce(o.source, ''), coalesce(o.order_id, ''), coalesce(n.test_id, ''), " \
  "coalesce(n.version, 0) FROM deliveries d JOIN endpoints e ON e.endpoint_key = d.endpoint_key "         \
  "LEFT JOIN practitioners p ON p.practitioner_key = d.practitioner_key "                                 \
  "LEFT JOIN feed f ON f.practitioner_key = d.practitioner_key AND f.position = d.position "              \
  "LEFT JOIN entries n ON n.entry_key = f.entry_key LEFT JOIN orders o ON o.order_key = d.order_key "

DeliveryView delivery_view(const Query& query) {
  DeliveryView view;
  view.row = delivery_row(query);
  view.endpoint_id = query.text(kDeliveryColumns);
  view.endpoint_state = endpoint_state_named(query.text(kDeliveryColumns + 1));
  if (query.text(kDeliveryColumns + 2) != name_of(view.row.state)) {
    view.row.state = DeliveryState::kHeld;
    view.row.reason = "endpoint_paused";
  }
  view.app_practitioner = query.text(kDeliveryColumns + 3);
  view.source = query.text(kDeliveryColumns + 4);
  view.order_id = query.text(kDeliveryColumns + 5);
  view.test_id = query.text(kDeliveryColumns + 6);
  view.version = query.integer(kDeliveryColumns + 7);
  return view;
}

#define JOB_COLUMNS                                                                                                    \
  "job_key, kind, state, endpoint_key, reach, since, until, practitioner, rate, after_key, after_place, done, total, " \
  "created_at, ended_at"

Job job_row(const Query& query) {
  Job job;
  job.key = JobKey{query.integer(0)};
  job.kind = query.text(1) == name_of(Job::Kind::kReplay) ? Job::Kind::kReplay : Job::Kind::kRetry;
  for (const auto state : {Job::State::kRunning, Job::State::kFinished, Job::State::kCancelled}) {
    if (query.text(2) == name_of(state)) job.state = state;
  }
  job.endpoint = EndpointKey{query.integer(3)};
  job.reach = Reach{query.integer(4)};
  job.since = Timestamp{query.integer(5)};
  job.until = Timestamp{query.integer(6)};
  job.practitioner = PractitionerKey{query.integer(7)};
  job.rate = query.integer(8);
  job.after_key = query.integer(9);
  job.after_place = query.integer(10);
  job.done = query.integer(11);
  job.total = query.integer(12);
  job.created_at = Timestamp{query.integer(13)};
  if (!query.is_null(14)) job.ended_at = Timestamp{query.integer(14)};
  return job;
}

std::vector<Job> job_rows(Query&& query) {
  std::vector<Job> jobs;
  while (query.next()) jobs.push_back(job_row(query));
  return jobs;
}

std::optional<std::int64_t> microseconds(const std::optional<Timestamp>& time) {
  return time ? std::optional(time->microseconds) : std::nullopt;
}

// Feed items of a replay, in the order of the practitioners and their positions: visible ones (S5), within the reach
// of the endpoint, issued in the range. ?1, ?2: after this place; ?3: this practitioner only; ?4, ?5: the range; ?6:
// the reach; ?7: how many.
#define REPLAYED_ITEMS                                                                                                 \
  "SELECT f.practitioner_key, f.position, " ENTRY_COLUMNS ", " CONNECTION_COLUMNS                                      \
  " FROM feed f JOIN entries e ON e.entry_key = f.entry_key JOIN connections c ON c.connection_key = "                 \
  "f.connection_key JOIN practitioners p ON p.practitioner_key = c.practitioner_key JOIN orders o ON o.order_key = "   \
  "e.order_key WHERE (f.practitioner_key, f.position) > (?1, ?2) AND (?3 = 0 OR f.practitioner_key = ?3) AND "         \
  "f.issued_at >= ?4 AND f.issued_at < ?5 AND c.ended_at IS NULL AND o.clinic_id = c.clinic_id AND (?6 = 0 OR EXISTS " \
  "(SELECT 1 FROM visible_clinics v WHERE v.reach = ?6 AND v.source = c.source AND v.clinic_id = c.clinic_id)) "       \
  "ORDER BY f.practitioner_key, f.position LIMIT ?7"

}  // namespace

std::vector<EndpointRow> SqlDeliveryReads::endpoints(Reach reach) {
  return endpoint_rows(Query(database_,
                             "SELECT " ENDPOINT_COLUMNS
                             " FROM endpoints WHERE (state <> 'deleted' OR sweep_through > 0) AND (?1 = 0 OR reach = "
                             "?1) ORDER BY endpoint_key",
                             reach.value));
}

std::optional<EndpointRow> SqlDeliveryReads::endpoint(const std::string& id, Reach reach) {
  auto rows =
      endpoint_rows(Query(database_,
                          "SELECT " ENDPOINT_COLUMNS
                          " FROM endpoints WHERE endpoint_id = ?1 AND state <> 'deleted' AND (?2 = 0 OR reach = "
                          "?2)",
                          id, reach.value));
  return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

EndpointCounts SqlDeliveryReads::counts(EndpointKey endpoint) {
  EndpointCounts counts;
  {
    Query query(database_,
                "SELECT count(*), coalesce(min(created_at), 0) FROM deliveries WHERE endpoint_key = ?1 AND ended_at IS "
                "NULL",
                endpoint.value);
    if (query.next()) {
      counts.open = query.integer(0);
      counts.oldest_open = Timestamp{query.integer(1)};
    }
  }
  Query query(database_, "SELECT count(*) FROM deliveries WHERE endpoint_key = ?1 AND state = 'dead'", endpoint.value);
  if (query.next()) counts.dead = query.integer(0);
  return counts;
}

std::vector<DeliveryView> SqlDeliveryReads::deliveries(const DeliveryFilter& filter, DeliveryKey before,
                                                       std::size_t limit) {
  const std::int64_t from = before ? before.value : std::numeric_limits<std::int64_t>::max();
  const std::string state(filter.state ? name_of(*filter.state) : "");
  const std::string practitioner = filter.practitioner ? filter.practitioner->text() : "";
  std::vector<DeliveryView> views;
  const auto read = [&views](Query&& query) {
    while (query.next()) views.push_back(delivery_view(query));
  };
#define NARROWED                                                                       \
  " AND d.delivery_key < ?1 AND (?2 = 0 OR e.reach = ?2) AND (?3 = '' OR " SHOWN_STATE \
  " = ?3) AND (?4 = '' OR p.app_id = ?4) ORDER BY d.delivery_key DESC LIMIT ?5"
  if (filter.order) {
    read(Query(
        database_,
        DELIVERY_VIEWS
        "WHERE d.order_key IN (SELECT order_key FROM orders WHERE order_id = ?6) AND (?7 = 0 OR d.endpoint_key = "
        "?7)" NARROWED,
        from, filter.reach.value, state, practitioner, at_most(limit), filter.order->text(), filter.endpoint.value));
  } else if (filter.endpoint) {
    read(Query(database_, DELIVERY_VIEWS "WHERE d.endpoint_key = ?6" NARROWED, from, filter.reach.value, state,
               practitioner, at_most(limit), filter.endpoint.value));
  } else {
    read(Query(database_, DELIVERY_VIEWS "WHERE 1 = 1" NARROWED, from, filter.reach.value, state, practitioner,
               at_most(limit)));
  }
#undef NARROWED
  return views;
}

std::optional<DeliveryView> SqlDeliveryReads::delivery(DeliveryKey key, std::int64_t nonce, Reach reach) {
  Query query(database_, DELIVERY_VIEWS "WHERE d.delivery_key = ?1 AND d.nonce = ?2 AND (?3 = 0 OR e.reach = ?3)",
              key.value, nonce, reach.value);
  if (!query.next()) return std::nullopt;
  return delivery_view(query);
}

std::vector<AttemptRow> SqlDeliveryReads::attempts(DeliveryKey key) {
  std::vector<AttemptRow> attempts;
  Query query(database_,
              "SELECT number, started_at, duration_us, outcome, status, response FROM attempts WHERE delivery_key = ?1 "
              "ORDER BY number",
              key.value);
  while (query.next()) {
    attempts.push_back({query.integer(0), Timestamp{query.integer(1)}, query.integer(2), query.text(3),
                        query.integer(4), query.blob(5)});
  }
  return attempts;
}

DeliveryKey SqlDeliveryReads::last_delivery() {
  Query query(database_, "SELECT coalesce(max(delivery_key), 0) FROM deliveries");
  return DeliveryKey{query.next() ? query.integer(0) : 0};
}

// The plus keeps SQLite from going through all that the endpoint ever had by its keys: what is due is an index of its
// own.
std::optional<Timestamp> SqlDeliveryReads::next_due(EndpointKey endpoint, DeliveryKey after) {
  Query query(
      database_,
      "SELECT next_at FROM deliveries WHERE endpoint_key = ?1 AND state = 'pending' AND +delivery_key > ?2 ORDER "
      "BY next_at LIMIT 1",
      endpoint.value, after.value);
  if (!query.next()) return std::nullopt;
  return Timestamp{query.integer(0)};
}

std::optional<Job> SqlDeliveryReads::job(JobKey key, Reach reach) {
  auto jobs = job_rows(Query(database_,
                             "SELECT " JOB_COLUMNS " FROM delivery_jobs WHERE job_key = ?1 AND (?2 = 0 OR reach = ?2)",
                             key.value, reach.value));
  return jobs.empty() ? std::nullopt : std::optional(std::move(jobs.front()));
}

std::vector<Job> SqlDeliveryReads::jobs(Reach reach, JobKey before, std::size_t limit) {
  return job_rows(
      Query(database_,
            "SELECT " JOB_COLUMNS
            " FROM delivery_jobs WHERE (?1 = 0 OR reach = ?1) AND (?2 = 0 OR job_key < ?2) ORDER BY job_key DESC "
            "LIMIT ?3",
            reach.value, before.value, at_most(limit)));
}

std::vector<Job> SqlDeliveryReads::running_jobs() {
  return job_rows(
      Query(database_, "SELECT " JOB_COLUMNS " FROM delivery_jobs WHERE state = 'running' ORDER BY job_key"));
}

// Dead letters that a job would send again: of endpoints that can take them.
#define DEAD_OF_JOB                                                                                                   \
  " FROM deliveries d JOIN endpoints e ON e.endpoint_key = d.endpoint_key WHERE d.state = 'dead' AND d.delivery_key " \
  "> ?1 AND (?2 = 0 OR d.endpoint_key = ?2) AND d.created_at >= ?3 AND d.created_at < ?4 AND (?5 = 0 OR e.reach = "   \
  "?5) "                                                                                                              \
  "AND e.state IN ('enabled', 'paused')"

std::int64_t SqlDeliveryReads::count_dead(const Job& job) {
  Query query(database_, "SELECT count(*)" DEAD_OF_JOB, job.after_key, job.endpoint.value, job.since.microseconds,
              job.until.microseconds, job.reach.value);
  return query.next() ? query.integer(0) : 0;
}

std::int64_t SqlDeliveryReads::count_items(const Job& job, const EndpointRow& endpoint) {
  std::int64_t count = 0;
  Query query(database_, REPLAYED_ITEMS, job.after_key, job.after_place, job.practitioner.value, job.since.microseconds,
              job.until.microseconds, endpoint.reach.value, std::numeric_limits<std::int32_t>::max());
  while (query.next()) {
    if (endpoint.filter.takes(orders::name_of(entry_row(query, 2).notice.kind), connection_row(query, 12))) ++count;
  }
  return count;
}

EndpointKey SqlDeliveryWrites::add_endpoint(const EndpointRow& endpoint) {
  EndpointRow row = endpoint;
  {
    Query query(
        database_,
        "INSERT INTO endpoints (endpoint_id, url, secrets, description, state, state_reason, state_since, "
        "practitioners, clinics, types, statuses, payload, ordered, rate, concurrency, reach, created_at, "
        "previous_until, health, health_since, breaker_until, dead_told, sweep_through, sweep_to, sweep_reason) "
        "VALUES (?1, ?2, ?2, '', '', '', 0, '', '', '', '', '', 0, 0, 0, ?3, ?4, 0, 'healthy', ?4, 0, 0, 0, '', "
        "'') RETURNING endpoint_key",
        endpoint.id, Blob{endpoint.url}, endpoint.reach.value, endpoint.created_at.microseconds);
    row.key = EndpointKey{query.next() ? query.integer(0) : 0};
  }
  save_endpoint(row);
  return row.key;
}

void SqlDeliveryWrites::save_endpoint(const EndpointRow& endpoint) {
  takers_.reset();
  Query(database_,
        "UPDATE endpoints SET url = ?2, secrets = ?3, description = ?4, state = ?5, state_reason = ?6, state_since = "
        "?7, practitioners = ?8, clinics = ?9, types = ?10, statuses = ?11, payload = ?12, ordered = ?13, rate = ?14, "
        "concurrency = ?15, previous_until = ?16, health = ?17, health_since = ?18, breaker_until = ?19, dead_told = "
        "?20, sweep_through = ?21, sweep_to = ?22, sweep_reason = ?23 WHERE endpoint_key = ?1",
        endpoint.key.value, Blob{endpoint.url}, Blob{endpoint.secrets}, endpoint.description, name_of(endpoint.state),
        endpoint.state_reason, endpoint.state_since.microseconds, as_lines(endpoint.filter.practitioners),
        as_lines(endpoint.filter.clinics), as_lines(endpoint.filter.types), as_lines(endpoint.filter.statuses),
        name_of(endpoint.payload), endpoint.ordered, endpoint.rate, endpoint.concurrency,
        endpoint.previous_until.microseconds, endpoint.failing ? "failing" : "healthy",
        endpoint.health_since.microseconds, endpoint.breaker_until.microseconds, endpoint.dead_told,
        endpoint.sweep.through.value, name_of(endpoint.sweep.to), endpoint.sweep.reason)
      .run();
}

void SqlDeliveryWrites::plan(const ConnectionRow& connection, const Entry& entry, std::int64_t position,
                             Timestamp now) {
  const auto type = orders::name_of(entry.notice.kind);
  for (const EndpointRow& endpoint : takers()) {
    if (!endpoint.filter.takes(type, connection) || !may_reach(endpoint.reach, connection)) continue;
    add_item(endpoint, type, connection.practitioner, position, entry.order, false, now);
  }
}

const std::vector<EndpointRow>& SqlDeliveryWrites::takers() {
  if (!takers_) {
    takers_ =
        endpoint_rows(Query(database_, "SELECT " ENDPOINT_COLUMNS
                                       " FROM endpoints WHERE state IN ('enabled', 'paused') ORDER BY endpoint_key"));
  }
  return *takers_;
}

void SqlDeliveryWrites::announce(OrderKey order, const std::vector<ConnectionRow>& connections, const std::string& type,
                                 const std::string& note, Timestamp now) {
  for (const EndpointRow& endpoint : takers()) {
    if (!may_know(endpoint, type, connections)) continue;
    DeliveryRow row;
    row.endpoint = endpoint.key;
    row.type = type;
    row.order = order;
    row.note = note;
    row.created_at = now;
    insert_in_line(endpoint, row);
  }
}

bool SqlDeliveryWrites::may_know(const EndpointRow& endpoint, std::string_view type,
                                 const std::vector<ConnectionRow>& connections) {
  return std::ranges::any_of(connections, [&](const ConnectionRow& connection) {
    return endpoint.filter.takes(type, connection) && may_reach(endpoint.reach, connection);
  });
}

// Behind what has yet to end its first attempt of the order, if the endpoint wants that: the last one of the line says
// so for all before it. The database looks for itself: nobody waits to be told.
void SqlDeliveryWrites::insert_in_line(const EndpointRow& endpoint, const DeliveryRow& row) {
#define SOMEBODY_GOES_FIRST                                                                                   \
  "?10 <> 0 AND (SELECT d.ended_at IS NULL AND d.attempted = 0 FROM deliveries d WHERE d.order_key = ?6 AND " \
  "d.endpoint_key = ?2 ORDER BY d.delivery_key DESC LIMIT 1)"
  Query(database_,
        "INSERT INTO deliveries (nonce, endpoint_key, type, practitioner_key, position, order_key, note, replay, "
        "state, reason, attempts, attempted, tries, next_at, fence, lease_until, last_status, created_at) VALUES "
        "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, CASE WHEN " SOMEBODY_GOES_FIRST
        " THEN 'held' ELSE 'pending' END, CASE WHEN " SOMEBODY_GOES_FIRST
        " THEN 'predecessor' ELSE '' END, 0, 0, 0, 0, 0, 0, 0, ?9)",
        next_nonce(), row.endpoint.value, row.type, row.practitioner.value, row.position, row.order.value, row.note,
        row.replay, row.created_at.microseconds, endpoint.ordered)
      .run();
#undef SOMEBODY_GOES_FIRST
}

void SqlDeliveryWrites::add_item(const EndpointRow& endpoint, std::string_view type, PractitionerKey practitioner,
                                 std::int64_t position, OrderKey order, bool replay, Timestamp now) {
  DeliveryRow row;
  row.endpoint = endpoint.key;
  row.type = type;
  row.practitioner = practitioner;
  row.position = position;
  row.order = order;
  row.replay = replay;
  row.created_at = now;
  insert_in_line(endpoint, row);
}

DeliveryRow SqlDeliveryWrites::add(EndpointKey endpoint, const std::string& type, const std::string& note,
                                   Timestamp now) {
  DeliveryRow row;
  row.endpoint = endpoint;
  row.type = type;
  row.note = note;
  row.created_at = now;
  insert(row);
  return row;
}

void SqlDeliveryWrites::insert(DeliveryRow& row) {
  row.nonce = next_nonce();
  Query query(database_,
              "INSERT INTO deliveries (nonce, endpoint_key, type, practitioner_key, position, order_key, note, replay, "
              "state, reason, attempts, attempted, tries, next_at, fence, lease_until, last_status, created_at) VALUES "
              "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, 0, ?11, 0, 0, 0, ?12) RETURNING delivery_key",
              row.nonce, row.endpoint.value, row.type, row.practitioner.value, row.position, row.order.value, row.note,
              row.replay, name_of(row.state), row.reason, row.next_at.microseconds, row.created_at.microseconds);
  row.key = DeliveryKey{query.next() ? query.integer(0) : 0};
}

std::int64_t SqlDeliveryWrites::next_nonce() {
  if (random_.size() < sizeof(std::uint64_t)) random_ = runtime::random_bytes(512);
  std::uint64_t value = 0;
  std::memcpy(&value, random_.data() + random_.size() - sizeof value, sizeof value);
  random_.resize(random_.size() - sizeof value);
  return static_cast<std::int64_t>(value >> 1U);
}

// The first attempt of `ended` has ended: whoever stands behind it may go, if it waits for that. Behind, for what
// stands before has a predecessor of its own; so what it costs does not grow with the order's history.
bool SqlDeliveryWrites::let_next_go(const DeliveryRow& ended) {
  if (!ended.order) return false;
  Query query(database_,
              "UPDATE deliveries SET state = 'pending', reason = '' WHERE state = 'held' AND delivery_key = (SELECT "
              "delivery_key FROM deliveries WHERE order_key = ?1 AND endpoint_key = ?2 AND delivery_key > ?3 AND "
              "ended_at IS NULL AND attempted = 0 ORDER BY delivery_key LIMIT 1) RETURNING delivery_key",
              ended.order.value, ended.endpoint.value, ended.key.value);
  return query.next();
}

bool SqlDeliveryWrites::may_reach(Reach reach, const ConnectionRow& connection) {
  if (reach.is_everything()) return true;
  Query query(database_, "SELECT 1 FROM visible_clinics WHERE reach = ?1 AND source = ?2 AND clinic_id = ?3 LIMIT 1",
              reach.value, connection.source.text(), connection.clinic.text());
  return query.next();
}

// One statement for all that it claims, each with a lease and a new token. `WHICH` says what and how many; the rows
// come in no order.
#define CLAIM(WHICH)                                                                                              \
  "UPDATE deliveries SET state = 'in_flight', fence = fence + 1, lease_until = ?1 WHERE state = 'pending' "       \
  "AND delivery_key IN (SELECT delivery_key FROM deliveries WHERE endpoint_key = ?2 AND state = 'pending' " WHICH \
  ") RETURNING " DELIVERY_COLUMNS_OF("")

// Retries whose time has come.
std::vector<DeliveryRow> SqlDeliveryWrites::claim_due_again(const EndpointRow& endpoint, Timestamp now,
                                                            Timestamp lease_until, std::size_t limit) {
  auto rows = delivery_rows(Query(database_,
                                  CLAIM("AND next_at > 0 AND next_at <= ?3 AND delivery_key > ?4 ORDER BY next_at, "
                                        "delivery_key LIMIT ?5"),
                                  lease_until.microseconds, endpoint.key.value, now.microseconds,
                                  endpoint.sweep.through.value, at_most(limit)));
  std::ranges::sort(rows, {}, [](const DeliveryRow& row) { return std::pair(row.next_at, row.key); });
  return rows;
}

// What waits for nothing.
std::vector<DeliveryRow> SqlDeliveryWrites::claim_at_once(const EndpointRow& endpoint, Timestamp lease_until,
                                                          std::size_t limit) {
  auto rows =
      delivery_rows(Query(database_, CLAIM("AND next_at = 0 AND delivery_key > ?3 ORDER BY delivery_key LIMIT ?4"),
                          lease_until.microseconds, endpoint.key.value, endpoint.sweep.through.value, at_most(limit)));
  std::ranges::sort(rows, {}, &DeliveryRow::key);
  return rows;
}
#undef CLAIM

std::vector<DueDelivery> SqlDeliveryWrites::claim(const EndpointRow& endpoint, Timestamp now, Timestamp lease_until,
                                                  std::size_t limit) {
  auto rows = claim_due_again(endpoint, now, lease_until, std::max<std::size_t>(limit / 2, 1));
  if (rows.size() < limit)
    std::ranges::move(claim_at_once(endpoint, lease_until, limit - rows.size()), std::back_inserter(rows));
  std::vector<DueDelivery> claimed;
  claimed.reserve(rows.size());
  for (DeliveryRow& row : rows) {
    DueDelivery due = load(std::move(row));
    // D1: the connection may have ended, or the order moved to another clinic, since the item was issued.
    if (due.item && due.visible) due.visible = may_reach(endpoint.reach, due.item->connection);
    if (!due.row.practitioner && due.row.order)
      due.visible = may_know(endpoint, due.row.type, connections_of(due.row.order));
    if (!due.visible) {
      end(due.row, DeliveryState::kSkipped, "not_visible", now);
      continue;
    }
    claimed.push_back(std::move(due));
  }
  // What overtakes a retry may have been claimed together with it.
  for (DueDelivery& due : claimed) {
    if (due.item && due.row.attempted) due.superseded = is_superseded(due.row, due.item->entry);
  }
  return claimed;
}

// Those that see the order now.
std::vector<ConnectionRow> SqlDeliveryWrites::connections_of(OrderKey order) {
  std::vector<ConnectionRow> connections;
  Query query(database_,
              "SELECT " CONNECTION_COLUMNS
              " FROM orders o JOIN connections c ON c.clinic_id = o.clinic_id AND c.source = o.source JOIN "
              "practitioners p ON p.practitioner_key = c.practitioner_key WHERE o.order_key = ?1 AND c.ended_at IS "
              "NULL ORDER BY c.connection_key",
              order.value);
  while (query.next()) connections.push_back(connection_row(query, 0));
  return connections;
}

DueDelivery SqlDeliveryWrites::load(DeliveryRow row) {
  DueDelivery due;
  due.row = std::move(row);
  if (!due.row.practitioner) return due;
  {
    Query query(
        database_,
        "SELECT " FEED_COLUMNS
        ", v.event_id, v.created_at FROM feed f JOIN entries e ON e.entry_key = f.entry_key JOIN connections c "
        "ON c.connection_key = f.connection_key JOIN practitioners p ON p.practitioner_key = c.practitioner_key "
        "JOIN orders o ON o.order_key = e.order_key JOIN events v ON v.record = e.record WHERE "
        "f.practitioner_key = ?1 AND f.position = ?2 AND " FEED_VISIBLE,
        due.row.practitioner.value, due.row.position);
    if (query.next()) {
      due.item = feed_row(query, 0);
      due.event = EventId(query.text(kFeedColumns));
      due.event_created_at = Timestamp{query.integer(kFeedColumns + 1)};
    }
  }
  due.visible = due.item.has_value();
  return due;
}

bool SqlDeliveryWrites::is_superseded(const DeliveryRow& row, const Entry& entry) {
  Query query(
      database_,
      "SELECT 1 FROM deliveries d JOIN feed f ON f.practitioner_key = d.practitioner_key AND f.position = "
      "d.position JOIN entries e ON e.entry_key = f.entry_key WHERE d.order_key = ?1 AND d.endpoint_key = ?2 AND "
      "d.delivery_key > ?3 AND d.practitioner_key = ?4 AND e.test_id = ?5 AND (d.attempted = 1 OR d.state = "
      "'in_flight') LIMIT 1",
      row.order.value, row.endpoint.value, row.key.value, row.practitioner.value, entry.notice.test.text());
  return query.next();
}

Finished SqlDeliveryWrites::finish(const Finish& finish, Timestamp now) {
  const bool open = finish.state == DeliveryState::kPending;
  const DeliveryRow& row = finish.row;
  if (!finish.counts) {
    Query query(
        database_,
        "UPDATE deliveries SET state = 'pending', next_at = 0, lease_until = 0 WHERE delivery_key = ?1 AND fence "
        "= ?2 AND state = 'in_flight' RETURNING delivery_key",
        row.key.value, row.fence);
    return {.written = query.next()};
  }
  std::int64_t number = 0;
  {
    Query query(
        database_,
        "UPDATE deliveries SET state = ?3, reason = ?4, attempts = attempts + 1, attempted = 1, tries = tries + ?5, "
        "next_at = ?6, last_status = ?7, ended_at = ?8, lease_until = 0 WHERE delivery_key = ?1 AND fence = ?2 AND "
        "state = 'in_flight' RETURNING attempts",
        row.key.value, row.fence, name_of(finish.state), finish.reason,
        finish.state == DeliveryState::kDelivered ? 0 : 1, finish.next_at.microseconds, finish.attempt.status,
        open ? std::nullopt : std::optional(now.microseconds));
    if (!query.next()) return {};  // D3: somebody else has it now
    number = query.integer(0);
  }
  Query(database_, "INSERT INTO attempts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", row.key.value, number,
        finish.attempt.started_at.microseconds, finish.attempt.duration_us, finish.attempt.outcome,
        finish.attempt.status, Blob{finish.attempt.response})
      .run();
  return {.written = true, .lets_next_go = !row.attempted && let_next_go(row)};
}

bool SqlDeliveryWrites::skip(const DeliveryRow& row, const std::string& reason, Timestamp now) {
  {
    Query query(database_, "SELECT 1 FROM deliveries WHERE delivery_key = ?1 AND fence = ?2 AND state = 'in_flight'",
                row.key.value, row.fence);
    if (!query.next()) return false;
  }
  end(row, DeliveryState::kSkipped, reason, now);
  return true;
}

// Ends what was not sent.
void SqlDeliveryWrites::end(const DeliveryRow& row, DeliveryState state, const std::string& reason, Timestamp now) {
  Query(database_,
        "UPDATE deliveries SET state = ?2, reason = ?3, ended_at = ?4, lease_until = 0 WHERE delivery_key = ?1",
        row.key.value, name_of(state), reason, now.microseconds)
      .run();
  if (!row.attempted) let_next_go(row);
}

std::size_t SqlDeliveryWrites::release_leases(Timestamp expired_before, Timestamp now) {
  const auto rows = delivery_rows(Query(
      database_, "SELECT " DELIVERY_COLUMNS " FROM deliveries d WHERE d.state = 'in_flight' AND d.lease_until < ?1",
      expired_before.microseconds));
  for (const DeliveryRow& row : rows) {
    // The new token makes whoever still holds the old one a stranger.
    Query(
        database_,
        "UPDATE deliveries SET state = 'pending', fence = fence + 1, lease_until = 0, attempts = attempts + 1, next_at "
        "= 0 WHERE delivery_key = ?1",
        row.key.value)
        .run();
    Query(database_, "INSERT INTO attempts VALUES (?1, ?2, ?3, 0, 'interrupted', 0, ?4)", row.key.value,
          row.attempts + 1, now.microseconds, Blob{""})
        .run();
  }
  return rows.size();
}

void SqlDeliveryWrites::bound_schedule(Timestamp latest) {
  Query(database_, "UPDATE deliveries SET next_at = ?1 WHERE state = 'pending' AND next_at > ?1", latest.microseconds)
      .run();
}

std::size_t SqlDeliveryWrites::sweep(const EndpointRow& endpoint, Timestamp now, std::size_t limit) {
  const auto rows = delivery_rows(Query(database_,
                                        "SELECT " DELIVERY_COLUMNS
                                        " FROM deliveries d WHERE d.endpoint_key = ?1 AND d.state = 'pending' AND "
                                        "+d.delivery_key <= ?2 ORDER BY d.next_at, d.delivery_key LIMIT ?3",
                                        endpoint.key.value, endpoint.sweep.through.value, at_most(limit)));
  for (const DeliveryRow& row : rows) end(row, endpoint.sweep.to, endpoint.sweep.reason, now);
  return rows.size();
}

bool SqlDeliveryWrites::retry(DeliveryKey key) {
  Query query(database_,
              "UPDATE deliveries SET state = 'pending', reason = '', tries = 0, attempted = 1, next_at = 0, ended_at = "
              "NULL WHERE delivery_key = ?1 AND state IN ('dead', 'skipped') RETURNING delivery_key",
              key.value);
  return query.next();
}

JobKey SqlDeliveryWrites::add_job(const Job& job) {
  Query query(
      database_,
      "INSERT INTO delivery_jobs (kind, state, endpoint_key, reach, since, until, practitioner, rate, after_key, "
      "after_place, done, total, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) "
      "RETURNING job_key",
      name_of(job.kind), name_of(job.state), job.endpoint.value, job.reach.value, job.since.microseconds,
      job.until.microseconds, job.practitioner.value, job.rate, job.after_key, job.after_place, job.done, job.total,
      job.created_at.microseconds);
  return JobKey{query.next() ? query.integer(0) : 0};
}

void SqlDeliveryWrites::save_job(const Job& job) {
  Query(database_,
        "UPDATE delivery_jobs SET state = ?2, rate = ?3, after_key = ?4, after_place = ?5, done = ?6, ended_at = ?7 "
        "WHERE job_key = ?1",
        job.key.value, name_of(job.state), job.rate, job.after_key, job.after_place, job.done,
        microseconds(job.ended_at))
      .run();
}

void SqlDeliveryWrites::advance_retry(Job& job, Timestamp now, std::size_t limit) {
  const auto rows = delivery_rows(
      Query(database_, "SELECT " DELIVERY_COLUMNS DEAD_OF_JOB " ORDER BY d.delivery_key LIMIT ?6", job.after_key,
            job.endpoint.value, job.since.microseconds, job.until.microseconds, job.reach.value, at_most(limit)));
  for (const DeliveryRow& row : rows) {
    if (retry(row.key)) ++job.done;
    job.after_key = row.key.value;
  }
  if (rows.size() < limit) {
    job.state = Job::State::kFinished;
    job.ended_at = now;
  }
  save_job(job);
}

void SqlDeliveryWrites::advance_replay(Job& job, const EndpointRow& endpoint, Timestamp now, std::size_t limit) {
  struct Item {
    PractitionerKey practitioner;
    std::int64_t position;
    Entry entry;
    ConnectionRow connection;
  };
  std::vector<Item> items;
  {
    Query query(database_, REPLAYED_ITEMS, job.after_key, job.after_place, job.practitioner.value,
                job.since.microseconds, job.until.microseconds, endpoint.reach.value, at_most(limit));
    while (query.next()) {
      items.push_back(
          {PractitionerKey{query.integer(0)}, query.integer(1), entry_row(query, 2), connection_row(query, 12)});
    }
  }
  for (const Item& item : items) {
    job.after_key = item.practitioner.value;
    job.after_place = item.position;
    const auto type = orders::name_of(item.entry.notice.kind);
    if (!endpoint.filter.takes(type, item.connection)) continue;
    add_item(endpoint, type, item.practitioner, item.position, item.entry.order, true, now);
    ++job.done;
  }
  if (items.size() < limit) {
    job.state = Job::State::kFinished;
    job.ended_at = now;
  }
  save_job(job);
}

DeliveryKey SqlDeliveryWrites::prune(DeliveryKey after, Timestamp before, std::size_t limit) {
  const auto rows = delivery_rows(Query(database_,
                                        "SELECT " DELIVERY_COLUMNS
                                        " FROM deliveries d WHERE d.delivery_key > ?1 ORDER BY d.delivery_key LIMIT ?2",
                                        after.value, at_most(limit)));
  for (const DeliveryRow& row : rows) {
    if (row.created_at >= before) return {};  // keys are given in the order of time
    if (!row.ended_at || row.state == DeliveryState::kDead) continue;
    Query(database_, "DELETE FROM attempts WHERE delivery_key = ?1", row.key.value).run();
    Query(database_, "DELETE FROM deliveries WHERE delivery_key = ?1", row.key.value).run();
  }
  return rows.size() < limit ? DeliveryKey{} : rows.back().key;
}

}  // namespace resultsync::store::sql
