#include "store/sqlite/sqlite_views.hpp"

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/encoding.hpp"
#include "runtime/file.hpp"
#include "runtime/random.hpp"
#include "runtime/threads.hpp"
#include "store/sql/session.hpp"
#include "store/sql/turnstile.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/migrations.hpp"

namespace resultsync::store {
namespace {

using sql::Turnstile;
using sqlite::Database;

// The connections that are free to read with; the file's readers are opened when they are first needed.
class ReaderPool {
 public:
  ReaderPool(std::string path, std::size_t most) : path_(std::move(path)), most_(most) {}

  std::unique_ptr<Database> take() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&] { return !free_.empty() || opened_ < most_; });
    if (!free_.empty()) {
      auto reader = std::move(free_.back());
      free_.pop_back();
      return reader;
    }
    ++opened_;
    lock.unlock();
    auto opened = Database::open(path_, Database::Access::kReadOnly);
    if (opened) return std::move(*opened);
    give_up();
    return nullptr;
  }
  void give_back(std::unique_ptr<Database> reader) {
    {
      const std::lock_guard lock(mutex_);
      free_.push_back(std::move(reader));
    }
    returned_.notify_one();
  }

 private:
  void give_up() {
    {
      const std::lock_guard lock(mutex_);
      --opened_;
    }
    returned_.notify_one();
  }

  const std::string path_;
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Database>> free_;  // guarded by mutex_
  std::size_t opened_ = 0;                       // guarded by mutex_
};

// A read transaction on a pooled connection.
class PooledSnapshot final : public sql::Session {
 public:
  PooledSnapshot(std::unique_ptr<Database> database, ReaderPool& pool)
      : Session(*database), reader_(std::move(database)), pool_(pool) {
    reader_->execute("BEGIN");
  }
  ~PooledSnapshot() override {
    reader_->clear_error();
    reader_->execute("ROLLBACK");
    reader_->clear_error();
    pool_.give_back(std::move(reader_));
  }

 private:
  std::unique_ptr<Database> reader_;
  ReaderPool& pool_;
};

// What a snapshot is when no reader could be opened: everything is empty, and status() says so.
class UnreadableSnapshot final : public sql::Session {
 public:
  explicit UnreadableSnapshot(std::unique_ptr<Database> database)
      : Session(*database), database_(std::move(database)) {}
  [[nodiscard]] Result<void> status() const override {
    return fail("io_error", "the views could not be opened for reading");
  }

 private:
  std::unique_ptr<Database> database_;
};

// Moves what the write-ahead log holds into the file, on a thread of its own: it takes as long as writing and syncing
// some ten megabytes does, and whoever writes meanwhile does not wait for that. SQLite's own way is to let the commit
// do it that finds the log long, with everybody else behind it.
class Checkpoints {
 public:
  // `own` is a connection to the file of `writer`. Only the thread uses it.
  Checkpoints(std::unique_ptr<Database> own, Database& writer, const std::function<void(const Error&)>& on_failure)
      : own_(std::move(own)), on_failure_(on_failure) {
    writer.on_commit([this, &writer](int pages) { grown(writer, pages); });
    thread_ = runtime::start_thread("checkpoints", [this](const std::stop_token& stop) { run(stop); });
  }

 private:
  static constexpr int kPages = 16'384;         // 64 MiB
  static constexpr int kPagesMax = 4 * kPages;  // commits come so fast that the thread never catches up

  void grown(Database& writer, int pages) {
    if (pages < kPages) return;
    if (pages >= kPagesMax) return settle(writer);
    {
      const std::lock_guard lock(mutex_);
      wanted_ = true;
    }
    wake_.notify_one();
  }
  void run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (wake_.wait(lock, stop, [this] { return wanted_; })) {
      wanted_ = false;
      lock.unlock();
      settle(*own_);
      lock.lock();
    }
  }
  void settle(Database& database) const {
    if (const auto settled = database.checkpoint(); !settled && on_failure_) on_failure_(settled.error());
  }

  const std::unique_ptr<Database> own_;
  const std::function<void(const Error&)> on_failure_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool wanted_ = false;  // guarded by mutex_
  std::jthread thread_;
};

class WriterTransaction final : public sql::WriterSession {
 public:
  WriterTransaction(Database& database, sql::KnownFacts& known, Turnstile& turnstile,
                    const std::function<void(const Error&)>& on_failure)
      : WriterSession(database, known), writer_(database), turnstile_(turnstile), on_failure_(on_failure) {
    writer_.clear_error();
    writer_.begin();
  }
  ~WriterTransaction() override {
    if (!committed_) {
      known_.clear();
      writer_.clear_error();
      if (writer_.in_transaction()) writer_.execute("ROLLBACK");
      writer_.clear_error();
    }
    turnstile_.leave();
  }
  [[nodiscard]] std::size_t others_waiting() const override { return turnstile_.waiting(); }
  Result<void> commit() override {
    finish();
    writer_.execute("COMMIT");
    auto outcome = writer_.status();
    committed_ = outcome.has_value();
    if (!outcome && on_failure_) on_failure_(outcome.error());
    return outcome;
  }

