#include "store/audit.hpp"

#include <fmt/format.h>

#include "base/json_writer.hpp"

namespace resultsync::store {

std::string canonical(const AuditRow& row) {
  JsonWriter json;
  json.begin_object()
      .member("seq", row.seq)
      .member("at", format_timestamp(row.at))
      .member("actor", row.actor)
      .member("action", row.action)
      .key("objects")
      .begin_array();
  for (const std::string& object : row.objects) json.string(object);
  json.end_array()
      .member("purpose", row.purpose)
      .member("peer", row.peer)
      .member("outcome", row.outcome)
      .member("request_id", row.request_id)
      .end_object();
  return json.take();
}

Sha256 chained(const Sha256& previous, const AuditRow& row) {
  return sha256(previous.hex() + "\n" + canonical(row));
}

std::string statement_of(const AuditCheckpoint& checkpoint) {
  return fmt::format("resultsync audit checkpoint v1\n{}\n{}\n{}\n", checkpoint.seq, checkpoint.hash.hex(),
                     format_timestamp(checkpoint.at));
}

}  // namespace resultsync::store
