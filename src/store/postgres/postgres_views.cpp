#include "store/postgres/postgres_views.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

#include "base/encoding.hpp"
#include "runtime/random.hpp"
#include "store/postgres/feed_window.hpp"
#include "store/postgres/migrations.hpp"
#include "store/postgres/pool.hpp"
#include "store/postgres/slots.hpp"
#include "store/sql/session.hpp"
#include "store/sql/turnstile.hpp"

namespace resultsync::store {
namespace {

using postgres::Database;
using postgres::Pool;
using sql::Turnstile;

// A connection that was never made: every query on it does nothing, and it says why.
class NoDatabase final : public sql::Database {
 public:
  explicit NoDatabase(Error error) { remember(std::move(error)); }
  void execute(const std::string&) override {}
  sql::Statement* prepared(const char*) override { return nullptr; }
};

// Holds the connection, or what stands for it, for a session that is constructed after it.
struct Held {
  explicit Held(Result<std::unique_ptr<Database>> opened) {
    if (opened) {
      real = std::move(*opened);
    } else {
      nothing = std::make_unique<NoDatabase>(opened.error());
    }
  }
  [[nodiscard]] sql::Database& database() const { return real ? *real : static_cast<sql::Database&>(*nothing); }
  std::unique_ptr<Database> real;
  std::unique_ptr<NoDatabase> nothing;
};

// Rows that are asked for as one set; the largest page that the API gives.
constexpr std::size_t kWindowMax = 1000;
constexpr std::int64_t kPositionMax = std::numeric_limits<std::int64_t>::max() - static_cast<std::int64_t>(kWindowMax);

class Snapshot final : private Held, public sql::Session {
 public:
  explicit Snapshot(Pool& pool) : Held(pool.take()), Session(Held::database()), pool_(pool) {
    if (real) real->begin(Database::Mode::kSnapshot);
  }
  std::vector<Dispatch> dispatches() override {
    constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
    return real ? postgres::dispatches(*real, applied(), kAll) : std::vector<Dispatch>{};
  }
  std::vector<FeedRow> feed(PractitionerKey practitioner, std::int64_t after, std::size_t limit, Reach reach) override {
    if (!real || after < 0 || after > kPositionMax) return Session::feed(practitioner, after, limit, reach);
    const auto through = after + static_cast<std::int64_t>(std::min(limit, kWindowMax));
    auto window = postgres::feed_window(*real, practitioner, after, through, reach);
    if (window.is_end || window.items.size() >= limit) return std::move(window.items);
    // Some are not shown. Whoever has left a clinic may have millions of those, so no more windows.
    auto rest = Session::feed(practitioner, through, limit - window.items.size(), reach);
    window.items.insert(window.items.end(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
    return std::move(window.items);
  }
  ~Snapshot() override {
    if (real) real->end_snapshot();
    pool_.give_back(std::move(real));
  }

 private:
  Pool& pool_;
};

class Transaction final : private Held, public sql::WriterSession {
 public:
  Transaction(Result<std::unique_ptr<Database>> opened, std::unique_ptr<Database>& place, sql::KnownFacts& known,
              Turnstile& turnstile, const std::function<void(const Error&)>& on_failure,
              const HeldSlots* held = nullptr, Company company = Company::kAlone)
      : Held(std::move(opened)),
        WriterSession(Held::database(), known, company),
        place_(place),
        turnstile_(turnstile),
        on_failure_(on_failure) {
    if (!real) return;
    real->begin(Database::Mode::kWrite);
    sql::Query(*real, is_alone() ? postgres::kLockWriter : postgres::kShareWriter).next();
    if (held == nullptr || held->owner.empty()) return;
    slots_ = postgres::lock_slots(*real, held->owner);
    owner_ = held->owner;
    if (!held->is_everything() || slots_->gives_slots) return;
    for (SlotProgress& slot : slots_->progress) slot.held = false;  // records may have been given slots meanwhile
  }
  ~Transaction() override {
    if (!committed_) {
      if (is_alone()) known_.clear();  // what it may have added
      if (real) real->rollback();
    }
    if (real && real->usable()) place_ = std::move(real);
    turnstile_.leave();
  }
  [[nodiscard]] std::size_t others_waiting() const override { return turnstile_.waiting(); }
  std::vector<SlotProgress> progress() override { return slots_ ? slots_->progress : WriterSession::progress(); }
  void set_applied(Sequence record) override {
    if (!slots_) return WriterSession::set_applied(record);
    sql::Query(Held::database(),
               "UPDATE slots SET applied = ?1 WHERE applied < ?1 AND slot IN (SELECT slot FROM sync_leases WHERE owner "
               "= ?2)",
               static_cast<std::int64_t>(record.value), owner_)
        .run();
  }
  Result<void> commit() override {
    if (issued() && real) sql::Query(*real, "SELECT pg_notify(current_schema(), 'feed')").next();
    finish();
    auto outcome = real ? real->commit() : Held::database().status();
    committed_ = outcome.has_value();
    const bool goes_on = outcome || outcome.error().code == kUnavailable || outcome.error().code == kNotAlone;
    if (!goes_on && on_failure_) on_failure_(outcome.error());
    return outcome;
  }

 protected:
  void hold_practitioners(const sql::AskedNumbers& keys) override {
    if (is_alone()) return;
    sql::Query(Held::database(),
               "SELECT 1 FROM practitioners WHERE practitioner_key IN " ASKED
               "ORDER BY practitioner_key FOR NO KEY UPDATE",
               keys)
        .next();
  }
  EntryKey next_entry() override {
    constexpr std::int64_t kBlock = 64;
    if (keys_left_ == 0) {
      sql::Query query(Held::database(), "SELECT nextval('entry_blocks')");
      if (!query.next()) return {};
      next_key_ = query.integer(0) * kBlock + 1;
      keys_left_ = kBlock;
    }
    --keys_left_;
    return EntryKey{next_key_++};
  }

 private:
  std::unique_ptr<Database>& place_;
  Turnstile& turnstile_;
  const std::function<void(const Error&)>& on_failure_;
  bool committed_ = false;
  std::optional<postgres::LockedSlots> slots_;  // of the sync step
  std::string owner_;
  // Keys for entries, taken from the sequence of blocks.
  std::int64_t next_key_ = 0;
  std::int64_t keys_left_ = 0;
};

// Whatever the writer asks has its index. A plan that was made while a table was small would go on reading all of it
// until the server next looks how large it is, which may be a minute of a backlog later.
Result<std::unique_ptr<Database>> open_writer(const postgres::ConnectOptions& options) {
  auto opened = Database::open(options);
  if (opened) (*opened)->execute("SET enable_seqscan = off");
  return opened;
}

class PostgresViews final : public Views {
 public:
  PostgresViews(std::unique_ptr<Database> writer, PostgresViewsOptions options)
      : options_(std::move(options)), readers_(options_.connect, options_.readers), writer_(std::move(writer)) {}

  std::unique_ptr<ViewsTransaction> begin() override { return begin(nullptr, Company::kAlone); }
  std::unique_ptr<ViewsTransaction> begin(const HeldSlots& held, Company company) override {
    return begin(&held, company);
  }
  std::unique_ptr<ViewsTransaction> begin(const HeldSlots* held, Company company) {
    turnstile_.enter();
    auto opened = writer_ && writer_->still_there() ? Result<std::unique_ptr<Database>>(std::move(writer_))
                                                    : open_writer(options_.connect);
    return std::make_unique<Transaction>(std::move(opened), writer_, known_, turnstile_, options_.on_failure, held,
                                         company);
  }
  std::unique_ptr<ViewsSnapshot> snapshot() override { return std::make_unique<Snapshot>(readers_); }

 private:
  const PostgresViewsOptions options_;
  Pool readers_;
  Turnstile turnstile_;
  std::unique_ptr<Database> writer_;  // of whose turn it is; empty after it was lost
  sql::KnownFacts known_;             // of whose turn it is
};

void give_names(Database& database) {
  const std::string epoch = encode_hex(runtime::random_bytes(4));
  sql::Query(database, "INSERT INTO meta VALUES ('feed_epoch', ?1) ON CONFLICT DO NOTHING", epoch).run();
}

}  // namespace

Result<std::unique_ptr<Views>> open_postgres_views(PostgresViewsOptions options) {
  auto opened = open_writer(options.connect);
  if (!opened) return forward_error(std::move(opened));
  Database& database = **opened;
  if (auto migrated = postgres::migrate(database, options.connect.schema); !migrated)
    return forward_error(std::move(migrated));
  give_names(database);
  postgres::complete_slots(database);
  if (auto status = database.status(); !status) return forward_error(std::move(status));
  return std::make_unique<PostgresViews>(std::move(*opened), std::move(options));
}

Result<std::unique_ptr<Views>> open_postgres_views_read_only(PostgresViewsOptions options) {
  auto probe = Database::open(options.connect);
  if (!probe) return forward_error(std::move(probe));
  if (auto known = postgres::check_format(**probe); !known) return forward_error(std::move(known));
  return std::make_unique<PostgresViews>(nullptr, std::move(options));
}

}  // namespace resultsync::store
