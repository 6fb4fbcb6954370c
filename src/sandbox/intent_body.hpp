// What a client posts to make or change patients and order intents: JSON:API, or the flat form of the network's browser
// library. PURE: reads and checks the shape; whether ids exist is the caller's to see.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/api_error.hpp"

namespace resultsync::sandbox {

struct PatientBody {
  std::optional<std::string> first_name, last_name, email, phone, birthday, gender;
  std::optional<std::string> street, city, state, zipcode;
};

struct IntentBody {
  std::optional<std::string> return_url, patient;  // `patient`: an id
  std::optional<PatientBody> patient_data;
  std::optional<std::vector<std::string>> lab_tests;
  std::optional<std::string> metadata;  // one JSON value
};

enum class BodyForm { kJsonApi, kFlat };
enum class Completeness { kWhole, kPatch };  // a patch may leave everything out

// Either the body, or every error that it has.
template <class Body>
struct ReadBody {
  Body body;
  std::vector<ApiError> errors;
};
ReadBody<IntentBody> read_intent(std::string_view json, BodyForm form, Completeness completeness);
ReadBody<PatientBody> read_patient(std::string_view json, Completeness completeness);

}  // namespace resultsync::sandbox
