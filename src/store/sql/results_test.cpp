// Which results somebody sees, and what finding them costs the store.
#include "store/sql/results.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/migrations.hpp"

namespace resultsync::store::sql {
namespace {

const SourceId kSource("rupa");
constexpr std::int64_t kDoctor = 1;
constexpr Term kCode{4711};

ResultFilter all(const Sight& sight) {
  ResultFilter filter;
  filter.sight = sight;
  return filter;
}
ResultFilter reviewed(const Sight& sight, bool is_reviewed) {
  ResultFilter filter = all(sight);
  filter.reviewed = is_reviewed;
  return filter;
}
ResultSearch anything(const Sight& sight) {
  ResultSearch search;
  search.sight = sight;
  return search;
}

class ResultsInSight : public ::testing::Test {
 protected:
  ResultsInSight() { EXPECT_TRUE(sqlite::migrate(*database_, sqlite::Tables::kViews).has_value()); }

  // An order of one test. An order's key is its place in this test's time.
  void add(const std::string& clinic) {
    const std::int64_t key = ++last_order_;
    Query(*database_, "INSERT INTO orders VALUES (?1, 'rupa', ?2, ?3, '', '', 'pat_1', ?1)", key,
          fmt::format("o{}", key), clinic)
        .run();
    ResultWrites::Change change;
    change.order = OrderKey{key};
    change.source = kSource;
    change.order_id = OrderId(fmt::format("o{}", key));
    change.clinic = ClinicId(clinic);
    change.test = OrderedTestId("t");
    change.version = 1;
    change.status = "final";
    change.changed_at = Timestamp{key};
    writes_.save(change);
    writes_.add_codes({change.order, change.test}, sha256("a set"), [] { return std::vector<Term>{kCode}; });
  }
  void add_many(int count, int clinics) {
    for (int i = 0; i < count; ++i) add(fmt::format("cli_{}", i % clinics));
  }
  void connect(const std::string& clinic) {
    Query(*database_,
          "INSERT INTO connections (practitioner_key, source, clinic_id, vendor_practitioner, created_at) VALUES (?1, "
          "'rupa', ?2, '', 0)",
          kDoctor, clinic)
        .run();
  }
  void limit_to(const std::string& clinic) {
    Query(*database_, "INSERT INTO reach_clinics VALUES (7, 'rupa', ?1)", clinic).run();
  }
  static std::vector<std::string> ids(const std::vector<ResultRow>& rows) {
    std::vector<std::string> ids;
    for (const ResultRow& row : rows) ids.push_back(row.order.text() + "@" + row.clinic.text());
    return ids;
  }
  // All pages, each of so many.
  std::vector<std::string> changed(const ResultFilter& filter, std::size_t page) {
    std::vector<std::string> found;
    ResultPlace after;
    while (true) {
      const auto rows = reads_.changed(filter, after, page);
      if (rows.empty()) return found;
      after = {rows.back().changed_at, rows.back().key};
      std::ranges::copy(ids(rows), std::back_inserter(found));
    }
  }
  std::vector<std::string> searched(const Sight& sight, std::size_t page) {
    std::vector<std::string> found;
    TestKey before = kNewestTest;
    while (true) {
      const auto rows = reads_.search(anything(sight), before, page);
      if (rows.empty()) return found;
      before = rows.back().key;
      std::ranges::copy(ids(rows), std::back_inserter(found));
    }
  }
  // Of everybody's list, what is of these clinics.
  std::vector<std::string> of(const std::vector<std::string>& clinics) {
    auto theirs = changed({}, 1000);
    std::erase_if(theirs, [&](const std::string& id) {
      return std::ranges::find(clinics, id.substr(id.find('@') + 1)) == clinics.end();
    });
    return theirs;
  }
  void expect_each_list_to_show(const std::vector<std::string>& clinics) {
    const auto expected = of(clinics);
    ASSERT_FALSE(expected.empty());
    auto backwards = expected;
    std::ranges::reverse(backwards);
    for (const Sight& sight : {Sight{{}, PractitionerKey{kDoctor}}, Sight{Reach{7}, {}}}) {
      for (const std::size_t page : {3U, 1000U}) {
        EXPECT_EQ(changed(all(sight), page), expected);
        EXPECT_EQ(changed(reviewed(sight, false), page), expected);
        EXPECT_EQ(searched(sight, page), backwards);
      }
      EXPECT_TRUE(changed(reviewed(sight, true), 10).empty());
      ResultFilter corrected = all(sight);
      corrected.status = "corrected";
      EXPECT_TRUE(changed(corrected, 10).empty());
    }
  }
  std::int64_t lacking() {
    Query query(*database_, "SELECT count(*) FROM result_tests WHERE clinic_key = -1");
    return query.next() ? query.integer(0) : -1;
  }

