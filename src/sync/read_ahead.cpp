#include "sync/read_ahead.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace resultsync::sync {
namespace {

using store::Dispatch;
using store::Slot;

// How far the dispatcher goes before what the slowest slot has applied: it remembers the events between.
constexpr std::size_t kRecentMax = 65'536;

}  // namespace

std::string name_of_event(const SourceId& source, const EventId& id) {
  return id.empty() ? std::string() : source.text() + '\n' + id.text();
}

Slot slot_of_reading(const store::Record& record, const Reading& reading, std::size_t slots) {
  const orders::Event& event = reading.event;
  if (event.order) return store::slot_of(record.source, "o" + event.order->id.text(), slots);
  if (!event.key.id.empty()) return store::slot_of(record.source, "e" + event.key.id.text(), slots);
  return store::slot_of(record.source, "b" + record.body_sha256.hex(), slots);
}

void ReadAhead::Recent::forget_through(Sequence applied) {
  for (; !order_.empty() && order_.front().first <= applied; order_.pop_front()) {
    records_.erase(order_.front().first.value);
    if (!order_.front().second.empty()) events_.erase(order_.front().second);
  }
}

// An event that comes again is forgotten with its first record: then it is in the views.
void ReadAhead::Recent::add(Sequence record, std::string event, Slot slot) {
  records_.emplace(record.value, slot);
  if (!event.empty() && !events_.try_emplace(event, slot).second) event.clear();
  order_.emplace_back(record, std::move(event));
}