 private:
  Database& writer_;
  Turnstile& turnstile_;
  const std::function<void(const Error&)>& on_failure_;
  bool committed_ = false;
};

// A snapshot of an in-memory database, which has one connection: it waits for the writer's turn.
class SharedSnapshot final : public sql::Session {
 public:
  SharedSnapshot(Database& database, Turnstile& turnstile) : Session(database), turnstile_(turnstile) {}
  ~SharedSnapshot() override { turnstile_.leave(); }

 private:
  Turnstile& turnstile_;
};

class SqliteViews final : public Views {
 public:
  SqliteViews(std::unique_ptr<Database> writer, std::string path, SqliteOptions options)
      : writer_(std::move(writer)), options_(std::move(options)) {
    if (!path.empty()) readers_.emplace(std::move(path), options_.readers);
  }
  void checkpoint_with(std::unique_ptr<Database> own) {
    checkpoints_.emplace(std::move(own), *writer_, options_.on_failure);
  }

  std::unique_ptr<ViewsTransaction> begin() override {
    turnstile_.enter();
    return std::make_unique<WriterTransaction>(*writer_, known_, turnstile_, options_.on_failure);
  }

  std::unique_ptr<ViewsSnapshot> snapshot() override {
    if (!readers_) {
      turnstile_.enter();
      return std::make_unique<SharedSnapshot>(*writer_, turnstile_);
    }
    if (auto reader = readers_->take()) return std::make_unique<PooledSnapshot>(std::move(reader), *readers_);
    auto nothing = Database::open(":memory:", Database::Access::kReadWrite);
    return std::make_unique<UnreadableSnapshot>(std::move(*nothing));
  }

 private:
  std::unique_ptr<Database> writer_;  // empty for read-only views
  const SqliteOptions options_;
  Turnstile turnstile_;
  sql::KnownFacts known_;              // of the writer, in its turn
  std::optional<ReaderPool> readers_;  // empty in memory
  std::optional<Checkpoints> checkpoints_;
};

std::string database_path(const std::string& directory) {
  return (std::filesystem::path(directory) / "views.db").string();
}

// A writer's settings. Debian's build zeroes what is deleted; nothing in the views is health data, so that is switched
// off for speed.
void configure_writer(Database& database) {
  database.execute(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"
      "PRAGMA secure_delete=OFF; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=0;"
      "PRAGMA cell_size_check=ON");
}

void give_names(Database& database) {
  const std::string epoch = encode_hex(runtime::random_bytes(4));
  sql::Query(database, "INSERT INTO meta VALUES ('feed_epoch', ?1) ON CONFLICT DO NOTHING", epoch).run();
}

// A process that was killed after a failed sync may have left a transaction in the write-ahead log that can be read but
// is not on disk. Copying everything into the database file and syncing it, and the directory, settles that before
// anything is answered from it.
Result<void> settle(Database& database, const std::string& directory) {
  database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  if (auto status = database.status(); !status) return status;
  return runtime::sync_directory(directory);
}

}  // namespace

Result<std::unique_ptr<Views>> open_sqlite_views(const std::string& directory, SqliteOptions options) {
  if (auto made = runtime::make_directories(directory); !made) return forward_error(std::move(made));
  const std::string path = database_path(directory);
  auto opened = Database::open(path, Database::Access::kReadWrite);
  if (!opened) return forward_error(std::move(opened));
  Database& database = **opened;
  configure_writer(database);
  if (auto migrated = sqlite::migrate(database, sqlite::Tables::kViews); !migrated)
    return forward_error(std::move(migrated));
  give_names(database);
  if (auto settled = settle(database, directory); !settled) return forward_error(std::move(settled));
  auto beside = Database::open(path, Database::Access::kReadWrite);
  if (!beside) return forward_error(std::move(beside));
  auto views = std::make_unique<SqliteViews>(std::move(*opened), path, std::move(options));
  views->checkpoint_with(std::move(*beside));
  return views;
}

Result<std::unique_ptr<Views>> open_sqlite_views_read_only(const std::string& directory) {
  const std::string path = database_path(directory);
  auto probe = Database::open(path, Database::Access::kReadOnly);
  if (!probe) return forward_error(std::move(probe));
  if (auto known = sqlite::check_format(**probe, sqlite::Tables::kViews); !known)
    return forward_error(std::move(known));
  return std::make_unique<SqliteViews>(nullptr, path, SqliteOptions{});
}

Result<std::unique_ptr<Views>> open_memory_views() {
  auto opened = Database::open(":memory:", Database::Access::kReadWrite);
  if (!opened) return forward_error(std::move(opened));
  if (auto migrated = sqlite::migrate(**opened, sqlite::Tables::kViews); !migrated)
    return forward_error(std::move(migrated));
  give_names(**opened);
  return std::make_unique<SqliteViews>(std::move(*opened), "", SqliteOptions{});
}

}  // namespace resultsync::store
