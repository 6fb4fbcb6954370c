// The facet of results on one connection.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "store/results.hpp"
#include "store/sql/database.hpp"

namespace resultsync::store::sql {

class SqlResultReads final : public ResultReads {
 public:
  explicit SqlResultReads(Database& database) : database_(database) {}
  std::vector<ResultRow> changed(const ResultFilter& filter, ResultPlace after, std::size_t limit) override;
  std::vector<ResultRow> search(const ResultSearch& search, TestKey before, std::size_t limit) override;
  std::optional<std::pair<SourceId, PatientId>> patient_named(const std::string& fhir_prefix) override;
  std::vector<DocumentPlace> documents(const Sha256& sha256, const Sight& sight, std::size_t limit) override;
  bool shows_fetched(const Sha256& sha256, const Sight& sight) override;
  bool dump(const std::function<bool(std::string_view line)>& line) override;

 private:
  template <class... By>
  std::vector<ResultRow> searched(const char* sql, const ResultSearch& search, TestKey before, std::size_t limit,
                                  const By&... by);
  Database& database_;
};

class SqlResultWrites final : public ResultWrites {
 public:
  // `known_sets`: sets of codes that are in the table, which outlive the transaction. `on_new_set` is told before one
  // is added, and may refuse it.
  SqlResultWrites(Database& database, std::map<Sha256, std::int64_t>& known_sets, std::function<void()> on_new_set)
      : database_(database), known_sets_(known_sets), on_new_set_(std::move(on_new_set)) {}
  void save(const Change& change) override;
  void add_patient(const SourceId& source, const PatientId& patient) override;
  void add_codes(const TestName& test, const Sha256& set, const std::function<std::vector<Term>()>& terms) override;
  void add_identifier(const TestName& test, Term identifier) override;
  void add_document(const TestName& test, const Sha256& sha256, Sequence record) override;
  void finish();  // writes the patients: several orders name them

 private:
  std::int64_t key_of_set(const Sha256& set, const std::function<std::vector<Term>()>& terms);

  Database& database_;
  std::map<Sha256, std::int64_t>& known_sets_;
  const std::function<void()> on_new_set_;
  std::map<std::string, std::pair<SourceId, PatientId>> patients_;  // by their prefix
};

}  // namespace resultsync::store::sql
