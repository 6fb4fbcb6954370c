// Consumers and acknowledgements.
#include <gtest/gtest.h>

#include "api/acknowledgements.hpp"
#include "api/test_house.hpp"
#include "store/readers.hpp"

namespace resultsync::api {
namespace {

class Readers : public testing::Test {
 protected:
  void SetUp() override {
    house_.connect("anna");
    house_.connect("ben", "cli_2");
    for (int i = 1; i <= 5; ++i) {
      house_.receive({.id = "evt_" + std::to_string(i),
                      .created_at = "2024-06-13T20:0" + std::to_string(i) + ":00Z",
                      .result = std::to_string(i)});
    }
    const Json page(house_.get("/v1/feed?practitioner=anna").body);
    for (int i = 0; i < 5; ++i) cursors_.push_back(page.text("/items/" + std::to_string(i) + "/cursor"));
  }
  std::string said(const std::string& method, const std::string& target, const std::string& body = {}) {
    const auto response = house_.call(method, target, body);
    return std::to_string(response.status) + (response.status < 400 ? "" : " " + code_of(response));
  }
  std::string first_of(const std::string& target) {
    const Json page(house_.get(target).body);
    return page.size("/items") == 0 ? "nothing" : page.text("/items/0/event_id");
  }
  std::string unacknowledged(const std::string& query = "practitioner=anna") {
    const Json page(house_.get("/v1/feed/unacknowledged?" + query).body);
    std::string listed;
    for (std::size_t i = 0; i < page.size("/items"); ++i) {
      const std::string cursor = page.text("/items/" + std::to_string(i) + "/cursor");
      for (std::size_t k = 0; k < cursors_.size(); ++k) listed += cursors_[k] == cursor ? std::to_string(k + 1) : "";
    }
    return listed;
  }

  House house_;
  std::vector<std::string> cursors_;
};

TEST_F(Readers, a_consumer_reads_on_from_what_it_has_committed) {
  EXPECT_EQ(said("GET", "/v1/feed?practitioner=anna&consumer=ehr"), "404 unknown_consumer");
  EXPECT_EQ(said("PUT", "/v1/consumers/ehr", R"({"practitioner":"anna"})"), "201");
  EXPECT_EQ(said("PUT", "/v1/consumers/ehr", R"({"practitioner":"anna"})"), "200");
  EXPECT_EQ(first_of("/v1/feed?practitioner=anna&consumer=ehr"), "evt_1");
  EXPECT_EQ(said("POST", "/v1/consumers/ehr/commit", R"({"practitioner":"anna","cursor":")" + cursors_[2] + "\"}"),
            "200");
  EXPECT_EQ(first_of("/v1/feed?practitioner=anna&consumer=ehr"), "evt_4");
  const Json shown(house_.get("/v1/consumers/ehr?practitioner=anna").body);
  EXPECT_EQ(shown.text("/cursor"), cursors_[2]);
  EXPECT_EQ(shown.at("/behind"), "2");
}

TEST_F(Readers, a_commit_never_goes_back_and_a_put_may) {
  said("PUT", "/v1/consumers/ehr", R"({"practitioner":"anna"})");
  const auto commit = [&](std::size_t index) {
    return said("POST", "/v1/consumers/ehr/commit", R"({"practitioner":"anna","cursor":")" + cursors_[index] + "\"}");
  };
  EXPECT_EQ(commit(3), "200");
  EXPECT_EQ(commit(3), "200") << "the same again is no step back";
  EXPECT_EQ(commit(1), "409 commit_behind");
  EXPECT_EQ(said("PUT", "/v1/consumers/ehr", R"({"practitioner":"anna","cursor":")" + cursors_[1] + "\"}"), "200");
  EXPECT_EQ(first_of("/v1/feed?practitioner=anna&consumer=ehr"), "evt_3");
  EXPECT_EQ(said("PUT", "/v1/consumers/ehr", R"({"practitioner":"anna","from":"start"})"), "200");
  EXPECT_EQ(first_of("/v1/feed?practitioner=anna&consumer=ehr"), "evt_1");
  EXPECT_EQ(said("PUT", "/v1/consumers/ehr", R"({"practitioner":"anna","from":"now"})"), "200");
  EXPECT_EQ(first_of("/v1/feed?practitioner=anna&consumer=ehr"), "nothing");
}