std::optional<Slot> ReadAhead::Recent::slot_of_event(const std::string& event) const {
  const auto found = events_.find(event);
  return found == events_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Slot> ReadAhead::Recent::slot_of_record(Sequence record) const {
  const auto found = records_.find(record.value);
  return found == records_.end() ? std::nullopt : std::optional(found->second);
}

Result<void> ReadAhead::restart(const store::HeldSlots& held, const std::vector<store::SlotProgress>& progress) {
  held_ = held;
  pending_.clear();
  bytes_ = 0;
  dispatches_.clear();
  recent_.clear();
  const auto [least, most] = std::ranges::minmax(progress, {}, &store::SlotProgress::applied);
  through_ = least.applied;
  if (!held_.is_everything() || least.applied == most.applied) return {};
  // Where others have worked before, the slots are not equally far: what is missing of each is told by what was
  // dispatched.
  for (Sequence after = through_; after < most.applied;) {
    auto more = leases_.dispatched(after, kRecentMax);
    if (!more) return forward_error(std::move(more));
    if (more->empty()) break;
    after = more->back().last();
    std::ranges::move(*more, std::back_inserter(dispatches_));
  }
  return {};
}

Result<bool> ReadAhead::read_on(store::ReadLimits limits, Sequence all_applied) {
  if (held_.is_everything()) return read_everything(limits);
  recent_.forget_through(all_applied);
  if (dispatches_.empty()) {
    auto dispatched = leases_.dispatched(through_, limits.records_max);
    if (!dispatched) return forward_error(std::move(dispatched));
    std::ranges::move(*dispatched, std::back_inserter(dispatches_));
  }
  if (!dispatches_.empty()) return read_dispatched(limits);
  if (held_.gives_slots && recent_.size() < kRecentMax) return dispatch(limits);
  return false;
}

Result<bool> ReadAhead::read_everything(store::ReadLimits limits) {
  auto records = log_.read(through_, limits);
  if (!records) return forward_error(std::move(records));
  for (store::StoredRecord& stored : *records) {
    const auto slot = known_slot(stored.sequence);
    while (!dispatches_.empty() && dispatches_.front().last() <= stored.sequence) dispatches_.pop_front();
    auto reading = read_record(stored.record, options_);
    take(std::move(stored), std::move(reading), slot);
  }
  return !records->empty();
}

Result<bool> ReadAhead::read_dispatched(store::ReadLimits limits) {
  const Dispatch& dispatch = dispatches_.front();
  if (dispatch.first > through_.next()) {
    // Whoever hung for longer than its leases last may find that others have applied what it was about to, and that
    // what told the slots of that is gone. It begins anew, behind what is applied now: there is no gap at that place.
    if (std::exchange(gap_after_, through_) != through_) return fail(store::kNotHeld, "others went on meanwhile");
    return fail("slots_gap",
                fmt::format("records {} to {} were given no slot", through_.value + 1, dispatch.first.value - 1),
                "start one instance alone, and tell the makers");
  }
  limits.records_max = std::min<std::size_t>(limits.records_max, dispatch.last().value - through_.value);
  auto records = log_.read(through_, limits);
  if (!records) return forward_error(std::move(records));
  for (store::StoredRecord& stored : *records) {
    const Slot slot = *known_slot(stored.sequence);
    through_ = stored.sequence;
    if (!is_ours(slot) && !held_.gives_slots) continue;
    auto reading = read_record(stored.record, options_);
    if (held_.gives_slots) {
      const EventId id = reading ? reading->event.key.id : EventId{};
      recent_.add(stored.sequence, name_of_event(stored.record.source, id), slot);
    }
    if (is_ours(slot)) take(std::move(stored), std::move(reading), slot);
  }
  if (through_ >= dispatch.last()) dispatches_.pop_front();
  return !records->empty();
}

Result<bool> ReadAhead::dispatch(store::ReadLimits limits) {
  auto records = log_.read(through_, limits);
  if (!records) return forward_error(std::move(records));
  if (records->empty()) return false;
  Dispatch given{.first = records->front().sequence, .slots = {}};
  std::vector<std::optional<Reading>> readings;
  for (const store::StoredRecord& stored : *records) {
    auto& reading = readings.emplace_back(read_record(stored.record, options_));
    const auto slot = slot_for(stored, reading);
    if (!slot) return std::unexpected(slot.error());
    given.slots.push_back(*slot);
    const EventId id = reading ? reading->event.key.id : EventId{};
    recent_.add(stored.sequence, name_of_event(stored.record.source, id), *slot);
  }
  if (auto written = leases_.dispatch(given); !written) return forward_error(std::move(written));
  for (std::size_t i = 0; i < records->size(); ++i) {
    if (is_ours(given.slots[i])) take(std::move((*records)[i]), std::move(readings[i]), given.slots[i]);
  }
  through_ = given.last();
  return true;
}

bool ReadAhead::is_ours(Slot slot) const {
  return std::ranges::binary_search(held_.slots, slot);
}

std::optional<Slot> ReadAhead::known_slot(Sequence record) const {
  if (dispatches_.empty() || record < dispatches_.front().first || record > dispatches_.front().last())
    return std::nullopt;
  return dispatches_.front().slots[record.value - dispatches_.front().first.value];
}

// The body of a receipt that refers to another's is read where it stands, unless that one is remembered.
Result<Slot> ReadAhead::slot_for(const store::StoredRecord& stored, const std::optional<Reading>& reading) const {
  if (const auto slot = recent_.slot_of_record(stored.record.same_body_as); !reading && slot) return *slot;
  std::optional<Reading> referred;
  if (!reading) {
    auto whole = log_.at(stored.sequence);
    if (!whole && whole.error().code == store::kUnavailable) return std::unexpected(whole.error());
    // What cannot be read any more was applied long ago: any slot can write down the receipt.
    if (!whole) return store::slot_of(stored.record.source, stored.record.body_sha256.hex(), held_.of);
    whole->record.same_body_as = {};
    referred = read_record(whole->record, options_);
  }
  const Reading& read = reading ? *reading : *referred;
  if (const auto slot = recent_.slot_of_event(name_of_event(stored.record.source, read.event.key.id))) return *slot;
  return slot_of_reading(stored.record, read, held_.of);
}

void ReadAhead::take(store::StoredRecord stored, std::optional<Reading> reading, std::optional<Slot> slot) {
  through_ = stored.sequence;
  bytes_ += stored.record.body.size();
  pending_.push_back({std::move(stored), std::move(reading), slot});
}

void ReadAhead::drop(std::size_t records) {
  for (; records > 0; --records) {
    bytes_ -= pending_.front().stored.record.body.size();
    pending_.pop_front();
  }
}

}  // namespace resultsync::sync
