// The views in PostgreSQL, shared by all instances of an installation.
//
// One transaction writes at a time, over all instances: begin() takes the installation's writer lock, which the server
// gives back when the transaction ends, or when its process died, hangs (idle_in_transaction_session_timeout) or was
// cut off. So positions are handed out in commit order (D5), nothing falls between "nobody is connected" and a new
// connection (S6), and a step's progress is what its effects are (decision 0027).
#pragma once

#include <functional>
#include <memory>

#include "store/postgres/database.hpp"
#include "store/views.hpp"

namespace resultsync::store {

struct PostgresViewsOptions {
  postgres::ConnectOptions connect;
  std::size_t readers = 4;
  // Told of an error that trying again will not cure: the process must end (fail-stop).
  std::function<void(const Error&)> on_failure;
};

// Creates or migrates the tables. Errors: those of postgres::Database::open() and migrate().
Result<std::unique_ptr<Views>> open_postgres_views(PostgresViewsOptions options);

// The same, without changing anything: begin() must not be called. Error: `older_format`, too.
Result<std::unique_ptr<Views>> open_postgres_views_read_only(PostgresViewsOptions options);

}  // namespace resultsync::store
