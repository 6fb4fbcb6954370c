#include "api/bodies.hpp"

namespace resultsync::api {
namespace {
constexpr std::size_t kKeptBytesMax = 8 * 1024 * 1024;
}

std::shared_ptr<const Body> Bodies::of(Sequence record) {
  if (const auto kept = kept_.find(record); kept != kept_.end()) return kept->second;
  auto read = log_.at(record);
  auto body = std::make_shared<Body>();
  if (read) {
    body->bytes = std::move(read->record.body);
  } else {
    body->unavailable = read.error().code;
  }
  if (kept_bytes_ + body->bytes.size() > kKeptBytesMax) {
    kept_.clear();
    kept_bytes_ = 0;
  }
  kept_bytes_ += body->bytes.size();
  kept_.emplace(record, body);
  return body;
}

}  // namespace resultsync::api
