// Patients of the network's directory, for whoever holds an order and wants to know whom it is about: events name them
// by id only. Asked for when somebody asks, kept in memory for a while, and nowhere else (decision 0035).
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/secret.hpp"
#include "network/api_client.hpp"
#include "network/documents.hpp"

namespace resultsync::network {

// Blocks; thread-safe.
class Patients {
 public:
  Patients(const World& world, ApiClient& api) : world_(world), api_(api) {}

  struct Patient {
    Phi<std::string> attributes;  // a JSON object, as the network has them
    Timestamp read_at;
  };
  // By a consent of the clinic (any of the source, where the clinic is not known). What is older than kFresh is read
  // anew; where the network cannot be asked just now, what was read before is given up to kKept. Errors: `no_api`,
  // store::kNoConsent, those of ApiClient::get; `bad_response`.
  Result<Patient> get(const SourceId& source, const ClinicId& clinic, const PatientId& patient);

  static constexpr std::chrono::minutes kFresh{10};
  static constexpr std::chrono::hours kKept{24};
  static constexpr std::size_t kMax = 10'000;

 private:
  Result<Patient> read(const SourceSettings& source, const ClinicId& clinic, const PatientId& patient);
  void keep(const std::pair<SourceId, PatientId>& name, const Patient& patient);

  const World& world_;
  ApiClient& api_;
  std::mutex mutex_;
  std::map<std::pair<SourceId, PatientId>, Patient> kept_;  // guarded by mutex_
};

}  // namespace resultsync::network
