// The facet of results on one connection.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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
  // The keys of the clinics in sight, and what stands for one that is not noted yet; nothing if they are more than are
  // asked one by one.
  std::optional<std::vector<std::int64_t>> clinics_in(const Sight& sight);
  template <class... By>
  std::vector<ResultRow> changed_by(const char* sql, const ResultFilter& filter, ResultPlace after, std::size_t limit,
                                    const By&... by);
  std::vector<ResultRow> all_searched(const ResultSearch& search, TestKey before, std::size_t limit);
  template <class... By>
  std::vector<ResultRow> searched(const char* sql, const ResultSearch& search, TestKey before, std::size_t limit,
                                  const By&... by);
  Database& database_;
};

// What is in the tables for ever.
struct KnownNames {
  std::map<Sha256, std::int64_t> code_sets;
  std::map<std::pair<SourceId, ClinicId>, std::int64_t> clinics;
};

class SqlResultWrites final : public ResultWrites {
 public:
  // `known` outlives the transaction. `on_new_name` is told before a set of codes or a clinic is added, and may refuse
  // it.
  SqlResultWrites(Database& database, KnownNames& known, std::function<void()> on_new_name)
      : database_(database), known_(known), on_new_name_(std::move(on_new_name)) {}
  void save(const Change& change) override;
  void move(OrderKey order, const SourceId& source, const ClinicId& clinic) override;
  std::size_t complete(std::size_t limit) override;
  void add_patient(const SourceId& source, const PatientId& patient) override;
  void add_codes(const TestName& test, const Sha256& set, const std::function<std::vector<Term>()>& terms) override;
  void add_identifier(const TestName& test, Term identifier) override;
  void add_document(const TestName& test, const Sha256& sha256, Sequence record) override;
  void finish();  // writes the patients: several orders name them

 private:
  std::int64_t key_of_clinic(const SourceId& source, const ClinicId& clinic);  // 0: of none
  std::int64_t key_of_set(const Sha256& set, const std::function<std::vector<Term>()>& terms);

  Database& database_;
  KnownNames& known_;
  const std::function<void()> on_new_name_;
  std::map<std::string, std::pair<SourceId, PatientId>> patients_;  // by their prefix
};

}  // namespace resultsync::store::sql
