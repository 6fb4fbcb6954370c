#include "network/patients.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "orders/json_body.hpp"

namespace resultsync::network {
namespace {

bool is_older(const Patients::Patient& patient, Timestamp now, std::chrono::microseconds age) {
  return now.microseconds - patient.read_at.microseconds > age.count();
}

// The network fails just now, which says nothing of the patient.
bool is_passing(std::string_view code) {
  return code == "network_unavailable" || code == "throttled" || code == "bad_response";
}

}  // namespace

Result<Patients::Patient> Patients::get(const SourceId& source, const ClinicId& clinic, const PatientId& patient) {
  const SourceSettings* settings = settings_of(world_.settings, source);
  if (settings == nullptr || settings->api.empty() || settings->patient_path.empty())
    return fail("no_api", "this source has no API that shows patients in the configuration");
  const std::pair name{source, patient};
  std::optional<Patient> known;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = kept_.find(name); found != kept_.end()) known = found->second;
  }
  if (known && !is_older(*known, world_.clock.now(), kFresh)) return std::move(*known);
  auto read_anew = read(*settings, clinic, patient);
  if (read_anew) {
    keep(name, *read_anew);
  } else if (known && is_passing(read_anew.error().code) && !is_older(*known, world_.clock.now(), kKept)) {
    return std::move(*known);
  }
  return read_anew;
}

Result<Patients::Patient> Patients::read(const SourceSettings& source, const ClinicId& clinic,
                                         const PatientId& patient) {
  const auto consent = consent_for(*world_.views.snapshot(), source.source, clinic);
  if (!consent) return fail(store::kNoConsent, "nobody of this clinic has given a consent that works");
  std::string path = source.patient_path;
  if (const auto at = path.find("{id}"); at != std::string::npos) path.replace(at, 4, percent_encoded(patient.text()));
  const auto answer = api_.get(source, consent->key, path, ApiClient::Patience::kShort);
  if (!answer) return std::unexpected(answer.error());
  const auto data = orders::member(answer->body->root(), "data");
  const auto attributes = orders::member(data, "attributes");
  if (orders::id_text(orders::member(data, "id")) != patient.text() || !attributes || !attributes->is_object())
    return fail("bad_response", "the network's answer is not the patient who was asked for");
  return Patient{Phi<std::string>(std::string(simdjson::minify(*attributes))), world_.clock.now()};
}

void Patients::keep(const std::pair<SourceId, PatientId>& name, const Patient& patient) {
  const std::lock_guard lock(mutex_);
  const Timestamp now = world_.clock.now();
  if (kept_.size() >= kMax) std::erase_if(kept_, [&](const auto& one) { return is_older(one.second, now, kFresh); });
  if (kept_.size() >= kMax) kept_.clear();
  kept_.insert_or_assign(name, patient);
}

}  // namespace resultsync::network
