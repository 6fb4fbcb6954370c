#include "store/audit.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/encoding.hpp"
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

std::string line_of(const AuditCheckpoint& checkpoint) {
  JsonWriter json;
  json.begin_object()
      .member("seq", checkpoint.seq)
      .member("at", format_timestamp(checkpoint.at))
      .member("hash", checkpoint.hash.hex())
      .member("public_key", encode_hex(checkpoint.public_key))
      .member("signature", encode_hex(checkpoint.signature))
      .end_object();
  return json.take();
}

Result<AuditCheckpoint> parse_checkpoint(std::string_view line) {
  const simdjson::padded_string padded(line);
  simdjson::dom::parser parser;
  simdjson::dom::object members;
  AuditCheckpoint checkpoint;
  const auto text = [&](std::string_view name) {
    std::string_view value;
    return members[name].get_string().get(value) == simdjson::SUCCESS ? std::string(value) : std::string{};
  };
  if (parser.parse(padded).get_object().get(members) == simdjson::SUCCESS &&
      members["seq"].get_int64().get(checkpoint.seq) == simdjson::SUCCESS) {
    const auto at = parse_timestamp(text("at"));
    const auto hash = Sha256::from_bytes(decode_hex(text("hash")).value_or(""));
    if (at && hash) {
      checkpoint.at = at->time;
      checkpoint.hash = *hash;
      checkpoint.public_key = decode_hex(text("public_key")).value_or("");
      checkpoint.signature = decode_hex(text("signature")).value_or("");
      return checkpoint;
    }
  }
  return fail("bad_checkpoint", "the line is no checkpoint of an audit log");
}

}  // namespace resultsync::store