TEST_F(Readers, consumers_are_listed_and_forgotten) {
  said("PUT", "/v1/consumers/b", R"({"practitioner":"anna"})");
  said("PUT", "/v1/consumers/a", R"({"practitioner":"anna"})");
  const Json listed(house_.get("/v1/consumers?practitioner=anna").body);
  ASSERT_EQ(listed.size("/items"), 2U);
  EXPECT_EQ(listed.text("/items/0/name"), "a");
  EXPECT_EQ(said("DELETE", "/v1/consumers/a?practitioner=anna"), "204");
  EXPECT_EQ(said("DELETE", "/v1/consumers/a?practitioner=anna"), "404 unknown_consumer");
  EXPECT_EQ(said("GET", "/v1/consumers/b?practitioner=ben"), "404 unknown_consumer") << "a name is one practitioner's";
}

TEST_F(Readers, what_a_consumer_cannot_be_is_told) {
  EXPECT_EQ(said("PUT", "/v1/consumers/a%20b", R"({"practitioner":"anna"})"), "400 bad_parameter");
  EXPECT_EQ(said("PUT", "/v1/consumers/" + std::string(64, 'a'), R"({"practitioner":"anna"})"), "201");
  EXPECT_EQ(said("PUT", "/v1/consumers/" + std::string(65, 'a'), R"({"practitioner":"anna"})"), "400 bad_parameter");
  EXPECT_EQ(said("PUT", "/v1/consumers/ehr", R"({"practitioner":"nobody"})"), "404 unknown_practitioner");
  EXPECT_EQ(said("PUT", "/v1/consumers/ehr", R"({})"), "422 invalid_members");
  EXPECT_EQ(said("PUT", "/v1/consumers/ehr", R"({"practitioner":"anna","from":"x"})"), "422 invalid_members");
  EXPECT_EQ(said("PUT", "/v1/consumers/ehr", R"({"practitioner":"anna","cursor":"x"})"), "400 bad_cursor");
  EXPECT_EQ(said("PUT", "/v1/consumers/ehr", R"({"practitioner":"ben","cursor":")" + cursors_[0] + "\"}"),
            "410 cursor_gone");
  EXPECT_EQ(said("POST", "/v1/consumers/none/commit", R"({"practitioner":"anna","cursor":")" + cursors_[0] + "\"}"),
            "404 unknown_consumer");
  EXPECT_EQ(said("GET", "/v1/feed?practitioner=anna&consumer=ehr&after=" + cursors_[0]), "400 bad_parameter");
  for (int i = 1; i < 100; ++i)
    ASSERT_EQ(said("PUT", "/v1/consumers/c" + std::to_string(i), R"({"practitioner":"anna"})"), "201");
  EXPECT_EQ(said("PUT", "/v1/consumers/c100", R"({"practitioner":"anna"})"), "409 too_many_consumers");
}

TEST_F(Readers, items_are_acknowledged_one_by_one_or_up_to_a_place) {
  EXPECT_EQ(unacknowledged(), "12345");
  EXPECT_EQ(said("POST", "/v1/feed/ack",
                 R"({"practitioner":"anna","items":[")" + cursors_[1] + "\",\"" + cursors_[3] + "\"]}"),
            "200");
  EXPECT_EQ(unacknowledged(), "135");
  const auto answer =
      house_.call("POST", "/v1/feed/ack", R"({"practitioner":"anna","items":[")" + cursors_[0] + "\"]}");
  EXPECT_EQ(Json(answer.body).text("/acknowledged_through"), cursors_[1]) << "1 and 2 are a whole";
  EXPECT_EQ(unacknowledged(), "35");
  EXPECT_EQ(said("POST", "/v1/feed/ack", R"({"practitioner":"anna","through":")" + cursors_[2] + "\"}"), "200");
  EXPECT_EQ(unacknowledged(), "5");
  EXPECT_EQ(said("POST", "/v1/feed/ack", R"({"practitioner":"anna","through":")" + cursors_[0] + "\"}"), "200");
  EXPECT_EQ(unacknowledged(), "5") << "nothing is taken back";
  EXPECT_EQ(unacknowledged("practitioner=anna&older_than=3600"), "");
}

