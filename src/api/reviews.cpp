// Signatures and critical results: /v1/results/{ordered_test}/reviews, …/versions/{version}/reviews,
// …/versions/{version}/acknowledge and /v1/critical (decision 0030).
#include "api/reviews.hpp"

#include <algorithm>
#include <ranges>

#include "api/cursor.hpp"
#include "api/fields.hpp"
#include "api/results.hpp"
#include "base/secret.hpp"

namespace resultsync::api {
namespace {

using store::CriticalState;

constexpr std::size_t kNoteBytesMax = 4'000;
constexpr std::size_t kPageBytesMax = 8 * 1024 * 1024;
constexpr std::string_view kReopened = "reopened";
constexpr std::string_view kUsualAction = "reviewed";

// What a note is sealed for: it opens beside the version it was written of, and nowhere else.
std::string name_of_note(std::string_view kind, store::OrderKey order, const OrderedTestId& test, int version) {
  return std::string(kind) + ' ' + std::to_string(order.value) + ' ' + std::to_string(version) + ' ' + test.text();
}

std::string sealed_note(const Service& service, const std::string& name, const std::optional<Phi<std::string>>& note) {
  return note ? service.notes.seal(name, note->reveal()) : std::string();
}

void write_note(JsonWriter& json, const Service& service, const std::string& name, const std::string& sealed) {
  const auto note = sealed.empty() ? Result<std::string>(std::string()) : service.notes.open(name, sealed);
  json.key("note");
  note && !note->empty() ? json.string(*note) : json.null();
  if (!note) json.member("note_unavailable", note.error().code);
}

void write_signature_members(JsonWriter& json, const store::SignatureRow& row) {
  json.member("version", row.version)
      .member("practitioner", row.practitioner.text())
      .member("action", row.action)
      .member("signed_at", format_timestamp(row.signed_at));
}

void write_signature(JsonWriter& json, const Service& service, const store::SignatureRow& row) {
  json.begin_object();
  write_signature_members(json, row);
  json.member("was_current", row.was_current).member("signed_with", row.signed_with);
  write_note(json, service, name_of_note("signature", row.order, row.test, row.version), row.note);
  json.end_object();
}

// What is critical, without who acknowledged it.
void write_critical_members(JsonWriter& json, const store::CriticalRow& row) {
  json.member("version", row.version).member("state", store::name_of(row.state));
  time_member(json, "opened_at", row.opened_at);
  json.key("seen_since");
  row.clock_at == Timestamp{} ? json.null() : json.string(format_timestamp(row.clock_at));
  json.member("steps_told", row.steps).key("next_step_at");
  row.next_at == Timestamp{} ? json.null() : json.string(format_timestamp(row.next_at));
  json.key("ended_at");
  row.ended_at == Timestamp{} ? json.null() : json.string(format_timestamp(row.ended_at));
}

void write_critical(JsonWriter& json, const Service& service, const store::CriticalRow& row,
                    const std::vector<store::CriticalAcknowledgement>& acknowledgements) {
  json.begin_object()
      .member("ordered_test_id", row.test.text())
      .member("source", row.source.text())
      .member("order_id", row.order.text());
  id_member(json, "patient_id", row.patient.text());
  id_member(json, "clinic_id", row.clinic.text());
  write_critical_members(json, row);
  json.key("acknowledgements").begin_array();
  for (const auto& one : acknowledgements) {
    json.begin_object()
        .member("practitioner", one.practitioner.text())
        .member("acknowledged_at", format_timestamp(one.at))
        .member("acknowledged_with", one.with);
    write_note(json, service, name_of_note("critical", row.order_key, row.test, row.version), one.note);
    json.end_object();
  }
  json.end_array().member("url", store::link_to_version(row.source, row.order, row.test, row.version)).end_object();
}

// Writes rows up to the size of a page, in rows and in bytes (P3: notes are long). How many.
std::size_t write_page(JsonWriter& json, const auto& rows, std::size_t size, const auto& write) {
  std::size_t shown = 0;
  for (const auto& row : rows | std::views::take(size)) {
    write(row);
    ++shown;
    if (json.text().size() > kPageBytesMax) break;
  }
  return shown;
}

// Who says something of which version.
struct Statement {
  std::string practitioner;
  std::optional<Phi<std::string>> note;
};
Statement read_statement(Fields& fields) {
  Statement statement;
  statement.practitioner = fields.required_text("practitioner").value_or("");
  if (auto note = fields.prose("note", kNoteBytesMax)) statement.note = Phi<std::string>(std::move(*note));
  return statement;
}

// The version that the path names, of a result that the practitioner sees.
struct NamedVersion {
  FoundResult found;
  store::PractitionerKey practitioner;
  int version = 0;
  [[nodiscard]] bool is_current() const { return version == found.test().current(); }
};
Checked<NamedVersion> find_version(const Service& service, store::ViewsSnapshot& snapshot, const Call& call,
                                   const std::string& practitioner) {
  const auto sight = sight_of(snapshot, call, practitioner);
  if (!sight) return std::unexpected(sight.error());
  auto found = find_result(service, snapshot, call, *sight);
  if (!found) return std::unexpected(found.error());
  const auto number = version_number(call.path[1]);
  if (!number || !told_place_of(found->test(), *number, found->told_missing)) return std::unexpected(unknown_version());
  call.objects.add("practitioner", practitioner);
  call.objects.add("orders", found->row.order.text());
  return NamedVersion{std::move(*found), sight->practitioner, *number};
}

Problem outdated_version(std::string title) {
  return {.status = 409, .code = "outdated_version", .title = std::move(title)};
}
Problem not_critical(std::string title) {
  return {.status = 409, .code = "not_critical", .title = std::move(title)};
}

void end_by_acknowledgement(store::ViewsTransaction& transaction, store::CriticalRow& row, Timestamp now) {
  row.state = CriticalState::kAcknowledged;
  row.ended_at = now;
  row.next_at = {};
  row.reconsider = false;
  transaction.reviews().save_critical(row);
}

}  // namespace

Judged judged(const store::LastSaid& said, const store::LastSaid::OfTest& test, store::Review review) {
  Judged judged{.review = review, .last = {}, .critical = {}};
  if (const auto last = said.signatures.find(test); last != said.signatures.end()) judged.last = last->second;
  if (const auto last = said.criticals.find(test); last != said.criticals.end()) judged.critical = last->second;
  return judged;
}

void write_judged(JsonWriter& json, const Judged& judged) {
  json.key("review").begin_object().member("state", store::name_of(judged.review)).key("last");
  if (judged.last) {
    json.begin_object();
    write_signature_members(json, *judged.last);
    json.end_object();
  } else {
    json.null();
  }
  json.end_object().key("critical");
  if (judged.critical) {
    json.begin_object();
    write_critical_members(json, *judged.critical);
    json.end_object();
  } else {
    json.null();
  }
}

void write_last_review(JsonWriter& json, const std::optional<store::SignatureRow>& signature) {
  json.key("last_review");
  if (!signature) {
    json.null();
    return;
  }
  json.begin_object();
  write_signature_members(json, *signature);
  json.end_object();
}

Reply post_review(Service& service, const Call& call) {
  auto fields = Fields::parse(call.body, {"practitioner", "action", "note", "allow_outdated"});
  if (!fields) return fields.error();
  const Statement statement = read_statement(*fields);
  const std::string action =
      fields->choice("action", {kUsualAction, "follow_up", "contacted_patient", "repeat_test", "referred", kReopened})
          .value_or(std::string(kUsualAction));
  const bool allow_outdated = fields->boolean("allow_outdated").value_or(false);
  if (auto problem = fields->problem()) return *problem;

  const auto transaction = service.context.views.begin();
  auto& snapshot = transaction->read();
  const auto named = find_version(service, snapshot, call, statement.practitioner);
  if (!named) return named.error();
  const store::ResultRow& result = named->found.row;
  const bool is_current = named->is_current();
  if (!is_current && !allow_outdated) {
    return outdated_version("Version " + std::to_string(named->found.test().current()) +
                            " is current: read that one first. An old version is signed only with allow_outdated.");
  }
  call.objects.add("action", action);

  const Timestamp now = service.context.clock.now();
  store::SignatureRow row{.key = {},
                          .order = result.order_key,
                          .test = result.test,
                          .version = named->version,
                          .practitioner_key = named->practitioner,
                          .practitioner = AppPractitionerId(statement.practitioner),
                          .action = action,
                          .note = {},
                          .was_current = is_current,
                          .signed_at = now,
                          .signed_with = call.caller.name};
  row.note = sealed_note(service, name_of_note("signature", row.order, row.test, row.version), statement.note);
  transaction->reviews().add_signature(row);
  store::Review review = result.review;
  if (is_current) {
    review = action == kReopened ? store::Review::kUnreviewed : store::Review::kReviewed;
    transaction->reviews().set_review(row.order, row.test, review);
  }
  // Whoever has signed what is current has seen what is critical of it.
  if (is_current && action != kReopened) {
    auto critical = snapshot.reviews().last_critical(row.order, row.test);
    if (critical && critical->state == CriticalState::kOpen) {
      transaction->reviews().add_acknowledgement({.critical = critical->key,
                                                  .practitioner_key = row.practitioner_key,
                                                  .practitioner = row.practitioner,
                                                  .note = {},
                                                  .at = now,
                                                  .with = row.signed_with});
      end_by_acknowledgement(*transaction, *critical, now);
    }
  }
  JsonWriter json;
  json.begin_object()
      .member("ordered_test_id", result.test.text())
      .member("source", result.source.text())
      .member("order_id", result.order.text())
      .member("state", store::name_of(review))
      .key("review");
  write_signature(json, service, row);
  json.end_object();
  if (const auto committed = transaction->commit(); !committed) return store_failed(committed.error());
  if (service.context.reviewed) service.context.reviewed();
  return json_response(201, json);
}

Reply list_reviews(Service& service, const Call& call) {
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  store::SignatureKey before;
  if (const auto text = call.parameters.text("after")) {
    const auto place = parse_signature_cursor(*text);
    if (!place) return bad_cursor();
    before = *place;
  }
  const auto snapshot = service.context.views.snapshot();
  const auto sight = sight_of(*snapshot, call, call.parameters.text("practitioner"));
  if (!sight) return sight.error();
  const auto found = find_result(service, *snapshot, call, *sight);
  if (!found) return found.error();
  call.objects.add("orders", found->row.order.text());
  const auto size = static_cast<std::size_t>(*limit);
  const auto rows = snapshot->reviews().signatures(found->row.order_key, found->row.test, before, size + 1);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  JsonWriter json;
  json.begin_object().member("state", store::name_of(found->row.review)).key("items").begin_array();
  const std::size_t shown = write_page(json, rows, size, [&](const auto& row) { write_signature(json, service, row); });
  json.end_array().key("next");
  shown < rows.size() ? json.string(format_signature_cursor(rows[shown - 1].key)) : json.null();
  json.end_object();
  return json_response(200, json);
}

Reply acknowledge_critical(Service& service, const Call& call) {
  auto fields = Fields::parse(call.body, {"practitioner", "note"});
  if (!fields) return fields.error();
  const Statement statement = read_statement(*fields);
  if (auto problem = fields->problem()) return *problem;

  const auto transaction = service.context.views.begin();
  auto& snapshot = transaction->read();
  const auto named = find_version(service, snapshot, call, statement.practitioner);
  if (!named) return named.error();
  const store::ResultRow& result = named->found.row;
  auto row = snapshot.reviews().critical_version(result.order_key, result.test, named->version);
  if (!row) return not_critical("This version has no value that the lab flagged as critical.");
  if (row->state == CriticalState::kSuperseded) {
    const auto newest = snapshot.reviews().last_critical(result.order_key, result.test);
    return outdated_version("Version " + std::to_string(newest ? newest->version : named->found.test().current()) +
                            " is critical too: read and acknowledge that one.");
  }
  if (row->state == CriticalState::kNoLongerCritical || row->state == CriticalState::kWithdrawn)
    return not_critical("The lab has taken back what was critical: read what is current.");

  const Timestamp now = service.context.clock.now();
  const bool is_first = row->state == CriticalState::kOpen;
  const auto before = snapshot.reviews().acknowledgements(row->key);
  const bool is_known =
      std::ranges::find(before, named->practitioner, &store::CriticalAcknowledgement::practitioner_key) != before.end();
  // The same practitioner again, with nothing to add, changes nothing.
  if (!is_known || statement.note) {
    const std::string name = name_of_note("critical", row->order_key, row->test, row->version);
    transaction->reviews().add_acknowledgement({.critical = row->key,
                                                .practitioner_key = named->practitioner,
                                                .practitioner = AppPractitionerId(statement.practitioner),
                                                .note = sealed_note(service, name, statement.note),
                                                .at = now,
                                                .with = call.caller.name});
  }
  if (is_first) end_by_acknowledgement(*transaction, *row, now);
  JsonWriter json;
  write_critical(json, service, *row, snapshot.reviews().acknowledgements(row->key));
  if (const auto committed = transaction->commit(); !committed) return store_failed(committed.error());
  if (service.context.reviewed) service.context.reviewed();
  return json_response(is_first ? 201 : 200, json);
}

Reply list_critical(Service& service, const Call& call) {
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  const auto source = source_filter(service.context, call.parameters);
  if (!source) return source.error();
  store::CriticalFilter filter{.sight = {}, .source = *source, .state = CriticalState::kOpen};
  if (const auto state = call.parameters.text("state")) {
    filter.state = store::critical_state_named(*state);
    if (!filter.state && *state != "any") {
      return bad_parameter("state", "is none of open, acknowledged, superseded, no_longer_critical, withdrawn, any");
    }
  }
  store::CriticalKey after;
  if (const auto text = call.parameters.text("after")) {
    const auto place = parse_critical_cursor(*text);
    if (!place) return bad_cursor();
    after = *place;
  }
  const auto snapshot = service.context.views.snapshot();
  const auto sight = sight_of(*snapshot, call, call.parameters.text("practitioner"));
  if (!sight) return sight.error();
  filter.sight = *sight;
  const auto size = static_cast<std::size_t>(*limit);
  const auto rows = snapshot->reviews().critical(filter, after, size + 1);
  JsonWriter json;
  json.begin_object().key("items").begin_array();
  const std::size_t shown = write_page(json, rows, size, [&](const auto& row) {
    call.objects.add("orders", row.order.text());
    write_critical(json, service, row, snapshot->reviews().acknowledgements(row.key));
  });
  json.end_array().key("next");
  shown < rows.size() ? json.string(format_critical_cursor(rows[shown - 1].key)) : json.null();
  json.end_object();
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  return json_response(200, json);
}

}  // namespace resultsync::api
