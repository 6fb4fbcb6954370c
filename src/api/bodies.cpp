#include "api/bodies.hpp"

#include <set>
#include <vector>

namespace resultsync::api {
namespace {
constexpr std::size_t kKeptBytesMax = 8 * 1024 * 1024;
}

std::shared_ptr<const Body> Bodies::of(Sequence record) {
  if (const auto kept = kept_.find(record); kept != kept_.end()) return kept->second;
  auto read = log_.at(record);
  if (!read) return keep(record, {.bytes = {}, .unavailable = read.error().code});
  return keep(record, {.bytes = std::move(read->record.body), .unavailable = {}});
}

void Bodies::look_ahead(std::span<const Sequence> records) {
  std::set<Sequence> wanted(records.begin(), records.end());
  std::erase_if(wanted, [&](Sequence record) { return kept_.contains(record); });
  for (store::StoredRecord& found : log_.some_of(std::vector(wanted.begin(), wanted.end()), kKeptBytesMax / 2))
    keep(found.sequence, {.bytes = std::move(found.record.body), .unavailable = {}});
}

std::shared_ptr<const Body> Bodies::keep(Sequence record, Body said) {
  auto body = std::make_shared<const Body>(std::move(said));
  if (kept_bytes_ + body->bytes.size() > kKeptBytesMax) {
    kept_.clear();
    kept_bytes_ = 0;
  }
  kept_bytes_ += body->bytes.size();
  kept_.emplace(record, body);
  return body;
}

}  // namespace resultsync::api