TEST_F(Readers, what_is_unacknowledged_comes_in_pages_over_all_practitioners) {
  house_.receive({.id = "evt_9", .order = "ord_9", .clinic = "cli_2"});
  std::string after;
  std::vector<std::string> seen;
  for (int i = 0; i < 6; ++i) {
    const Json page(house_.get("/v1/feed/unacknowledged?limit=1" + (after.empty() ? "" : "&after=" + after)).body);
    ASSERT_EQ(page.size("/items"), 1U);
    seen.push_back(page.text("/items/0/practitioner"));
    after = page.text("/next");
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"anna", "anna", "anna", "anna", "anna", "ben"}));
  EXPECT_EQ(Json(house_.get("/v1/feed/unacknowledged?limit=1&after=" + after).body).at("/next"), "null");
}

TEST_F(Readers, what_an_acknowledgement_cannot_be_is_told) {
  EXPECT_EQ(said("POST", "/v1/feed/ack", "[]"), "400 bad_json");
  EXPECT_EQ(said("POST", "/v1/feed/ack", R"({"practitioner":"anna"})"), "422 invalid_members");
  EXPECT_EQ(said("POST", "/v1/feed/ack", R"({"through":"x"})"), "422 invalid_members");
  EXPECT_EQ(said("POST", "/v1/feed/ack", R"({"practitioner":"anna","through":"x"})"), "400 bad_cursor");
  EXPECT_EQ(said("POST", "/v1/feed/ack", R"({"practitioner":"anna","items":["x"]})"), "400 bad_cursor");
  EXPECT_EQ(said("POST", "/v1/feed/ack", R"({"practitioner":"anna","items":[1]})"), "422 invalid_members");
  EXPECT_EQ(said("POST", "/v1/feed/ack", R"({"practitioner":"ben","through":")" + cursors_[0] + "\"}"),
            "410 cursor_gone");
  std::string many = "\"" + cursors_[0] + "\"";
  for (int i = 1; i < 1000; ++i) many += ",\"" + cursors_[0] + "\"";
  EXPECT_EQ(said("POST", "/v1/feed/ack", R"({"practitioner":"anna","items":[)" + many + "]}"), "200");
  EXPECT_EQ(said("POST", "/v1/feed/ack", R"({"practitioner":"anna","items":[)" + many + ",\"" + cursors_[0] + "\"]}"),
            "422 invalid_members");
}

TEST_F(Readers, the_gauges_count_for_whom_anything_was_acknowledged) {
  AcknowledgementGauges gauges(*house_.views_, house_.clock_, house_.metrics_);
  gauges.look();
  EXPECT_NE(house_.metrics_.exposition().find("resultsync_feed_unacknowledged_items 0"), std::string::npos);
  said("POST", "/v1/feed/ack", R"({"practitioner":"anna","through":")" + cursors_[2] + "\"}");
  gauges.look();
  EXPECT_NE(house_.metrics_.exposition().find("resultsync_feed_unacknowledged_items 2"), std::string::npos);
}

TEST_F(Readers, whoever_waits_asks_for_all_feeds_together) {
  house_.connect("gone", "cli_3");
  ASSERT_EQ(said("DELETE", "/v1/practitioners/gone"), "204");
  std::vector<AppPractitionerId> asked{AppPractitionerId("gone"), AppPractitionerId("unknown")};
  for (int i = 0; i < 70; ++i) {
    asked.emplace_back("p_" + std::to_string(i));
    house_.connect(asked.back().text(), "cli_2");
  }
  asked.emplace_back("anna");
  const auto snapshot = house_.views_->snapshot();
  const auto ends = snapshot->readers().feed_ends(asked);
  ASSERT_EQ(ends.size(), 71U) << "those who are connected";
  for (const auto& end : ends)
    EXPECT_EQ(end.last_position, end.practitioner.text() == "anna" ? 5 : 0) << end.practitioner.text();
  EXPECT_TRUE(snapshot->readers().feed_ends({}).empty());
}

}  // namespace
}  // namespace resultsync::api
