#include "cli/audit_offline.hpp"

#include <pwd.h>
#include <unistd.h>

#include "runtime/clock.hpp"
#include "store/sqlite/sqlite_views.hpp"

namespace resultsync::cli {
namespace {

// The user who runs this, by the name that the system has for them.
std::string user_name() {
  const passwd* user = ::getpwuid(::geteuid());
  return user != nullptr ? user->pw_name : std::to_string(::geteuid());
}

}  // namespace

Result<void> audit_reading(const std::string& data_dir, const std::string& action, std::vector<std::string> objects) {
  auto views = store::open_sqlite_views_beside(data_dir);
  if (!views) return forward_error(std::move(views));
  store::AuditRow row;
  row.at = runtime::SystemClock().now();
  row.actor = "cli:" + user_name();
  row.action = action;
  row.objects = std::move(objects);
  row.outcome = "begun";
  const auto transaction = (*views)->begin();
  transaction->audit().append({&row, 1});
  return transaction->commit();
}

}  // namespace resultsync::cli
