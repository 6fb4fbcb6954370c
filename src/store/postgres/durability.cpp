#include "store/postgres/durability.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace resultsync::store::postgres {

bool Durability::sound() const {
  return std::ranges::all_of(findings, &DurabilityFinding::ok);
}

std::string Durability::faults() const {
  std::string text;
  for (const auto& finding : findings) {
    if (!finding.ok) text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", finding.name, finding.detail);
  }
  return text;
}

Durability examine_durability(Database& database, DurabilityWish wish, Timestamp now) {
  Durability durability;
  sql::Query query(database,
                   "SELECT pg_is_in_recovery(), current_setting('synchronous_commit'), current_setting('fsync'), "
                   "current_setting('full_page_writes'), current_setting('synchronous_standby_names'), "
                   "current_setting('data_checksums'), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
  if (!query.next()) {
    const auto status = database.status();
    durability.findings.push_back({"server", false, status ? "no answer" : std::string(status.error().code)});
    return durability;
  }
  const std::string commit = query.text(1);
  const std::string standbys = query.text(4);
  // `local` and `off` answer before a standby has it; `remote_write` before the standby's disk has it.
  const bool waits = commit == "on" || commit == "remote_apply" || (!wish.standby && commit == "local");
  durability.findings.push_back({"primary", !query.boolean(0), query.boolean(0) ? "no, a standby" : "yes"});
  durability.findings.push_back({"synchronous_commit", waits, commit});
  durability.findings.push_back({"fsync", query.text(2) == "on", query.text(2)});
  durability.findings.push_back({"full_page_writes", query.text(3) == "on", query.text(3)});
  durability.findings.push_back(
      {"synchronous_standby_names", !wish.standby || !standbys.empty(), standbys.empty() ? "none" : standbys});
  // Without checksums damage is found late, but nothing acknowledged depends on them: said, not refused.
  durability.findings.push_back({"data_checksums", true, query.text(5)});
  constexpr std::int64_t kSkewMaxSeconds = 60;
  const std::int64_t skew = std::abs(query.integer(6) - now.microseconds) / 1'000'000;
  durability.findings.push_back({"clock", skew <= kSkewMaxSeconds, fmt::format("{} s apart", skew)});
  return durability;
}

}  // namespace resultsync::store::postgres
