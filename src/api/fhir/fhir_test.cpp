#include <gtest/gtest.h>

#include "api/fhir/match.hpp"
#include "api/fhir/request.hpp"
#include "api/test_house.hpp"
#include "base/encoding.hpp"

namespace resultsync::api {
namespace {

using namespace fhir_face;

std::string message(const std::string& obx, const std::string& day = "20260101", const std::string& filler = "F1",
                    const std::string& status = "F") {
  return "MSH|^~\\&|APP|LAB|||" + day + "080000+0000||ORU^R01|" + day + "|P|2.5.1\r" +
         "PID|1||M1^^^H^MR||Doe^Jo||19800507|F\r" + "OBR|1|P1|" + filler + "|24323-8^Panel^LN|||" + day +
         "070000+0000|||||||||||||||" + day + "090000+0000||LAB|" + status + "\r" + obx;
}
std::string hemoglobin(const std::string& value) {
  return "OBX|1|NM|718-7^Hemoglobin^LN^HGB^Hb^L||" + value + "|g/dL|13-17||||F\r";
}
std::string sodium(const std::string& value) {
  return "OBX|2|NM|2951-2^Sodium^LN||" + value + "|mmol/L|134-144||||F\r";
}

class FhirFace : public ::testing::Test {
 protected:
  void SetUp() override {
    house_.receive({.id = "e1", .order = "o1", .test = "t1", .result = message(hemoglobin("14") + sodium("140"))});
    house_.receive(
        {.id = "e2", .order = "o2", .test = "t2", .result = message(hemoglobin("15"), "20260201", "F2", "P")});
    house_.receive({.id = "e3",
                    .order = "o3",
                    .test = "t3",
                    .result = message(hemoglobin("16"), "20260301", "F3"),
                    .clinic = "cli_2",
                    .practitioner = "pra_2",
                    .patient = "pat_2"});
  }
  Json search(const std::string& what) {
    const auto answer = house_.get("/fhir/R4/" + what);
    EXPECT_EQ(answer.status, 200) << what << ": " << answer.body;
    EXPECT_EQ(answer.headers.only("Content-Type"), "application/fhir+json");
    return Json(answer.body);
  }
  // How many of the first page match.
  std::size_t found(const std::string& what) {
    const Json bundle = search(what);
    std::size_t count = 0;
    for (std::size_t i = 0; bundle.at("/entry/" + std::to_string(i)) != "absent"; ++i)
      count += bundle.text("/entry/" + std::to_string(i) + "/search/mode") == "match" ? 1 : 0;
    return count;
  }
  http::ClientResponse post(const std::string& type, const std::string& form) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = "http://" + house_.server_->address() + "/fhir/R4/" + type + "/_search";
    request.headers = {{"Authorization", std::string("Bearer ") + kTestKey},
                       {"Content-Type", "application/x-www-form-urlencoded"}};
    request.body = form;
    return http::send(request).value();
  }
  // The issue that a refusal is.
  std::string issue(const std::string& what) {
    const auto answer = house_.get("/fhir/R4/" + what);
    if (answer.headers.only("Content-Type") != "application/fhir+json") return "no FHIR: " + answer.body;
    const Json outcome(answer.body);
    if (outcome.text("/resourceType") != "OperationOutcome") return "no outcome: " + answer.body;
    return std::to_string(answer.status) + " " + outcome.text("/issue/0/code");
  }
  std::string patient_id(const std::string& network_id = "pat_1") {
    return store::fhir_prefix_of_patient(SourceId("rupa"), PatientId(network_id)) + ".patient";
  }
  House house_;
};

TEST_F(FhirFace, searches_by_each_parameter) {
  EXPECT_EQ(found("DiagnosticReport"), 3U);
  EXPECT_EQ(found("Observation"), 4U);
  EXPECT_EQ(found("Observation?code=718-7"), 3U);
  EXPECT_EQ(found("Observation?code=HGB"), 3U);
  EXPECT_EQ(found("Observation?code=http://loinc.org%7C2951-2"), 1U);
  EXPECT_EQ(found("Observation?code=urn:other%7C2951-2"), 0U);
  EXPECT_EQ(found("Observation?code=%7C2951-2"), 0U);
  EXPECT_EQ(found("Observation?code=2951-2,718-7"), 4U);
  EXPECT_EQ(found("Observation?code=718-7&code=2951-2"), 0U);
  EXPECT_EQ(found("Observation?patient=" + patient_id()), 3U);
  EXPECT_EQ(found("Observation?subject=Patient/" + patient_id()), 3U);
  EXPECT_EQ(found("Observation?subject:Patient=" + patient_id() + "&code=718-7"), 2U);
  EXPECT_EQ(found("Observation?patient=" + patient_id("pat_9")), 0U);
  EXPECT_EQ(found("DiagnosticReport?status=preliminary"), 1U);
  EXPECT_EQ(found("DiagnosticReport?status=final,preliminary"), 3U);
  EXPECT_EQ(found("DiagnosticReport?category=LAB"), 3U);
  EXPECT_EQ(found("Observation?category=laboratory"), 4U);
  EXPECT_EQ(found("DiagnosticReport?identifier=F2"), 1U);
  EXPECT_EQ(found("DiagnosticReport?identifier=o2"), 1U);
  EXPECT_EQ(found("ServiceRequest?identifier=urn:resultsync:rupa:order%7Co2"), 1U);
  EXPECT_EQ(found("Patient?identifier=urn:resultsync:rupa:patient%7Cpat_1"), 1U);
  EXPECT_EQ(found("Patient"), 2U);
  EXPECT_GE(found("Provenance"), 3U);
  EXPECT_GE(found("Organization"), 1U);
}

TEST_F(FhirFace, dates_are_compared_as_exactly_as_they_are_known) {
  const std::string type = "DiagnosticReport?date=";
  EXPECT_EQ(found(type + "2026-01-01"), 1U);
  EXPECT_EQ(found(type + "2026"), 3U);
  EXPECT_EQ(found(type + "ne2026-01"), 2U);
  EXPECT_EQ(found(type + "ge2026-02-01"), 2U);
  EXPECT_EQ(found(type + "gt2026-02-01"), 1U);
  EXPECT_EQ(found(type + "lt2026-02-01"), 1U);
  EXPECT_EQ(found(type + "le2026-02-01"), 2U);
  EXPECT_EQ(found(type + "2026-01-01T07:00:00Z"), 1U);
  EXPECT_EQ(found(type + "2026-01-01T09:00:00%2B02:00"), 1U);
  EXPECT_EQ(found(type + "2026-01-01T07:00"), 1U);
  EXPECT_EQ(found(type + "ge2026-01-15&date=lt2026-02-15"), 1U);
  EXPECT_EQ(found("Observation?date=ge2026-02-15"), 1U);
  EXPECT_EQ(found("Observation?_lastUpdated=gt2000-01-01"), 4U);
  EXPECT_EQ(found("Observation?_lastUpdated=lt2000-01-01"), 0U);
  for (const char* date : {"x", "20260101", "2026-1-1", "2026-13", "2026-02-30", "ap2026", "2026-01-01T10",
                           "2026-01-01T10:00:00.", "2026-01-01T10:00:00+1", "2026-01-01T10:00:00Zx", "ge"}) {
    EXPECT_EQ(issue(type + date), "400 invalid") << date;
  }
}

TEST_F(FhirFace, reads_what_a_search_found_and_says_which_version_it_is) {
  const Json bundle = search("DiagnosticReport?_count=1");
  const std::string full = bundle.text("/entry/0/fullUrl");
  const std::string path = full.substr(full.find("/fhir/"));
  const auto read = house_.get(path);
  EXPECT_EQ(read.status, 200);
  const std::string tag(read.headers.only("ETag").value_or(""));
  EXPECT_EQ(tag, "W/\"" + Json(read.body).text("/meta/versionId") + "\"");
  EXPECT_EQ(Json(read.body).text("/id"), bundle.text("/entry/0/resource/id"));
  EXPECT_TRUE(tag.starts_with("W/\"1-")) << tag;
  const auto again = [&](std::string_view known) {
    http::ClientRequest request;
    request.url = "http://" + house_.server_->address() + path;
    request.headers = {{"Authorization", std::string("Bearer ") + kTestKey}, {"If-None-Match", std::string(known)}};
    auto response = http::send(request);
    EXPECT_TRUE(response);
    return response ? *response : http::ClientResponse{};
  };
  EXPECT_EQ(again(tag).status, 304);
  EXPECT_EQ(again(tag).body, "");
  EXPECT_EQ(again(tag).headers.only("ETag"), tag);
  EXPECT_EQ(again("W/\"1\", \"x\"").status, 200);
  EXPECT_EQ(Json(house_.get("/fhir/R4/Patient/" + patient_id()).body).text("/name/0/family"), "Doe");
  EXPECT_EQ(issue("Observation/" + bundle.text("/entry/0/resource/id")), "404 not-found");
  EXPECT_EQ(issue("Patient/nobody"), "404 not-found");
  EXPECT_EQ(issue("Patient/p000000000000000000000000.patient"), "404 not-found");
  EXPECT_EQ(issue("Medication/1"), "404 not-supported");
}

TEST_F(FhirFace, pages_lead_on_until_everything_was_seen_once) {
  std::set<std::string> seen;
  std::string next = "/fhir/R4/Observation?_count=1&code=718-7,2951-2";
  for (int page = 0; page < 10 && !next.empty(); ++page) {
    const Json bundle(house_.get(next).body);
    for (std::size_t i = 0; bundle.at("/entry/" + std::to_string(i)) != "absent"; ++i)
      EXPECT_TRUE(seen.insert(bundle.text("/entry/" + std::to_string(i) + "/resource/id")).second);
    EXPECT_EQ(bundle.text("/link/0/relation"), "self");
    const std::string url = bundle.at("/link/1/url") == "absent" ? "" : bundle.text("/link/1/url");
    next = url.empty() ? url : url.substr(url.find("/fhir/"));
  }
  EXPECT_EQ(seen.size(), 4U);
  EXPECT_EQ(search("Observation?_count=50").at("/total"), "4");
  const Json count = search("Observation?_summary=count&code=718-7");
  EXPECT_EQ(count.at("/total"), "3");
  EXPECT_EQ(count.at("/entry"), "absent");
  for (const char* cursor : {"x", "s1.1.1", "s1.0.1.0", "s1.01.1.0", "s1.99999999999999999999.1.1", "s1.-1.1.1"})
    EXPECT_EQ(issue(std::string("Observation?_cursor=") + cursor), "400 invalid") << cursor;
}

TEST_F(FhirFace, what_is_counted_may_be_more_than_is_asked_for_together) {
  for (int i = 0; i < 300; ++i) {
    const std::string n = std::to_string(i);
    house_.receive({.id = "many" + n,
                    .order = "many" + n,
                    .test = "many" + n,
                    .result = message(hemoglobin("14"), "20260401", "M" + n)});
  }
  EXPECT_EQ(search("DiagnosticReport?_summary=count").at("/total"), "303");
}

TEST_F(FhirFace, what_is_referred_to_and_what_refers_comes_along_when_asked_for) {
  const auto modes = [&](const std::string& what) {
    const Json bundle = search(what);
    std::string text;
    for (std::size_t i = 0; bundle.at("/entry/" + std::to_string(i)) != "absent"; ++i) {
      const std::string at = "/entry/" + std::to_string(i);
      text += bundle.text(at + "/resource/resourceType").substr(0, 3) + ":" + bundle.text(at + "/search/mode") + " ";
    }
    return text;
  };
  EXPECT_EQ(modes("Observation?code=2951-2&_include=Observation:subject"), "Obs:match Pat:include ");
  EXPECT_EQ(modes("Observation?code=2951-2&_include=Observation:patient"), "Obs:match Pat:include ");
  EXPECT_EQ(modes("DiagnosticReport?identifier=F1&_include=DiagnosticReport:result"),
            "Dia:match Obs:include Obs:include ");
  EXPECT_EQ(modes("DiagnosticReport?identifier=F1&_include=DiagnosticReport:result:Patient"), "Dia:match ");
  EXPECT_EQ(modes("DiagnosticReport?identifier=F1&_revinclude=Provenance:target"), "Dia:match Pro:include ");
  EXPECT_EQ(modes("Patient?_id=" + patient_id() + "&_revinclude=DiagnosticReport:subject"),
            "Pat:match Dia:include Dia:include ");
  EXPECT_EQ(issue("Observation?_include=subject"), "400 invalid");
  EXPECT_EQ(issue("Observation?_include:iterate=Observation:subject"), "400 not-supported");
}

TEST_F(FhirFace, personal_values_are_taken_by_post_only) {
  for (const char* query :
       {"Patient?name=Doe", "Patient?birthdate=1980-05-07", "Patient?family:exact=Doe", "Patient?identifier=M1",
        "Observation?patient.name=Doe", "Observation?subject:Patient.birthdate=1980"}) {
    EXPECT_EQ(issue(query), "400 suppressed") << query;
  }
  const Json by_name(post("Patient", "name=doe&birthdate=1980-05-07&gender=female").body);
  EXPECT_EQ(by_name.at("/total"), "2");
  EXPECT_EQ(by_name.text("/link/0/url").find("doe"), std::string::npos);
  EXPECT_EQ(Json(post("Patient", "family=smith").body).at("/total"), "0");
  EXPECT_EQ(Json(post("Patient", "identifier=M1").body).at("/total"), "2");
  EXPECT_EQ(Json(post("Observation", "code=718-7").body).at("/total"), "3");
}

TEST_F(FhirFace, what_is_not_known_is_passed_by_with_a_warning_or_refused_if_that_is_asked_for) {
  const Json lenient = search("Observation?color=red&code=2951-2&_sort=date");
  EXPECT_EQ(lenient.text("/entry/1/search/mode"), "outcome");
  EXPECT_EQ(lenient.size("/entry/1/resource/issue"), 2U);
  EXPECT_EQ(lenient.text("/link/0/url").find("color"), std::string::npos);
  http::ClientRequest strict;
  strict.method = "GET";
  strict.url = "http://" + house_.server_->address() + "/fhir/R4/Observation?color=red";
  strict.headers = {{"Authorization", std::string("Bearer ") + kTestKey}, {"Prefer", "handling=strict"}};
  EXPECT_EQ(http::send(strict)->status, 400);
  EXPECT_EQ(issue("Observation?code:not=1"), "400 not-supported");
  EXPECT_EQ(issue("Observation?code=%7C"), "400 invalid");
  EXPECT_EQ(issue("Observation?_count=-1"), "400 invalid");
  EXPECT_EQ(issue("Observation?_format=xml"), "406 not-supported");
  EXPECT_EQ(found("Observation?_format=json"), 4U);
  EXPECT_EQ(found("Observation?_count=99999"), 4U);
  EXPECT_EQ(found("Observation?patient=http://elsewhere.example/Patient/1"), 0U);
  EXPECT_EQ(found("Observation?patient=a/b/c"), 0U);
}

TEST_F(FhirFace, hostile_parameters_are_bounded) {
  std::string many = "Observation?";
  for (std::size_t i = 0; i <= kParametersMax; ++i) many += "code=1&";
  EXPECT_EQ(issue(many), "400 invalid");
  std::string alternatives = "Observation?code=1";
  for (std::size_t i = 0; i < kAlternativesMax; ++i) alternatives += ",1";
  EXPECT_EQ(issue(alternatives), "400 invalid");
  EXPECT_EQ(issue("Observation?code=" + std::string(kValueBytesMax + 1, 'a')), "400 invalid");
  EXPECT_EQ(found("Observation?code=" + std::string(kValueBytesMax, 'a')), 0U);
  EXPECT_EQ(house_.get("/fhir/R4/Observation?code=%ff").status, 400);
  EXPECT_EQ(found("Observation?_id=" + std::string(64, 'a')), 0U);
  EXPECT_EQ(found("Observation?_id='%20OR%201=1--"), 0U);
  EXPECT_EQ(found("Observation?code=%5C"), 0U);
}

TEST_F(FhirFace, errors_are_outcomes_whoever_finds_them) {
  EXPECT_EQ(house_.call("GET", "/fhir/R4/Observation", {}, "").status, 401);
  EXPECT_EQ(Json(house_.call("GET", "/fhir/R4/Observation", {}, "").body).text("/issue/0/code"), "login");
  EXPECT_EQ(Json(house_.call("DELETE", "/fhir/R4/Observation/1").body).text("/issue/0/code"), "not-supported");
  EXPECT_EQ(house_.call("DELETE", "/fhir/R4/Observation/1").status, 405);
  EXPECT_EQ(issue("Observation/1/_history"), "404 not-found");
  EXPECT_EQ(issue("Observation?_practitioner=nobody"), "404 not-found");
  const Json metadata(house_.call("GET", "/fhir/R4/metadata", {}, "").body);
  EXPECT_EQ(metadata.text("/fhirVersion"), "4.0.1");
  EXPECT_EQ(metadata.size("/rest/0/resource"), 10U);
}

TEST_F(FhirFace, nobody_sees_what_is_another_clinics) {
  house_.connect("anna", "cli_1");
  house_.connect("mallory", "cli_2");
  const auto as = [](const std::string& who, const std::string& path) {
    return path + (path.contains('?') ? "&" : "?") + "_practitioner=" + who;
  };
  for (std::size_t i = 0; i < fhir::kTypes; ++i) {
    const std::string type(fhir::type_name(static_cast<fhir::Type>(i)));
    const std::size_t all = found(type);
    EXPECT_EQ(found(as("anna", type)) + found(as("mallory", type)), all) << type;
    const Json bundle = search(as("anna", type));
    if (bundle.at("/entry/0") == "absent") continue;
    const std::string id = bundle.text("/entry/0/resource/id");
    EXPECT_EQ(house_.get("/fhir/R4/" + as("anna", type + "/" + id)).status, 200) << type;
    EXPECT_EQ(issue(as("mallory", type + "/" + id)), "404 not-found") << type;
    EXPECT_EQ(found(as("mallory", type + "?_id=" + id)), 0U) << type;
  }
  for (const std::string& query : {"Observation?patient=" + patient_id(), std::string("DiagnosticReport?identifier=F1"),
                                   std::string("DiagnosticReport?identifier=o1"),
                                   "Patient?_id=" + patient_id() + "&_revinclude=Observation:subject"}) {
    EXPECT_GE(found(as("anna", query)), 1U) << query;
    EXPECT_EQ(search(as("mallory", query)).at("/entry"), "absent") << query;
  }
  EXPECT_EQ(found(as("mallory", "Observation?code=718-7")), 1U);
}

// P5: the row names every order that something was shown of, and no other.
TEST_F(FhirFace, what_a_search_shows_is_on_record) {
  const auto on_record = [&](const std::string& what) {
    search(what);
    auto objects = house_.audit_log_->snapshot()->before({}, 0, 1).front().objects;
    std::erase_if(objects, [](const std::string& name) { return !name.starts_with("orders/"); });
    std::ranges::sort(objects);
    return objects;
  };
  using Orders = std::vector<std::string>;
  // The page is full in the middle of o1's two observations.
  EXPECT_EQ(on_record("Observation?_count=1&patient=" + patient_id() + "&date=2026-01-01"), Orders{"orders/o1"});
  EXPECT_EQ(on_record("Observation?_count=1&code=718-7"), Orders{"orders/o3"});
  EXPECT_EQ(on_record("Patient?_id=" + patient_id() + "&_revinclude=DiagnosticReport:subject"),
            (Orders{"orders/o1", "orders/o2"}));
  EXPECT_EQ(on_record("DiagnosticReport?status=preliminary"), Orders{"orders/o2"});
  EXPECT_EQ(on_record("DiagnosticReport?status=cancelled"), Orders{});
}

TEST(FhirDates, follow_the_standards_table) {
  const auto wanted = [](DateValue::Prefix prefix) { return DateValue{prefix, {{100}, {200}}}; };
  using enum DateValue::Prefix;
  const fhir::Span within{{120}, {130}};
  const fhir::Span across{{150}, {250}};
  const fhir::Span after{{200}, {210}};
  EXPECT_TRUE(matches(wanted(eq), within) && !matches(wanted(eq), across) && !matches(wanted(eq), after));
  EXPECT_TRUE(!matches(wanted(ne), within) && matches(wanted(ne), across) && matches(wanted(ne), after));
  EXPECT_TRUE(!matches(wanted(gt), within) && matches(wanted(gt), across) && matches(wanted(gt), after));
  EXPECT_TRUE(matches(wanted(ge), within) && matches(wanted(ge), across) && matches(wanted(ge), after));
  EXPECT_TRUE(!matches(wanted(lt), within) && !matches(wanted(lt), across) && !matches(wanted(lt), after));
  EXPECT_TRUE(matches(wanted(le), within) && !matches(wanted(le), across) && !matches(wanted(le), after));
}

}  // namespace
}  // namespace resultsync::api
