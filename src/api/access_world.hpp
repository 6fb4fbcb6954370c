// Two practitioners of two clinics that must never see one another's data, and every kind of key: for tests.
//
//   anna  cli_1  ord_1  evt_1  pat_1          ben  cli_2  ord_2  evt_2  pat_2          nobody  cli_3  ord_3  evt_3
#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/key_ring.hpp"
#include "api/test_house.hpp"

namespace resultsync::api {

inline constexpr const char* kSpareKey = "aaaaaaaaaaaa";  // the id of a key that is there to be looked at

// A key with these properties, as it would have come to be.
struct KeyToMake {
  std::string id;
  std::vector<std::string> scopes;
  store::ReachLimits limits = {};
  bool expired = false;
  bool revoked = false;
};

class AccessWorld {
 public:
  explicit AccessWorld(HouseOptions options = {}) : house(std::move(options)) {
    house.connect("anna", "cli_1");
    house.connect("ben", "cli_2");
    for (const char* n : {"1", "2", "3"}) {
      const std::string number(n);
      house.receive({.id = "evt_" + number,
                     .order = "ord_" + number,
                     .test = "ordts_" + number,
                     .clinic = "cli_" + number,
                     .practitioner = "pra_" + number,
                     .patient = "pat_" + number});
    }
    const std::vector<std::string> all{"read_results", "review_results", "read_events", "manage_endpoints",
                                       "manage_connections"};
    std::vector<KeyToMake> keys{
        {kSpareKey, {"read_results"}},
        {"0000000000ee", all, {}, true},
        {"0000000000ff", all, {}, false, true},
        {"0000000000a1", all, {{AppPractitionerId("anna")}, {}}},
        {"0000000000b1", all, {{AppPractitionerId("ben")}, {}}},
        {"0000000000c1", all, {{}, {{SourceId("rupa"), ClinicId("cli_1")}}}},
        // The clinic of the same id at another network is another clinic.
        {"0000000000d1", all, {{}, {{SourceId("other"), ClinicId("cli_1")}}}},
        {"0000000000e1", all, {{AppPractitionerId("nobody")}, {}}},
    };
    for (const std::string& scope : all) keys.push_back({"00000000" + sha256(scope).hex().substr(0, 4), {scope}});
    keys.push_back({"00000000ad11", {"admin"}});
    for (const KeyToMake& key : keys) add(key);
    // One more by the front door: the keys that there are, are read anew.
    EXPECT_EQ(house.call("POST", "/v1/keys", R"({"name":"last","scopes":["read_results"]})").status, 201);
  }

  void add(const KeyToMake& wanted) {
    const NewKey made = new_key(wanted.id);
    store::ApiKeyRow row;
    row.id = wanted.id;
    row.name = "of a test";
    row.scopes = wanted.scopes;
    row.limits = wanted.limits;
    row.limited = !wanted.limits.empty();
    row.secret = digest_of_key(made.text.reveal());
    const Timestamp now = house.clock_.now();
    row.created_at = {now.microseconds - 2'000'000};
    if (wanted.expired) row.expires_at = Timestamp{now.microseconds - 1'000'000};
    const auto transaction = house.views_->begin();
    transaction->access().add_key(row);
    if (wanted.revoked) transaction->access().revoke_key(row.id, now);
    EXPECT_TRUE(transaction->commit().has_value());
    bearer_[wanted.id] = "Bearer " + made.text.reveal();
  }

  // `target` with what `maker` has made for it: {endpoint}, an enabled one; {delivery}, a pending one; {job}, one that
  // runs.
  [[nodiscard]] std::string resolved(std::string target, const std::string& maker) const {
    const auto made = [&](const std::string& where, const std::string& body, const std::string& member) {
      const auto answer = house.call("POST", where, body, maker);
      EXPECT_LT(answer.status, 300) << where << ": " << answer.body;
      return Json(answer.body).text(member);
    };
    const auto put = [&](const std::string& name, const std::string& id) {
      target.replace(target.find(name), name.size(), id);
    };
    const auto endpoint = [&] { return made("/v1/endpoints", R"({"url":"http://127.0.0.1:18080/hook"})", "/id"); };
    if (target.contains("{endpoint}")) put("{endpoint}", endpoint());
    if (target.contains("{delivery}"))
      put("{delivery}", made("/v1/endpoints/" + endpoint() + "/test", "", "/delivery_id"));
    if (target.contains("{job}")) put("{job}", made("/v1/endpoints/" + endpoint() + "/replay", "{}", "/id"));
    return target;
  }

  // The Authorization header of a key.
  [[nodiscard]] std::string bearer(const std::string& id) const { return bearer_.at(id); }
  [[nodiscard]] std::string scoped(const std::string& scope) const {
    return scope == "admin" ? bearer("00000000ad11") : bearer("00000000" + sha256(scope).hex().substr(0, 4));
  }

  House house;

 private:
  std::map<std::string, std::string> bearer_;
};

}  // namespace resultsync::api
