// The bodies of events, read from the event log for one answer. Used by one thread at a time.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "store/event_log.hpp"

namespace resultsync::api {

struct Body {
  std::string bytes;
  std::string_view unavailable;  // why it could not be read ("erased", "corrupt_record", …); empty if it could
};

class Bodies {
 public:
  explicit Bodies(const store::EventLog& log) : log_(log) {}
  // Items of one page often show the same event: the last few bodies are kept. Shared between that memory and whoever
  // renders.
  std::shared_ptr<const Body> of(Sequence record);
  // These are asked for next. Changes nothing but what they cost.
  void look_ahead(std::span<const Sequence> records);

 private:
  std::shared_ptr<const Body> keep(Sequence record, Body body);

  const store::EventLog& log_;
  std::map<Sequence, std::shared_ptr<const Body>> kept_;
  std::size_t kept_bytes_ = 0;
};

}  // namespace resultsync::api
