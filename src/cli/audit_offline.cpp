#include "cli/audit_offline.hpp"

#include <pwd.h>
#include <unistd.h>

#include "cli/chosen_store.hpp"
#include "runtime/clock.hpp"

namespace resultsync::cli {
namespace {

// The user who runs this, by the name that the system has for them.
std::string user_name() {
  const passwd* user = ::getpwuid(::geteuid());
  return user != nullptr ? user->pw_name : std::to_string(::geteuid());
}

}  // namespace

Result<void> audit_reading(const ServerOptions& server, const std::string& data_dir, const std::string& action,
                           std::vector<std::string> objects) {
  auto log = open_audit_beside(server, data_dir);
  if (!log) return forward_error(std::move(log));
  store::AuditRow row;
  row.at = runtime::SystemClock().now();
  row.actor = "cli:" + user_name();
  row.action = action;
  row.objects = std::move(objects);
  row.outcome = "begun";
  return (*log)->append(row);
}

}  // namespace resultsync::cli