  std::unique_ptr<sqlite::Database> database_ =
      std::move(*sqlite::Database::open(":memory:", sqlite::Database::Access::kReadWrite));
  KnownNames known_;
  int new_names_ = 0;
  SqlResultReads reads_{*database_};
  SqlResultWrites writes_{*database_, known_, [this] { ++new_names_; }};
  std::int64_t last_order_ = 0;
};

TEST_F(ResultsInSight, are_those_of_ones_clinics_in_every_list) {
  add_many(40, 4);
  add("");
  for (const char* clinic : {"cli_1", "cli_3"}) {
    connect(clinic);
    limit_to(clinic);
  }
  EXPECT_EQ(new_names_, 5) << "each clinic is named once, and their set of codes";
  expect_each_list_to_show({"cli_1", "cli_3"});
  // A reach that sees less than the practitioner.
  Query(*database_, "DELETE FROM reach_clinics WHERE clinic_id = 'cli_1'").run();
  EXPECT_EQ(changed(all({Reach{7}, PractitionerKey{kDoctor}}), 3), of({"cli_3"}));
}

TEST_F(ResultsInSight, are_found_before_their_clinic_is_noted_and_are_completed_piece_by_piece) {
  add_many(40, 4);
  add("");
  connect("cli_1");
  limit_to("cli_1");
  Query(*database_, "UPDATE result_tests SET clinic_key = -1").run();
  expect_each_list_to_show({"cli_1"});
  EXPECT_EQ(writes_.complete(15), 15U);
  EXPECT_EQ(lacking(), 26);
  expect_each_list_to_show({"cli_1"});
  EXPECT_EQ(writes_.complete(100), 26U);
  EXPECT_EQ(lacking(), 0) << "also of an order without a clinic";
  EXPECT_EQ(writes_.complete(100), 0U);
  expect_each_list_to_show({"cli_1"});
}

TEST_F(ResultsInSight, follow_their_order_to_another_clinic) {
  add_many(8, 2);
  connect("cli_9");
  limit_to("cli_9");
  Query(*database_, "UPDATE orders SET clinic_id = 'cli_9' WHERE order_key IN (3, 4)").run();
  for (const std::int64_t order : {3, 4}) writes_.move(OrderKey{order}, kSource, ClinicId("cli_9"));
  expect_each_list_to_show({"cli_9"});
  EXPECT_EQ(of({"cli_9"}).size(), 2U);
}

TEST_F(ResultsInSight, of_more_clinics_than_are_asked_one_by_one_are_the_same) {
  add_many(400, 200);
  std::vector<std::string> clinics;
  for (int i = 0; i < 200; i += 2) clinics.push_back(fmt::format("cli_{}", i));
  for (const std::string& clinic : clinics) {
    connect(clinic);
    limit_to(clinic);
  }
  expect_each_list_to_show(clinics);
}

TEST_F(ResultsInSight, cost_the_same_however_long_the_history_is) {
  connect("cli_1");
  limit_to("cli_1");
  const auto cost = [&](bool is_reviewed) {
    const auto before = database_->steps();
    for (const Sight& sight : {Sight{{}, PractitionerKey{kDoctor}}, Sight{Reach{7}, {}}, Sight{}}) {
      if (is_reviewed) {
        EXPECT_EQ(reads_.changed(reviewed(sight, false), {}, 20).size(), 20U);
      } else {
        EXPECT_EQ(reads_.changed(all(sight), {}, 20).size(), 20U);
        EXPECT_EQ(reads_.search(anything(sight), kNewestTest, 20).size(), 20U);
        ResultSearch by_code = anything(sight);
        by_code.code = kCode;
        EXPECT_EQ(reads_.search(by_code, kNewestTest, 20).size(), 20U);
      }
    }
    return database_->steps() - before;
  };
  add_many(200, 4);
  const auto at_first = cost(false);
  const auto to_review = cost(true);
  add_many(20'000, 4);
  EXPECT_LT(cost(false), at_first + at_first / 10) << "at first " << at_first;
  EXPECT_LT(cost(true), to_review + to_review / 10) << "at first " << to_review;
}

}  // namespace
}  // namespace resultsync::store::sql
