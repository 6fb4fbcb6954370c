// Items of one practitioner's feed, loaded with all that they are told with: first the rows, from one snapshot of the
// views, then the bodies, from the log.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "api/bodies.hpp"
#include "api/feed_item.hpp"
#include "base/json_writer.hpp"
#include "store/views.hpp"

namespace resultsync::api {

class FeedPage {
 public:
  // Up to `limit` items after the position. Errors are the snapshot's.
  static FeedPage load(store::ViewsSnapshot& snapshot, const store::PractitionerRow& practitioner, std::int64_t after,
                       std::size_t limit, store::Reach reach);

  [[nodiscard]] const std::vector<store::FeedRow>& rows() const { return rows_; }
  // Writes the item of rows()[index] as a JSON object.
  void write_item(JsonWriter& json, std::size_t index, Bodies& bodies) const;
  // All that the items are written with is asked for together: of those that are `wanted`, or of all.
  using Wanted = std::function<bool(const store::FeedRow&)>;
  void look_ahead(Bodies& bodies, const Wanted& wanted = {}) const;
  // To read on after the item.
  [[nodiscard]] std::string cursor_after(std::int64_t position) const;

 private:
  AppPractitionerId practitioner_;
  std::string epoch_;
  std::vector<store::FeedRow> rows_;
  std::map<Sequence, store::EventRow> events_;
  std::map<std::int64_t, std::vector<Sequence>> before_;  // by position: what each result is laid against
  std::map<store::OrderKey, std::vector<store::ToldMissing>> told_missing_;
};

}  // namespace resultsync::api
