#include "store/sql/audit.hpp"

#include <limits>

namespace resultsync::store::sql {
namespace {

#define AUDIT_COLUMNS "seq, at, actor, action, objects, purpose, peer, outcome, request_id, hash"
#define CHECKPOINT_COLUMNS "seq, at, hash, public_key, signature"

// Objects stand in one column, a line each: no object holds a control character.
std::string lines_of(const std::vector<std::string>& objects) {
  std::string text;
  for (const std::string& object : objects) text += (text.empty() ? "" : "\n") + object;
  return text;
}

std::vector<std::string> objects_of(std::string_view text) {
  std::vector<std::string> objects;
  while (!text.empty()) {
    const auto end = text.find('\n');
    objects.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return objects;
}

AuditRow audit_row(const Query& query) {
  return {query.integer(0),
          Timestamp{query.integer(1)},
          query.text(2),
          query.text(3),
          objects_of(query.text(4)),
          query.text(5),
          query.text(6),
          query.text(7),
          query.text(8),
          query.digest(9)};
}

std::vector<AuditRow> audit_rows(Query& query) {
  std::vector<AuditRow> rows;
  while (query.next()) rows.push_back(audit_row(query));
  return rows;
}

AuditCheckpoint checkpoint_row(const Query& query) {
  return {query.integer(0), Timestamp{query.integer(1)}, query.digest(2), query.blob(3), query.blob(4)};
}

}  // namespace

AuditHead SqlAuditSnapshot::head() {
  Query query(database_, "SELECT seq, hash FROM audit_head");
  return query.next() ? AuditHead{query.integer(0), query.digest(1)} : AuditHead{};
}

std::vector<AuditRow> SqlAuditSnapshot::after(std::int64_t seq, std::size_t limit) {
  Query query(database_, "SELECT " AUDIT_COLUMNS " FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2", seq, limit);
  return audit_rows(query);
}

std::vector<AuditRow> SqlAuditSnapshot::before(const AuditFilter& filter, std::int64_t before, std::size_t limit) {
  const std::int64_t below = before == 0 ? std::numeric_limits<std::int64_t>::max() : before;
  const std::int64_t since = filter.since ? filter.since->microseconds : std::numeric_limits<std::int64_t>::min();
  if (!filter.actor.empty()) {
    Query query(database_,
                "SELECT " AUDIT_COLUMNS
                " FROM audit WHERE actor = ?1 AND seq < ?2 AND at >= ?3 ORDER BY seq DESC LIMIT ?4",
                filter.actor, below, since, limit);
    return audit_rows(query);
  }
  Query query(database_, "SELECT " AUDIT_COLUMNS " FROM audit WHERE seq < ?1 AND at >= ?2 ORDER BY seq DESC LIMIT ?3",
              below, since, limit);
  return audit_rows(query);
}

std::vector<AuditCheckpoint> SqlAuditSnapshot::checkpoints_after(std::int64_t seq, std::size_t limit) {
  std::vector<AuditCheckpoint> checkpoints;
  Query query(database_, "SELECT " CHECKPOINT_COLUMNS " FROM audit_checkpoints WHERE seq > ?1 ORDER BY seq LIMIT ?2",
              seq, limit);
  while (query.next()) checkpoints.push_back(checkpoint_row(query));
  return checkpoints;
}

std::optional<AuditCheckpoint> SqlAuditSnapshot::last_checkpoint() {
  Query query(database_, "SELECT " CHECKPOINT_COLUMNS " FROM audit_checkpoints ORDER BY seq DESC LIMIT 1");
  if (!query.next()) return std::nullopt;
  return checkpoint_row(query);
}

std::optional<Timestamp> SqlAuditSnapshot::last_of(const std::string& actor) {
  Query query(database_, "SELECT at FROM audit WHERE actor = ?1 ORDER BY seq DESC LIMIT 1", actor);
  if (!query.next()) return std::nullopt;
  return Timestamp{query.integer(0)};
}

void append_audit_rows(Database& database, std::span<const AuditRow> rows) {
  if (rows.empty()) return;
  AuditHead head;
  const Sha256 before_the_first;
  {
    // Taken by a write, so that no other transaction can read the same end and append beside this one.
    Query query(database,
                "INSERT INTO audit_head VALUES (1, ?1, ?2) ON CONFLICT (only_row) DO UPDATE SET seq = audit_head.seq + "
                "?1 RETURNING seq, hash",
                rows.size(), before_the_first);
    if (!query.next()) return;
    head = {query.integer(0) - static_cast<std::int64_t>(rows.size()), query.digest(1)};
  }
  for (AuditRow row : rows) {
    row.seq = ++head.seq;
    head.hash = chained(head.hash, row);
    Query(database, "INSERT INTO audit (" AUDIT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)", row.seq,
          row.at.microseconds, row.actor, row.action, lines_of(row.objects), row.purpose, row.peer, row.outcome,
          row.request_id, head.hash)
        .run();
  }
  Query(database, "UPDATE audit_head SET hash = ?1", head.hash).run();
}

void add_audit_checkpoint(Database& database, const AuditCheckpoint& checkpoint) {
  Query(database,
        "INSERT INTO audit_checkpoints (" CHECKPOINT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        checkpoint.seq, checkpoint.at.microseconds, checkpoint.hash, Blob{checkpoint.public_key},
        Blob{checkpoint.signature})
      .run();
}

}  // namespace resultsync::store::sql
