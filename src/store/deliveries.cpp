#include "store/deliveries.hpp"

#include <algorithm>

namespace resultsync::store {
namespace {

bool holds(const std::vector<std::string>& list, std::string_view value) {
  return list.empty() || std::ranges::find(list, value) != list.end();
}

}  // namespace

bool EndpointFilter::takes_type(std::string_view type) const {
  const bool operational = type.starts_with("endpoint.") || type.starts_with("critical.");
  if (types.empty()) return !operational;
  return std::ranges::any_of(types, [&](const std::string& wanted) {
    return wanted == type ||
           (wanted.ends_with(".*") && type.starts_with(std::string_view(wanted).substr(0, wanted.size() - 1)));
  });
}

bool EndpointFilter::takes(std::string_view type, const ConnectionRow& connection) const {
  return takes_type(type) && holds(practitioners, connection.app_practitioner.text()) &&
         holds(clinics, connection.clinic.text());
}

std::string_view name_of(EndpointState state) {
  switch (state) {
    case EndpointState::kEnabled:
      return "enabled";
    case EndpointState::kPaused:
      return "paused";
    case EndpointState::kDisabled:
      return "disabled";
    case EndpointState::kDeleted:
      return "deleted";
  }
  return "";
}

std::string_view name_of(PayloadForm form) {
  return form == PayloadForm::kFull ? "full" : "thin";
}

std::string_view name_of(DeliveryState state) {
  switch (state) {
    case DeliveryState::kPending:
      return "pending";
    case DeliveryState::kHeld:
      return "held";
    case DeliveryState::kInFlight:
      return "in_flight";
    case DeliveryState::kDelivered:
      return "delivered";
    case DeliveryState::kDead:
      return "dead";
    case DeliveryState::kSkipped:
      return "skipped";
  }
  return "";
}

std::optional<DeliveryState> delivery_state_named(std::string_view name) {
  using enum DeliveryState;
  for (const DeliveryState state : {kPending, kHeld, kInFlight, kDelivered, kDead, kSkipped}) {
    if (name_of(state) == name) return state;
  }
  return std::nullopt;
}

std::string_view name_of(Job::Kind kind) {
  return kind == Job::Kind::kReplay ? "replay" : "retry";
}

std::string_view name_of(Job::State state) {
  switch (state) {
    case Job::State::kRunning:
      return "running";
    case Job::State::kFinished:
      return "finished";
    case Job::State::kCancelled:
      return "cancelled";
  }
  return "";
}

}  // namespace resultsync::store
