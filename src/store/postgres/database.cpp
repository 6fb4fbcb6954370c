#include "store/postgres/database.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_set>

#include "store/postgres/dialect.hpp"

namespace resultsync::store::postgres {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Oid kBool = 16;
constexpr Oid kBytea = 17;
constexpr Oid kInt8 = 20;
constexpr Oid kInt2 = 21;
constexpr Oid kInt4 = 23;
constexpr Oid kText = 25;
constexpr Oid kNumeric = 1700;
constexpr int kBinary = 1;

// Answers that nobody has read yet fill buffers on both sides: this many statements are sent before some are read.
constexpr std::size_t kSentMax = 512;
// Rows of one statement that are gathered at most.
constexpr std::size_t kGatheredMax = 64;

template <class Number>
Number big_endian(const char* bytes) {
  Number number{};
  std::memcpy(&number, bytes, sizeof number);
  if constexpr (sizeof(Number) == 8) return static_cast<Number>(be64toh(static_cast<std::uint64_t>(number)));
  if constexpr (sizeof(Number) == 4) return static_cast<Number>(be32toh(static_cast<std::uint32_t>(number)));
  if constexpr (sizeof(Number) == 2) return static_cast<Number>(be16toh(static_cast<std::uint16_t>(number)));
}

// sum() of 8-byte numbers is a numeric: groups of four decimal digits. What is behind the point is cut off.
std::int64_t integer_of_numeric(const char* bytes) {
  const int groups = big_endian<std::int16_t>(bytes);
  const int weight = big_endian<std::int16_t>(bytes + 2);
  const bool negative = big_endian<std::uint16_t>(bytes + 4) == 0x4000;
  std::int64_t value = 0;
  for (int i = 0; i <= weight; ++i) {
    value = value * 10'000 + (i < groups ? big_endian<std::int16_t>(bytes + 8 + 2 * i) : 0);
  }
  return negative ? -value : value;
}

Error unavailable(std::string cause) {
  return {kUnavailable, "the database cannot be used just now", std::move(cause)};
}

// The last line feed of libpq's messages is no part of them, and its tabs would be shown escaped.
std::string message_of(const PGconn* handle) {
  std::string text = PQerrorMessage(handle);
  std::ranges::replace(text, '\t', ' ');
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string sqlstate_of(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return state == nullptr ? "" : state;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 48 &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

struct ConninfoDelete {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Conninfo = std::unique_ptr<PQconninfoOption, ConninfoDelete>;

Result<Conninfo> parse(const ConnectOptions& options) {
  char* problem = nullptr;
  Conninfo parsed(PQconninfoParse(options.conninfo.c_str(), &problem));
  if (!parsed) {
    // libpq's message may repeat what was written, and that may hold a password (P4).
    PQfreemem(problem);
    return fail("bad_conninfo", "the database's address cannot be read",
                "write postgres:host=db.example dbname=resultsync user=resultsync, or a postgresql:// URI");
  }
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (std::string_view(option->keyword) == "password" && option->val != nullptr && *option->val != '\0') {
      return fail("bad_conninfo", "the database's address holds a password",
                  "put it into a file and name that in server.store_password, or use ~/.pgpass");
    }
  }
  if (!is_name(options.schema)) return fail("bad_conninfo", "a schema's name is made of a-z, 0-9 and _");
  return parsed;
}

// What the session asks of the server, beside what the user asks for. A transaction whose process hangs or was cut off
// must not hold its locks for long; the server's own timers see to that. What is asked has its index and ends after a
// few rows; over large tables the planner takes it for a scan and would compile it or start workers for it, which alone
// takes several times as long as the answer.
std::string session_options(const ConnectOptions& options, const std::string& given) {
  return fmt::format(
      "{} -c search_path={} -c idle_in_transaction_session_timeout=15000 -c tcp_user_timeout=15000 -c "
      "tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3 -c statement_timeout=0 -c "
      "client_min_messages=warning -c jit=off -c max_parallel_workers_per_gather=0 "
      "-c resultsync.slots=on -c resultsync.clinics=on",
      given, options.schema);
}

}  // namespace

Result<void> check(const ConnectOptions& options) {
  auto parsed = parse(options);
  if (!parsed) return forward_error(std::move(parsed));
  return {};
}

std::string_view code_of(std::string_view state) {
  if (state.empty()) return kUnavailable;  // no answer
  const std::string_view group = state.substr(0, 2);
  // 08 connection, 40 serialization and deadlock, 57 the operator intervened, 53 resources; 25006: no primary;
  // 0A000: the tables were changed beside a running statement; 55P03: a lock was not given in time; 25P03: idle.
  if (state == "53100") return "disk_full";
  if (state == "RS001") return "fenced";  // our own: log_open()
  if (group == "08" || group == "40" || group == "57" || group == "53" || state == "25006" || state == "0A000" ||
      state == "55P03" || state == "25P03") {
    return kUnavailable;
  }
  if (group == "28" || state == "42501") return "permission_denied";
  if (state == "3D000" || state == "42P01" || state == "3F000") return "not_found";
  if (group == "XX") return "corrupt_views";
  return "io_error";
}

class Database::Prepared final : public sql::Statement {
 public:
  Prepared(Database& database, const char* sql)
      : database_(database), sql_(with_dollar_parameters(sql)), gives_rows_(postgres::gives_rows(sql)) {}

  void bind_integer(int place, std::int64_t value) override {
    Parameter& parameter = at(place, kInt8);
    parameter.number = htobe64(static_cast<std::uint64_t>(value));
    parameter.is_number = true;
  }
  void bind_text(int place, std::string_view value) override {
    Parameter& parameter = at(place, kText);
    parameter.escaped = escaped_text(value);
    parameter.bytes = value;
  }
  void bind_blob(int place, std::string_view value) override { at(place, kBytea).bytes = value; }
  void bind_null(int place) override { at(place, 0).is_null = true; }
  void bind_array(int place, Array type, std::string_view bytes) { at(place, static_cast<Oid>(type)).bytes = bytes; }

  void ask_ahead() override {
    if (!gives_rows_ || !database_.in_transaction_) return;
    database_.send(*this);
    is_asked_ = true;  // not before: sending may receive the rows of a run of this statement that was given up
  }
  bool step() override {
    if (started_) return ++row_ < rows();
    started_ = true;
    row_ = 0;
    if (!gives_rows_) {
      database_.send(*this);
      return false;
    }
    if (!is_asked_) {
      result_ = database_.ask(*this);
    } else if (!result_) {
      database_.answers();
    }
    return rows() > 0;
  }
  [[nodiscard]] bool is_null(int column) const override { return PQgetisnull(result_.get(), row_, column) != 0; }
  [[nodiscard]] std::int64_t integer(int column) const override {
    const std::string_view value = raw(column);
    if (value.empty()) return 0;
    switch (PQftype(result_.get(), column)) {
      case kBool:
        return value[0] != 0 ? 1 : 0;
      case kInt2:
        return big_endian<std::int16_t>(value.data());
      case kInt4:
        return big_endian<std::int32_t>(value.data());
      case kNumeric:
        return integer_of_numeric(value.data());
      default:
        return value.size() == 8 ? big_endian<std::int64_t>(value.data()) : 0;
    }
  }
  [[nodiscard]] std::string_view text(int column) const override {
    const std::string_view value = raw(column);
    if (!has_escapes(value)) return value;
    return unescaped_.emplace_back(unescaped_text(value));
  }
  [[nodiscard]] std::string_view blob(int column) const override { return raw(column); }
  void reset() override {
    result_.reset();
    unescaped_.clear();
    started_ = false;
    is_asked_ = false;
    parameters_.clear();
  }

 private:
  friend class Database;
  struct Parameter {
    Oid type = 0;
    bool is_null = false;
    bool is_number = false;
    std::uint64_t number = 0;
    std::string_view bytes;
    std::optional<std::string> escaped;
    [[nodiscard]] std::string_view wire() const {
      if (is_number) return {reinterpret_cast<const char*>(&number), sizeof number};
      return escaped ? std::string_view(*escaped) : bytes;
    }
  };

  Parameter& at(int place, Oid type) {
    const auto index = static_cast<std::size_t>(place - 1);
    if (parameters_.size() <= index) parameters_.resize(index + 1);
    parameters_[index] = {};
    parameters_[index].type = type;
    return parameters_[index];
  }
  [[nodiscard]] int rows() const { return result_ ? PQntuples(result_.get()) : 0; }
  [[nodiscard]] std::string_view raw(int column) const {
    if (!result_ || PQgetisnull(result_.get(), row_, column) != 0) return {};
    return {PQgetvalue(result_.get(), row_, column),
            static_cast<std::size_t>(PQgetlength(result_.get(), row_, column))};
  }
  // Whether the types it was prepared with are those that are bound now. A NULL fits any.
  [[nodiscard]] bool fits() const {
    if (types_.size() != parameters_.size()) return false;
    for (std::size_t i = 0; i < types_.size(); ++i) {
      if (parameters_[i].type != 0 && types_[i] != parameters_[i].type) return false;
    }
    return true;
  }

  Database& database_;
  const std::string sql_;
  const bool gives_rows_;
  std::vector<Parameter> parameters_;
  std::string name_;        // on the server; empty until it is prepared
  std::vector<Oid> types_;  // it was prepared with
  bool started_ = false;
  bool is_asked_ = false;  // ahead: its result comes here, whoever waits for the answers
  ResultPointer result_;
  int row_ = 0;
  mutable std::deque<std::string> unescaped_;  // what text() gave views of
};

// Rows that wait to be sent together. What is bound is copied, since it need not outlive the run.
class Database::Rows final : public sql::Statement {
 public:
  Rows(Database& database, const sql::Gathered& rows) : database_(database), rows_(rows) {}
  [[nodiscard]] bool looks_up() const { return rows_.looks_up; }

  void bind_integer(int place, std::int64_t value) override {
    const std::uint64_t big = htobe64(static_cast<std::uint64_t>(value));
    bind(place, Array::kIntegers, {reinterpret_cast<const char*>(&big), sizeof big});
  }
  void bind_text(int place, std::string_view value) override {
    const auto escaped = escaped_text(value);
    bind(place, Array::kTexts, escaped ? *escaped : value);
  }
  void bind_blob(int place, std::string_view value) override { bind(place, Array::kBlobs, value); }
  void bind_null(int) override { database_.remember({"io_error", "a row that is gathered has a NULL"}); }

  bool step() override {
    if (!many_ && !make_statement()) return false;
    std::string name;
    for (int i = 0; i < rows_.key; ++i) name += fmt::format("{}:{}", values_[at(i)].size(), values_[at(i)]);
    if (names_.contains(name)) database_.send_gathered();
    if (count_ == 0) database_.gathered_.push_back(this);
    if (rows_.key > 0) names_.insert(std::move(name));
    for (std::size_t i = 0; i < values_.size(); ++i) arrays_[i].add(values_[i]);
    if (++count_ >= kGatheredMax) {
      database_.send_gathered();
      if (database_.usable()) PQflush(database_.handle_);  // the server works on them meanwhile
    }
    if (!database_.in_transaction_) database_.send_gathered();  // outside one a statement is one: it ends here
    return false;
  }
  [[nodiscard]] bool is_null(int) const override { return true; }
  [[nodiscard]] std::int64_t integer(int) const override { return 0; }
  [[nodiscard]] std::string_view text(int) const override { return {}; }
  [[nodiscard]] std::string_view blob(int) const override { return {}; }
  void reset() override {}

  void send() {
    many_->reset();
    for (std::size_t i = 0; i < arrays_.size(); ++i)
      many_->bind_array(static_cast<int>(i) + 1, types_[i], arrays_[i].bytes());
    database_.send_now(*many_);
    forget();
  }
  void forget() {
    arrays_.clear();
    for (const Array type : types_) arrays_.emplace_back(type);
    names_.clear();
    count_ = 0;
  }

 private:
  static std::size_t at(int place) { return static_cast<std::size_t>(place); }
  void bind(int place, Array type, std::string_view bytes) {
    if (values_.size() < at(place)) {
      values_.resize(at(place));
      types_.resize(at(place));
    }
    types_[at(place) - 1] = type;
    values_[at(place) - 1] = bytes;
  }
  bool make_statement() {
    const auto sql = of_many_rows(rows_.sql, values_.size());
    if (!sql) {
      database_.remember({"io_error", "this statement's rows cannot be gathered"});
      return false;
    }
    many_ = std::make_unique<Prepared>(database_, sql->c_str());
    forget();
    return true;
  }

  Database& database_;
  const sql::Gathered rows_;
  std::vector<Array> types_;  // of the parameters: the same for every row
  std::vector<std::string> values_;
  std::vector<ArrayWriter> arrays_;
  std::unordered_set<std::string> names_;  // of the rows that wait, where a statement must not write one twice
  std::size_t count_ = 0;
  std::unique_ptr<Prepared> many_;
};

Database::Database(PGconn* handle) : handle_(handle) {}

Result<std::unique_ptr<Database>> Database::open(const ConnectOptions& options) {
  auto parsed = parse(options);
  if (!parsed) return forward_error(std::move(parsed));
  std::vector<const char*> names;
  std::vector<std::string> values;
  std::string given_options;
  bool chooses_server = false;
  for (const PQconninfoOption* option = parsed->get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr || *option->val == '\0') continue;
    const std::string_view name = option->keyword;
    if (name == "options") {
      given_options = option->val;
      continue;
    }
    chooses_server = chooses_server || name == "target_session_attrs";
    names.push_back(option->keyword);
    values.emplace_back(option->val);
  }
  const auto add = [&](const char* name, std::string value) {
    names.push_back(name);
    values.push_back(std::move(value));
  };
  if (!options.password.reveal().empty()) add("password", options.password.reveal());
  if (!chooses_server) add("target_session_attrs", "read-write");
  add("options", session_options(options, given_options));
  add("fallback_application_name", options.name);
  add("client_encoding", "UTF8");
  add("connect_timeout", "4");
  add("keepalives_idle", "5");
  add("keepalives_interval", "3");
  add("keepalives_count", "3");
  add("tcp_user_timeout", "15000");
  names.push_back(nullptr);
  std::vector<const char*> pointers;
  for (const std::string& value : values) pointers.push_back(value.c_str());
  pointers.push_back(nullptr);
  std::unique_ptr<Database> database(new Database(PQconnectdbParams(names.data(), pointers.data(), 0)));
  for (std::string& value : values) std::fill(value.begin(), value.end(), '\0');
  PGconn* handle = database->handle_;
  if (PQstatus(handle) != CONNECTION_OK) {
    const std::string message = message_of(handle);
    // libpq does not tell a SQLSTATE here.
    const bool refused = message.find("authentication failed") != std::string::npos ||
                         message.find("no pg_hba.conf entry") != std::string::npos ||
                         message.find("no password supplied") != std::string::npos;
    if (refused) return fail("permission_denied", "the database refused the connection", message);
    if (message.find("database \"") != std::string::npos && message.find("does not exist") != std::string::npos)
      return fail("not_found", "there is no such database", message);
    return std::unexpected(unavailable(message));
  }
  if (PQserverVersion(handle) < 150'000) {
    return fail("unsupported_server", fmt::format("the database is PostgreSQL {}, and 15 is the oldest that will do",
                                                  PQserverVersion(handle) / 10'000));
  }
  PQsetNoticeReceiver(handle, &Database::note, database.get());
  PQsetnonblocking(handle, 1);
  PQenterPipelineMode(handle);
  database->answer_within_ = options.answer_within;
  // Not by an option of the connection, which a server whose system cannot fetch ahead would refuse: 0 is all it takes.
  database->execute(
      fmt::format("SELECT set_config('effective_io_concurrency', '{0}', false) WHERE "
                  "current_setting('effective_io_concurrency')::bigint BETWEEN 1 AND {0}",
                  kBlocksAhead));
  if (auto status = database->status(); !status) return forward_error(std::move(status));
  return database;
}

Database::~Database() {
  statements_.clear();
  rows_.clear();
  PQfinish(handle_);
}

// A commit whose wait for its standby was cut short is "successful", with a warning: it is here, and may be nowhere
// else.
void Database::note(void* self, const PGresult* notice) {
  const char* text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
  if (text != nullptr && std::strstr(text, "synchronous replication") != nullptr)
    static_cast<Database*>(self)->commit_in_doubt_ = true;
}

void Database::execute(const std::string& sql) {
  if (failed() || !usable()) return;
  finish();
  if (failed()) return;
  PQexitPipelineMode(handle_);
  if (PQsendQuery(handle_, sql.c_str()) == 0) return remember_lost("send");
  while (wait_for_answer()) {
    const ResultPointer result(PQgetResult(handle_));
    if (!result) break;
    remember_result(result.get());
  }
  if (!broken_) PQenterPipelineMode(handle_);
}

void Database::meet_in_order(bool in_order) {
  send_text(in_order ? "SET LOCAL enable_sort = off" : "SET LOCAL enable_sort = on");
}

sql::Statement* Database::prepared(const char* sql) {
  if (!usable()) {
    remember(unavailable("the connection was lost"));
    return nullptr;
  }
  auto& statement = statements_[sql];
  if (!statement) statement = std::make_unique<Prepared>(*this, sql);
  return statement.get();
}

sql::Statement* Database::gathered(const sql::Gathered& gathered) {
  if (!usable()) {
    remember(unavailable("the connection was lost"));
    return nullptr;
  }
  auto& rows = rows_[gathered.sql];
  if (!rows) rows = std::make_unique<Rows>(*this, gathered);
  return rows.get();
}

void Database::send_gathered() {
  const auto waiting = std::exchange(gathered_, {});
  for (const bool looks_up : {false, true}) {
    for (Rows* rows : waiting) {
      if (rows->looks_up() == looks_up) rows->send();
    }
  }
}

void Database::bind_array(sql::Statement& statement, int place, Array type, std::string_view bytes) {
  static_cast<Prepared&>(statement).bind_array(place, type, bytes);
}

void Database::begin(Mode mode) {
  if (failed()) return;
  if (!usable()) return remember(unavailable("the connection was lost"));
  in_transaction_ = true;
  send_text(mode == Mode::kWrite ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
}

Result<void> Database::commit(const std::function<void()>& meanwhile) {
  if (!failed()) {
    commit_in_doubt_ = false;
    send_text("COMMIT");
    sync();
    if (meanwhile) {
      if (usable()) PQflush(handle_);
      meanwhile();
    }
    receive_all();
    if (!failed() && commit_in_doubt_) {
      remember(unavailable("the commit's wait for its standby was cut short"));
      broken_ = true;
    }
  }
  if (!failed()) in_transaction_ = false;
  return status();
}

void Database::rollback() {
  for (Rows* rows : std::exchange(gathered_, {})) rows->forget();
  if (usable()) {
    if (!failed() && in_transaction_) send_text("ROLLBACK");  // passed over if something that was sent has failed
    sync();
    receive_all();
    clear_error();
    if (usable() && PQtransactionStatus(handle_) != PQTRANS_IDLE) {
      send_text("ROLLBACK");
      sync();
      receive_all();
    }
  }
  if (failed()) broken_ = true;
  clear_error();
  in_transaction_ = false;
}

void Database::end_snapshot() {
  // What was asked and not read yet is read first.
  if (failed() || !usable() || !sent_.empty() || !gathered_.empty()) return rollback();
  send_text("ROLLBACK");
  sync();
  if (!usable() || PQflush(handle_) != 0) return rollback();
  in_transaction_ = false;
}

void Database::finish() {
  if (!usable()) return;
  send_gathered();
  sync();
  receive_all();
}

void Database::send_text(const char* sql) {
  send_gathered();
  if (failed() || !usable()) return;
  if (PQsendQueryParams(handle_, sql, 0, nullptr, nullptr, nullptr, nullptr, kBinary) == 0)
    return remember_lost("send");
  sent_.push_back({Sent::Kind::kRun, nullptr});
}

void Database::send(Prepared& statement) {
  send_gathered();
  send_now(statement);
}

void Database::send_now(Prepared& statement) {
  if (failed() || !usable()) return;
  if (sent_.size() >= kSentMax) {
    PQsendFlushRequest(handle_);
    receive_all();
    if (failed()) return;
  }
  if (statement.name_.empty() || !statement.fits()) {
    statement.types_.clear();
    for (const auto& parameter : statement.parameters_) statement.types_.push_back(parameter.type);
    statement.name_ = fmt::format("s{}", ++names_);
    if (PQsendPrepare(handle_, statement.name_.c_str(), statement.sql_.c_str(),
                      static_cast<int>(statement.types_.size()), statement.types_.data()) == 0) {
      return remember_lost("prepare");
    }
    sent_.push_back({Sent::Kind::kPrepare, &statement});
  }
  constexpr std::size_t kParametersMax = 64;
  const std::size_t count = statement.parameters_.size();
  if (count > kParametersMax) return remember({"io_error", "a statement has too many parameters"});
  std::array<const char*, kParametersMax> values{};
  std::array<int, kParametersMax> lengths{};
  std::array<int, kParametersMax> formats{};
  for (std::size_t i = 0; i < count; ++i) {
    const auto& parameter = statement.parameters_[i];
    formats[i] = kBinary;
    if (parameter.is_null) continue;
    const std::string_view bytes = parameter.wire();
    values[i] = bytes.data() == nullptr ? "" : bytes.data();
    lengths[i] = static_cast<int>(bytes.size());
  }
  if (PQsendQueryPrepared(handle_, statement.name_.c_str(), static_cast<int>(count), values.data(), lengths.data(),
                          formats.data(), kBinary) == 0) {
    return remember_lost("send");
  }
  sent_.push_back({Sent::Kind::kRun, &statement});
  // Outside a transaction a statement is one: it ends here.
  if (!in_transaction_ && !statement.gives_rows_) finish();
}

Database::ResultPointer Database::ask(Prepared& statement) {
  send(statement);
  return answers();
}

Database::ResultPointer Database::answers() {
  if (failed() || !usable()) return nullptr;
  if (in_transaction_) {
    if (PQsendFlushRequest(handle_) == 0) remember_lost("flush");
  } else {
    sync();
  }
  auto result = receive_all();
  return failed() ? nullptr : std::move(result);
}

void Database::sync() {
  if (!usable()) return;
  if (PQpipelineSync(handle_) == 0) return remember_lost("sync");
  sent_.push_back({Sent::Kind::kSync, nullptr});
}

// Reads the answers to all that was sent. After an error the server passes over everything up to the next sync.
Database::ResultPointer Database::receive_all() {
  ResultPointer last;
  while (usable() && !sent_.empty()) {
    const Sent sent = sent_.front();
    if (!wait_for_answer()) break;
    ResultPointer result(PQgetResult(handle_));
    if (sent.kind == Sent::Kind::kSync) {
      if (!result || PQresultStatus(result.get()) != PGRES_PIPELINE_SYNC) {
        if (result) remember_result(result.get());
        if (!result || PQstatus(handle_) != CONNECTION_OK) {
          remember_lost("sync");
          break;
        }
        continue;
      }
      sent_.pop_front();
      continue;
    }
    if (!result) {  // the end of this one's results
      sent_.pop_front();
      continue;
    }
    const auto status = PQresultStatus(result.get());
    const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!good && sent.kind == Sent::Kind::kPrepare) sent.statement->name_.clear();
    if (good && sent.kind == Sent::Kind::kRun && sent.statement != nullptr && sent.statement->is_asked_) {
      sent.statement->result_ = std::move(result);
    } else if (good) {
      last = std::move(result);
    } else if (status != PGRES_PIPELINE_ABORTED) {
      remember_result(result.get());
    }
  }
  return last;
}

// Sends what is left to send, and waits until there is an answer to take.
bool Database::wait_for_answer() {
  const auto until = Clock::now() + answer_within_;
  while (true) {
    const int left = PQflush(handle_);
    if (left < 0) {
      remember_lost("send");
      return false;
    }
    if (left == 0 && PQisBusy(handle_) == 0) return true;
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd watched{PQsocket(handle_), static_cast<short>(POLLIN | (left > 0 ? POLLOUT : 0)), 0};
    const int ready = wait > 0 ? ::poll(&watched, 1, static_cast<int>(wait)) : 0;
    if (ready == 0) {
      remember(unavailable("the database did not answer in time"));
      broken_ = true;
      return false;
    }
    if (ready > 0 && (watched.revents & ~POLLOUT) != 0 && PQconsumeInput(handle_) == 0) {
      remember_lost("receive");
      return false;
    }
  }
}

void Database::remember_lost(const char* what) {
  remember(unavailable(fmt::format("{}: {}", what, message_of(handle_))));
  broken_ = true;
}

void Database::remember_result(const PGresult* result) {
  const auto status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY ||
      status == PGRES_PIPELINE_ABORTED) {
    return;
  }
  const std::string state = sqlstate_of(result);
  // The text of an error may quote values, and those may be health data: the SQLSTATE, and what of the schema it is
  // about, must do (P4).
  std::string cause = "SQLSTATE " + state;
  for (const int field : {PG_DIAG_TABLE_NAME, PG_DIAG_COLUMN_NAME, PG_DIAG_CONSTRAINT_NAME}) {
    if (const char* text = PQresultErrorField(result, field)) cause += fmt::format(" {}", text);
  }
  // What is wrong with a statement itself quotes nothing but the statement.
  if (state.starts_with("42")) cause += fmt::format(": {}", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
  const std::string_view code = code_of(state);
  remember({code, "the database refused a statement", std::move(cause)});
  if (state.empty() || state.starts_with("57") || state.starts_with("08") || state == "25006" || state == "0A000" ||
      PQstatus(handle_) != CONNECTION_OK) {
    broken_ = true;
  }
}

bool Database::still_there() {
  if (!usable()) return false;
  pollfd watched{PQsocket(handle_), POLLIN, 0};
  const auto says_something = [&] { return ::poll(&watched, 1, 0) != 0; };
  if (!sent_.empty()) {  // end_snapshot()
    if (!says_something()) return true;
    receive_all();
    if (failed() || PQtransactionStatus(handle_) != PQTRANS_IDLE) broken_ = true;
    clear_error();
  }
  // Nothing was asked, so whatever the server says is that it ends the connection, or that its settings changed.
  if (usable() && says_something()) broken_ = true;
  return usable();
}

std::vector<std::string> Database::wait_for_notice(std::chrono::milliseconds at_most, int wake_descriptor) {
  std::vector<std::string> heard;
  if (!usable()) return heard;
  pollfd watched[] = {{PQsocket(handle_), POLLIN, 0}, {wake_descriptor, POLLIN, 0}};
  const auto listen = [&] {
    if (PQconsumeInput(handle_) == 0) broken_ = true;
    while (PGnotify* notice = PQnotifies(handle_)) {
      heard.emplace_back(notice->extra);
      PQfreemem(notice);
    }
  };
  listen();  // what came beside the answers to statements
  if (heard.empty() && usable() && ::poll(watched, 2, static_cast<int>(at_most.count())) > 0) listen();
  return heard;
}

ArrayWriter::ArrayWriter(Database::Array type) {
  const Oid element = type == Database::Array::kIntegers ? kInt8 : type == Database::Array::kTexts ? kText : kBytea;
  const auto put = [this](std::uint32_t number) {
    const std::uint32_t big = htonl(number);
    out_.append(reinterpret_cast<const char*>(&big), sizeof big);
  };
  put(1);  // dimension
  put(0);  // no NULLs
  put(element);
  put(0);  // count, filled in by bytes()
  put(1);  // lower bound
}

void ArrayWriter::add(std::int64_t number) {
  const std::uint64_t big = htobe64(static_cast<std::uint64_t>(number));
  add(std::string_view(reinterpret_cast<const char*>(&big), sizeof big));
}

void ArrayWriter::add(std::string_view bytes) {
  const std::uint32_t length = htonl(static_cast<std::uint32_t>(bytes.size()));
  out_.append(reinterpret_cast<const char*>(&length), sizeof length);
  out_ += bytes;
  ++count_;
}

std::string_view ArrayWriter::bytes() {
  const std::uint32_t big = htonl(count_);
  out_.replace(12, sizeof big, reinterpret_cast<const char*>(&big), sizeof big);
  return out_;
}

}  // namespace resultsync::store::postgres
