#include "results/parents.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace resultsync::results {
namespace {

using ByNumber = std::unordered_map<std::string_view, std::uint32_t>;

std::uint32_t report_named(const ParentLink& link, const ByNumber& by_filler, const ByNumber& by_placer) {
  if (const auto found = by_filler.find(link.filler.id); !link.filler.empty() && found != by_filler.end())
    return found->second;
  if (const auto found = by_placer.find(link.placer.id); !link.placer.empty() && found != by_placer.end())
    return found->second;
  return kNone;
}

std::uint32_t observation_named(const ParentLink& link, const Report& report) {
  for (std::uint32_t i = 0; i < report.observations.size(); ++i) {
    const Observation& observation = report.observations[i];
    if (share_a_code(observation.code, link.observation) && observation.sub_id == link.sub_id) return i;
  }
  return kNone;
}

}  // namespace

void link_parents(std::vector<Report>& reports) {
  const auto is_child = [](const Report& report) { return !report.parent.empty(); };
  if (std::ranges::none_of(reports, is_child)) return;
  ByNumber by_filler, by_placer;
  for (std::uint32_t i = 0; i < reports.size(); ++i) {
    if (!reports[i].filler.empty()) by_filler.try_emplace(reports[i].filler.id, i);
    if (!reports[i].placer.empty()) by_placer.try_emplace(reports[i].placer.id, i);
  }
  for (std::uint32_t i = 0; i < reports.size(); ++i) {
    ParentLink& link = reports[i].parent;
    link.report = link.in_report = kNone;
    if (link.empty()) continue;
    link.report = report_named(link, by_filler, by_placer);
    if (link.report == i) link.report = kNone;
    const bool by_place = link.report == kNone && link.filler.empty() && link.placer.empty() && i > 0;
    if (by_place && observation_named(link, reports[i - 1]) != kNone) link.report = i - 1;
    if (link.report != kNone) link.in_report = observation_named(link, reports[link.report]);
  }
}

}  // namespace resultsync::results
