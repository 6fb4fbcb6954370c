#include "cli/setting_kinds.hpp"

#include <charconv>
#include <limits>
#include <utility>

namespace resultsync::cli {
namespace {

using Form = SettingKind::Form;

constexpr SettingKind kKinds[] = {
    {"server.public", Form::kAddress, "127.0.0.1:8080",
     "host:port that takes the network's webhooks; port 0 takes a free one"},
    {"server.private", Form::kAddress, "127.0.0.1:8081", "host:port of the API, health and metrics"},
    {"server.allow_remote_without_tls", Form::kBoolean, "false",
     "let the private listener be reached from other machines although it speaks no TLS"},
    {"server.public_url", Form::kText, "",
     "how browsers reach the public listener: `https://hooks.example.com`; default: `http://` (`https://` with a "
     "certificate) and its address"},
    {"server.public_tls_certificate", Form::kPath, "",
     "PEM file of the public listener's certificate and its chain; it speaks TLS then. Read again when it changes"},
    {"server.public_tls_key", Form::kPath, "", "PEM file of that certificate's private key"},
    {"server.private_tls_certificate", Form::kPath, "", "the same for the private listener"},
    {"server.private_tls_key", Form::kPath, "", "PEM file of that certificate's private key"},
    {"server.data_dir", Form::kPath, "./data",
     "folder of the log, the views and the keys; created with mode 0700. Relative to the folder of this file"},
    {"server.store", Form::kText, "embedded",
     "`embedded` in data_dir, or `postgres:CONNINFO` (libpq's, or a postgresql:// URI), which several instances share"},
    {"server.store_password", Form::kText, "",
     "where the database's password stands: `file:PATH` or `credential:NAME`; default: libpq's own ways, as ~/.pgpass"},
    {"server.store_schema", Form::kText, "resultsync", "schema of all tables in that database"},
    {"server.store_standby", Form::kBoolean, "false",
     "refuse to start, and to be ready, unless commits wait for a standby (synchronous_standby_names)"},
    {"server.threads", Form::kCount, "2", "event loops of the public listener", "", 1, 64},
    {"sources.*.vendor", Form::kChoice, "rupa",
     "whose events these are; `generic` is any other network, read by the pointers below", "rupa|fullscript|generic"},
    {"sources.*.path", Form::kText, "",
     "path of its webhooks on the public listener; default `/webhook` for the only source, else `/webhooks/NAME`, "
     "where every source "
     "can always be reached"},
    {"sources.*.secrets", Form::kList, "",
     "where the signing secrets stand, newest first: `file:PATH` (relative to the folder of this file) or "
     "`credential:NAME` (systemd); "
     "required"},
    {"sources.*.signature", Form::kChoice, "t-v1", "how requests are signed",
     "t-v1|fullscript|standard-webhooks|svix|stripe|github|hex-body|base64-body|terra|terra-ms"},
    {"sources.*.header", Form::kText, "", "name of the signature header; default: that of the scheme"},
    {"sources.*.timestamp_header", Form::kText, "", "name of the timestamp header, for schemes that have one"},
    {"sources.*.id_header", Form::kText, "", "name of the message id header, for schemes that have one"},
    {"sources.*.tolerance", Form::kChoice, "flag",
     "a right signature with a time outside the tolerance is kept and flagged, or refused (`strict`)", "flag|strict"},
    {"sources.*.tolerance_seconds", Form::kCount, "300", "how far a signature's time may be from ours, either side", "",
     1, 604'800},
    {"sources.*.event_types", Form::kList, "order.new_result",
     "event types that carry results, `*` for all; others are kept, and synced to nobody. Default of `generic`: `*`"},
    {"sources.*.other_event_types", Form::kList, "",
     "event types that are known to carry no results: kept, and nothing is to be done"},
    {"sources.*.critical_flags", Form::kList, "",
     "abnormal flags (OBX-8) that laboratories use for critical values, beside LL, HH and AA: `PP` of every "
     "laboratory, "
     "`ACME:PP` of the one whose messages name ACME as sending facility (MSH-4)"},
    {"sources.*.challenge", Form::kText, "",
     "where the challenge token stands that every answer to a webhook repeats, as Fullscript asks for: `file:PATH` or "
     "`credential:NAME`"},
    {"sources.*.challenge_unsigned", Form::kBoolean, "false",
     "answer an empty request without a signature with the challenge too, and store nothing: how Fullscript tries an "
     "address when it is registered"},
    {"sources.*.pointer_id", Form::kText, "",
     "`generic`: where a body has the event's id (RFC 6901); default: the signed message id, as the `webhook-id` "
     "header"},
    {"sources.*.pointer_type", Form::kText, "/type", "`generic`: the event's type"},
    {"sources.*.pointer_time", Form::kText, "/timestamp",
     "`generic`: when it was made: ISO 8601, or seconds or milliseconds since 1970"},
    {"sources.*.pointer_clinic", Form::kText, "", "`generic`: the clinic's id"},
    {"sources.*.pointer_practitioner", Form::kText, "", "`generic`: the id of the patient's practitioner"},
    {"sources.*.pointer_patient", Form::kText, "", "`generic`: the patient's id"},
    {"sources.*.pointer_order", Form::kText, "", "`generic`: the order's id; required"},
    {"sources.*.pointer_status", Form::kText, "", "`generic`: the order's status"},
    {"sources.*.pointer_tests", Form::kText, "",
     "`generic`: a list of the ordered tests, or the one; empty text: the whole body is one. The pointers that follow "
     "are read inside each"},
    {"sources.*.pointer_test", Form::kText, "", "`generic`: an ordered test's id; the only one may go without"},
    {"sources.*.pointer_lab_test", Form::kText, "", "`generic`: id of the lab test that was ordered"},
    {"sources.*.pointer_received", Form::kText, "", "`generic`: when the results came from the laboratory"},
    {"sources.*.pointer_hl7", Form::kText, "", "`generic`: results as HL7 v2: a link, base64, or the text"},
    {"sources.*.pointer_pdf", Form::kText, "", "`generic`: results as PDF: a link, or base64"},
    {"sources.*.pointer_requisition", Form::kText, "", "`generic`: the requisition: a link, or base64"},
    {"sources.*.api", Form::kText, "", "address of the network's API; without it only its webhooks are used"},
    {"sources.*.api_allow", Form::kList, "",
     "what may be reached for this source although it is no public address: `10.1.2.0/24`, `127.0.0.1:8090`, "
     "`files.internal`"},
    {"sources.*.api_http", Form::kBoolean, "false", "let its API and documents be reached without TLS"},
    {"sources.*.ca_file", Form::kText, "", "PEM file to verify its servers with; default: the system's"},
    {"sources.*.client_id", Form::kText, "", "OAuth client that the network's staff handed out"},
    {"sources.*.client_secret", Form::kText, "", "where its secret stands: `file:PATH` or `credential:NAME`"},
    {"sources.*.client_authentication", Form::kChoice, "basic",
     "how the client names itself to the token endpoint (RFC 6749 §2.3.1)", "basic|body"},
    {"sources.*.authorize_url", Form::kText, "",
     "consent page; one that begins with a slash is a path of `api`. Default: "
     "`https://labs.rupahealth.com/oauth/authorize` for `https://api.rupahealth.com`, else `/oauth/authorize`"},
    {"sources.*.token_url", Form::kText, "/oauth/token", "token endpoint, or its path"},
    {"sources.*.revoke_url", Form::kText, "/oauth/revoke_token", "where a consent is ended; empty: nowhere"},
    {"sources.*.token_request", Form::kChoice, "form", "what the token endpoint takes", "form|json"},
    {"sources.*.token_seconds", Form::kCount, "3600", "how long a token is good where the answer does not say", "", 60,
     31'536'000},
    {"sources.*.scope", Form::kText, "", "scope to ask consent for; empty: none is named"},
    {"sources.*.pkce", Form::kBoolean, "true", "send a code challenge (RFC 7636)"},
    {"sources.*.refresh_redirect_uri", Form::kBoolean, "false", "name the redirect URI in a refresh too"},
    {"sources.*.media_type", Form::kText, "application/vnd.api+json", "content type of API requests"},
    {"sources.*.me_path", Form::kText, "/practitioners/me", "the Practitioner endpoint: who has consented"},
    {"sources.*.practitioner_path", Form::kText, "/practitioners/{id}", "one practitioner of the clinic"},
    {"sources.*.practitioner_pointer", Form::kText, "/data/id", "where `me_path` names the practitioner (RFC 6901)"},
    {"sources.*.clinic_pointer", Form::kText, "/data/relationships/clinic/data/id", "where it names the clinic"},
    {"sources.*.orders_path", Form::kText, "/orders", "the clinic's orders, in pages"},
    {"sources.*.order_path", Form::kText, "/orders/{id}", "one order"},
    {"sources.*.order_intents_path", Form::kText, "/order-intents", "where order intents are made"},
    {"sources.*.patient_path", Form::kText, "/patients/{id}",
     "one patient of the clinic; empty: patients are not asked for"},
    {"sources.*.page_size", Form::kCount, "100", "orders asked for at once", "", 1, 1'000},
    {"sources.*.requests_per_second", Form::kCount, "10", "requests to its API; `Retry-After` is obeyed besides", "", 1,
     10'000},
    {"sources.*.document_hosts", Form::kList, "",
     "hosts whose document links are fetched: `files.example.com`, `.example.com`; default: the host of `api`"},
    {"sources.*.documents_need_token", Form::kBoolean, "false",
     "send the access token with a download, to the host of `api` only"},
    {"sources.*.renew_on", Form::kList, "401,403,404,410",
     "answers to a download that mean the link is dead: the order is read again for a fresh one"},
    {"documents.size", Form::kBytes, "32 MiB", "largest document", "", 1, 47 << 20},
    {"documents.timeout_seconds", Form::kCount, "60", "for one download", "", 1, 3'600},
    {"documents.wait_seconds", Form::kCount, "600", "a result waits so long for its documents, then is told without",
     "", 0, 604'800},
    {"documents.give_up_seconds", Form::kCount, "604800", "so long a document is tried", "", 60, 31'536'000},
    {"documents.retry_seconds", Form::kCount, "5", "before the second attempt; doubles from there", "", 1, 3'600},
    {"documents.retry_most_seconds", Form::kCount, "3600", "most between two attempts", "", 1, 86'400},
    {"documents.at_once", Form::kCount, "4", "downloads at the same time", "", 1, 64},
    {"reconcile.every_seconds", Form::kCount, "21600",
     "how often each clinic's orders are read from the network's API and compared; 0: only when asked", "", 0,
     31'536'000},
    {"reconcile.window_seconds", Form::kCount, "2592000", "orders submitted earlier are left out of that", "", 3'600,
     SettingKind::kNoLimit},
    {"limits.body", Form::kBytes, "32 MiB", "largest request body; beyond: 413", "", 1, 32 << 20},
    {"limits.head", Form::kBytes, "16 KiB", "largest request head; beyond: 431"},
    {"limits.in_flight", Form::kBytes, "256 MiB",
     "all bodies of the public listener that are not answered yet; beyond: 503"},
    {"limits.connections", Form::kCount, "20000", "connections of the public listener; beyond: 503", "", 1, 1'000'000},
    {"limits.queue", Form::kBytes, "64 MiB", "events that wait to be made durable; beyond: 503"},
    {"limits.free_space", Form::kBytes, "256 MiB", "space that must stay free for data_dir; below: 503"},
    {"limits.idle_seconds", Form::kCount, "75", "how long a connection may stay open without a request", "", 1, 3600},
    {"limits.key_requests_per_second", Form::kCount, "200", "requests of one API key, in the long run; beyond: 429", "",
     1, 1'000'000},
    {"limits.key_burst", Form::kCount, "400", "requests of one API key at once; beyond: 429", "", 1, 1'000'000},
    {"delivery.allow", Form::kList, "",
     "addresses that webhooks may go to although they are not public: `10.1.2.0/24`, `127.0.0.1:9000`, "
     "`hooks.example.com`"},
    {"delivery.allow_http", Form::kBoolean, "false", "let webhooks go by plain http"},
    {"delivery.ca_file", Form::kText, "",
     "PEM bundle that receivers' certificates are checked with, relative to the folder of this file; empty: the "
     "system's"},
    {"delivery.schedule", Form::kList, "0s, 5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h",
     "the delay before each attempt, ±20 %; after the last a delivery is a dead letter"},
    {"delivery.timeout_ms", Form::kCount, "15000", "time limit of a whole request", "", 10, 300'000},
    {"delivery.lease_ms", Form::kCount, "60000",
     "how long a worker has a delivery for itself; at least 5000 more than timeout_ms", "", 1'000, 3'600'000},
    {"delivery.in_flight", Form::kCount, "2048", "requests at a time, over all endpoints", "", 1, 20'000},
    {"delivery.response", Form::kBytes, "64 KiB", "most that is read of an answer; its first 512 bytes are kept", "", 1,
     16 << 20},
    {"delivery.breaker_failures", Form::kCount, "5",
     "failures in a row after which an endpoint is sent one request at a time, after a pause", "", 1, 1'000},
    {"delivery.breaker_ms", Form::kCount, "30000", "the first pause; it doubles up to 20 times that", "", 1, 3'600'000},
    {"delivery.disable_after_hours", Form::kCount, "120", "an endpoint that has failed for so long is disabled", "", 1,
     8'760},
    {"delivery.keep_days", Form::kCount, "30", "how long ended deliveries are kept; dead letters stay", "", 1, 36'500},
    {"critical.escalate_after", Form::kList, "15m, 1h, 4h",
     "how long a critical result may wait for an acknowledgement before each escalation is told; ascending; empty: "
     "none "
     "is"},
    {"critical.escalate_younger_than_hours", Form::kCount, "168",
     "what the network told longer ago when somebody could first see it is listed, and nobody is alarmed", "", 1,
     87'600},
    {"log.level", Form::kChoice, "info", "least severe event that is logged", "debug|info|warning|error|off"},
};

struct VendorDefault {
  std::string_view vendor, key, value;
};
constexpr VendorDefault kVendorDefaults[] = {
    {"generic", "signature", "standard-webhooks"},
    {"generic", "event_types", "*"},
    {"fullscript", "signature", "fullscript"},
    {"fullscript", "event_types", "lab_order.updated"},
    {"fullscript", "other_event_types",
     "order.placed,patient.created,patient.updated,treatment_plan.created,treatment_plan.updated,"
     "treatment_plan.recommendation.updated,clinic_key.activated,clinic_key.revoked"},
    {"fullscript", "token_url", "/api/oauth/token"},
    {"fullscript", "revoke_url", "/api/oauth/revoke"},
    {"fullscript", "token_request", "json"},
    {"fullscript", "token_seconds", "7200"},
    {"fullscript", "client_authentication", "body"},
    {"fullscript", "pkce", "false"},
    {"fullscript", "refresh_redirect_uri", "true"},
    {"fullscript", "media_type", "application/json"},
    {"fullscript", "me_path", "/api/clinic"},
    {"fullscript", "practitioner_path", ""},
    {"fullscript", "practitioner_pointer", ""},
    {"fullscript", "clinic_pointer", "/clinic/id"},
    {"fullscript", "orders_path", "/api/clinic/labs/orders"},
    {"fullscript", "order_path", "/api/clinic/labs/orders/{id}"},
    {"fullscript", "order_intents_path", ""},
    {"fullscript", "patient_path", ""},
};

}  // namespace

std::optional<std::string_view> vendor_default(std::string_view vendor, std::string_view key) {
  for (const VendorDefault& one : kVendorDefaults) {
    if (one.vendor == vendor && one.key == key) return one.value;
  }
  return std::nullopt;
}

std::span<const SettingKind> setting_kinds() {
  return kKinds;
}

std::optional<std::int64_t> parse_bytes(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"", 1},          {"B", 1},          {"kB", 1'000},
      {"KB", 1'000},    {"MB", 1'000'000}, {"GB", 1'000'000'000},
      {"KiB", 1 << 10}, {"MiB", 1 << 20},  {"GiB", std::int64_t{1} << 30U}};
  for (const auto& [name, bytes] : kUnits) {
    if (unit != name) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / bytes) return std::nullopt;
    return number * bytes;
  }
  return std::nullopt;
}

}  // namespace resultsync::cli
