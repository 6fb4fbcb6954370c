// The names that deliveries and jobs go by outside of the store. Pure.
//
//   dlv_1a_3f09…   a delivery: its key and its nonce, in hexadecimal. The nonce keeps the name from being given again
//   to
//                  another delivery after a restore. It is the `webhook-id` of every attempt (D2).
//   job_7          a job
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/deliveries.hpp"

namespace resultsync::delivery {

struct DeliveryName {
  store::DeliveryKey key;
  std::int64_t nonce = 0;
};

std::string delivery_id(store::DeliveryKey key, std::int64_t nonce);
// Nothing for any text that delivery_id() does not make.
std::optional<DeliveryName> parse_delivery_id(std::string_view text);

std::string job_id(store::JobKey key);
std::optional<store::JobKey> parse_job_id(std::string_view text);

}  // namespace resultsync::delivery
