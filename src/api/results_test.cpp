#include <gtest/gtest.h>

#include "api/test_house.hpp"
#include "base/digest.hpp"
#include "base/encoding.hpp"

namespace resultsync::api {
namespace {

// A lab's message with one report; `obx` are whole segments.
std::string message(const std::string& status, const std::string& obx, const std::string& day = "20260101",
                    const std::string& filler = "F1", const std::string& lab = "LAB") {
  return "MSH|^~\\&|APP|" + lab + "|||" + day + "080000+0000||ORU^R01|" + day + "|P|2.5.1\rPID|1||M1^^^H^MR||Doe^Jo\r" +
         "OBR|1|P1|" + filler + "|24323-8^Panel^LN|||" + day + "070000+0000|||||||||||||||" + day + "090000+0000|||" +
         status + "\r" + obx;
}
std::string hemoglobin(const std::string& value, const std::string& unit = "g/dL", const std::string& flag = "",
                       const std::string& status = "F") {
  return "OBX|1|NM|718-7^Hemoglobin^LN^HGB^Hb^L||" + value + "|" + unit + "|13-17|" + flag + "|||" + status + "\r";
}
std::string file(const std::string& type, const std::string& bytes) {
  return "OBX|9|ED|PDF^Report^L||^" + type + "^Base64^" + encode_base64(bytes) + "||||||F\r";
}

const std::string kPdf = "%PDF-1.4\nthe report\n";

class Results : public ::testing::Test {
 protected:
  void receive(SentEvent event, const std::string& source = "rupa") { house_.receive(event, source); }
  House house_;
};

TEST_F(Results, are_listed_in_the_order_of_change_with_what_to_look_at_first) {
  receive({.id = "e1", .test = "t1", .result = message("P", hemoglobin("19", "g/dL", "HH") + hemoglobin("12"))});
  receive({.id = "e2", .order = "ord_2", .test = "t2", .result = message("F", hemoglobin("14"))});
  receive({.id = "e3",
           .created_at = "2024-06-14T00:00:00Z",
           .test = "t1",
           .result = message("C", hemoglobin("18", "g/dL", "H"))});
  const Json page(house_.get("/v1/results").body);
  ASSERT_EQ(page.size("/items"), 2U);
  EXPECT_EQ(page.text("/items/0/ordered_test_id") + page.text("/items/1/ordered_test_id"), "t2t1");
  EXPECT_EQ(page.text("/items/1/status"), "corrected");
  EXPECT_EQ(page.at("/items/1/version"), "2");
  EXPECT_EQ(page.text("/items/1/url"), "/v1/results/t1?source=rupa&order=ord_1");
  EXPECT_EQ(page.at("/items/1/summary/abnormal"), "1");
  EXPECT_EQ(page.at("/items/0/summary/observations"), "1");
  EXPECT_EQ(page.at("/next"), "null");

  const Json first(house_.get("/v1/results?limit=1").body);
  ASSERT_EQ(first.size("/items"), 1U);
  const Json second(house_.get("/v1/results?limit=1&after=" + first.text("/next")).body);
  EXPECT_EQ(second.text("/items/0/ordered_test_id"), "t1");
  EXPECT_EQ(second.at("/next"), "null");

  EXPECT_EQ(Json(house_.get("/v1/results?status=corrected").body).size("/items"), 1U);
  EXPECT_EQ(Json(house_.get("/v1/results?order=ord_2").body).size("/items"), 1U);
  EXPECT_EQ(Json(house_.get("/v1/results?patient=pat_1&source=rupa").body).size("/items"), 2U);
  EXPECT_EQ(Json(house_.get("/v1/results?patient=pat_9").body).size("/items"), 0U);
  EXPECT_EQ(code_of(house_.get("/v1/results?status=done")), "bad_parameter");
  EXPECT_EQ(code_of(house_.get("/v1/results?patient=")), "bad_parameter");
  EXPECT_EQ(code_of(house_.get("/v1/results?after=p1.o.1.1")), "bad_cursor");
  EXPECT_EQ(code_of(house_.get("/v1/results?practitioner=nobody")), "unknown_practitioner");
}

TEST_F(Results, show_what_is_current_and_each_version_for_ever) {
  receive({.id = "e1", .test = "t1", .result = message("P", hemoglobin("19", "g/dL", "HH", "P"))});
  receive({.id = "e2",
           .created_at = "2024-06-14T00:00:00Z",
           .test = "t1",
           .result = message("F", hemoglobin("14"), "20260102")});
  const Json now(house_.get("/v1/results/t1").body);
  EXPECT_EQ(now.text("/status"), "final");
  EXPECT_EQ(now.at("/result/version"), "2");
  EXPECT_EQ(now.at("/result/previous_version"), "1");
  EXPECT_EQ(now.text("/result/reports/0/observations/0/values/0/text"), "14");
  EXPECT_EQ(now.text("/result/diff/reports/0/diff/analytes/0/changes/0/before"), "19");
  EXPECT_EQ(now.at("/result/account/obx_in"), "1");
  ASSERT_EQ(now.size("/versions"), 2U);
  EXPECT_EQ(now.text("/versions/0/status"), "preliminary");
  EXPECT_EQ(now.at("/versions/1/current"), "true");
  EXPECT_EQ(now.text("/versions/1/url"), "/v1/results/t1/versions/2?source=rupa&order=ord_1");

  const auto first = house_.get("/v1/results/t1/versions/1");
  EXPECT_EQ(Json(first.body).text("/reports/0/observations/0/values/0/text"), "19");
  EXPECT_EQ(Json(first.body).text("/status"), "preliminary");
  for (const char* number : {"0", "3", "01", "+1", "1x", "99999999999999999999"}) {
    EXPECT_EQ(code_of(house_.get(std::string("/v1/results/t1/versions/") + number)), "unknown_version") << number;
  }
  const std::string etag(first.headers.only("ETag").value_or(""));
  EXPECT_TRUE(etag.starts_with('"')) << etag;
  http::ClientRequest again;
  again.method = "GET";
  again.url = "http://" + house_.server_->address() + "/v1/results/t1/versions/1";
  again.headers = {{"Authorization", std::string("Bearer ") + kTestKey}, {"If-None-Match", etag}};
  EXPECT_EQ(http::send(again)->status, 304);
  // A further event leaves it what it was, to the byte.
  receive({.id = "e3",
           .created_at = "2024-06-15T00:00:00Z",
           .test = "t1",
           .result = message("C", hemoglobin("15"), "20260103")});
  EXPECT_EQ(house_.get("/v1/results/t1/versions/1").body, first.body);
}

TEST_F(Results, show_what_stands_where_a_lab_sends_a_part_again) {
  const std::string sodium = "OBX|2|NM|2951-2^Sodium^LN||140|mmol/L|134-144||||F\r";
  receive({.id = "e1", .test = "t1", .result = message("P", hemoglobin("19") + sodium)});
  receive({.id = "e2",
           .created_at = "2024-06-14T00:00:00Z",
           .test = "t1",
           .result = message("F", hemoglobin("14"), "20260102")});
  const Json now(house_.get("/v1/results/t1").body);
  EXPECT_EQ(now.size("/result/reports/0/observations"), 1U);
  ASSERT_EQ(now.size("/known/reports/0/observations"), 2U);
  EXPECT_EQ(now.text("/known/reports/0/observations/0/values/0/text"), "14");
  const Json series(house_.get("/v1/patients/pat_1/observations?code=2951-2").body);
  EXPECT_EQ(series.size("/lines/0/points"), 1U);
}

TEST_F(Results, of_one_id_at_two_sources_are_told_apart) {
  receive({.id = "e1", .test = "t1", .result = message("F", hemoglobin("14"))});
  receive({.id = "e1", .test = "t1", .result = message("F", hemoglobin("15"))}, "other");
  EXPECT_EQ(code_of(house_.get("/v1/results/t1")), "ambiguous_id");
  EXPECT_EQ(Json(house_.get("/v1/results/t1?source=other").body).text("/source"), "other");
  EXPECT_EQ(code_of(house_.get("/v1/patients/pat_1/observations")), "ambiguous_id");
  // The same ordered test under two orders of one source.
  receive({.id = "e2", .order = "ord_2", .test = "t1", .result = message("F", hemoglobin("16"))});
  EXPECT_EQ(code_of(house_.get("/v1/results/t1?source=rupa")), "ambiguous_id");
  EXPECT_EQ(Json(house_.get("/v1/results/t1?source=rupa&order=ord_2").body).text("/order_id"), "ord_2");
  // Every link that is given leads to the one that it was given with.
  const Json listed(house_.get("/v1/results").body);
  ASSERT_EQ(listed.size("/items"), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string item = "/items/" + std::to_string(i);
    const Json one(house_.get(listed.text(item + "/url")).body);
    for (const char* member : {"/source", "/order_id"}) EXPECT_EQ(one.text(member), listed.text(item + member));
    EXPECT_EQ(house_.get(one.text("/versions/0/url")).status, 200);
  }
}

TEST_F(Results, a_series_never_mixes_units_or_two_laboratories_own_codes) {
  receive({.id = "e1", .order = "o1", .test = "t1", .result = message("F", hemoglobin("14", "g/dL"), "20260101")});
  receive({.id = "e2", .order = "o2", .test = "t2", .result = message("F", hemoglobin("<5", "g/dl"), "20260103")});
  receive({.id = "e3", .order = "o3", .test = "t3", .result = message("F", hemoglobin("140", "g/L"), "20260102")});
  receive({.id = "e4",
           .order = "o4",
           .test = "t4",
           .result = message("F", hemoglobin("150", "g/L"), "20260104", "F4", "ELSEWHERE")});
  const Json lines(house_.get("/v1/patients/pat_1/observations?code=718-7").body);
  ASSERT_EQ(lines.size("/lines"), 2U);
  EXPECT_EQ(lines.text("/lines/0/unit/ucum") + " " + lines.text("/lines/1/unit/ucum"), "g/L g/dL");
  ASSERT_EQ(lines.size("/lines/0/points"), 2U);
  ASSERT_EQ(lines.size("/lines/1/points"), 2U);
  EXPECT_EQ(lines.text("/lines/1/points/0/observation/values/0/text"), "14");
  EXPECT_EQ(lines.text("/lines/1/points/1/observation/values/0/comparator"), "<");
  EXPECT_EQ(lines.text("/lines/1/points/1/ordered_test_id"), "t2");
  EXPECT_EQ(lines.text("/lines/1/points/1/at"), "2026-01-03T07:00:00Z");
  EXPECT_EQ(Json(house_.get("/v1/patients/pat_1/observations?code=http://loinc.org%7C718-7").body).size("/lines"), 2U);
  EXPECT_EQ(Json(house_.get("/v1/patients/pat_1/observations?code=LN%7C718-7").body).size("/lines"), 2U);
  EXPECT_EQ(Json(house_.get("/v1/patients/pat_1/observations?code=L%7C718-7").body).size("/lines"), 0U);
  EXPECT_EQ(Json(house_.get("/v1/patients/pat_1/observations?code=HGB").body).size("/lines"), 3U);
  EXPECT_EQ(
      Json(house_.get("/v1/patients/pat_1/observations?code=718-7&from=2026-01-03&to=2026-01-04").body).size("/lines"),
      1U);

  const Json all(house_.get("/v1/patients/pat_1/observations").body);
  ASSERT_EQ(all.size("/analytes"), 1U);
  EXPECT_EQ(all.text("/analytes/0/code"), "718-7");
  EXPECT_EQ(all.at("/analytes/0/count"), "4");
  EXPECT_EQ(all.size("/analytes/0/units"), 2U);
  EXPECT_EQ(all.at("/complete"), "true");
}

TEST_F(Results, a_corrected_point_takes_the_place_of_what_it_corrects_and_errors_are_left_out) {
  receive({.id = "e1", .test = "t1", .result = message("F", hemoglobin("14"))});
  receive({.id = "e2",
           .created_at = "2024-06-14T00:00:00Z",
           .test = "t1",
           .result = message("C", hemoglobin("15", "g/dL", "", "C"), "20260102")});
  receive({.id = "e3", .order = "o2", .test = "t2", .result = message("F", hemoglobin("99", "g/dL", "", "W"))});
  const Json series(house_.get("/v1/patients/pat_1/observations?code=718-7").body);
  ASSERT_EQ(series.size("/lines/0/points"), 1U);
  EXPECT_EQ(series.text("/lines/0/points/0/observation/values/0/text"), "15");
  EXPECT_EQ(series.at("/lines/0/points/0/version"), "2");
  ASSERT_EQ(series.size("/left_out"), 1U);
  EXPECT_EQ(series.text("/left_out/0/status"), "entered-in-error");
  receive({.id = "e4", .created_at = "2024-06-15T00:00:00Z", .test = "t1", .result = ""});
  EXPECT_EQ(Json(house_.get("/v1/patients/pat_1/observations?code=718-7").body).size("/lines"), 0U);
  EXPECT_EQ(Json(house_.get("/v1/results/t1").body).text("/status"), "withdrawn");
  EXPECT_EQ(code_of(house_.get("/v1/patients/pat_1/observations?code=")), "bad_parameter");
  EXPECT_EQ(code_of(house_.get("/v1/patients/pat_1/observations?code=x%7C")), "bad_parameter");
}

TEST_F(Results, documents_are_given_by_their_digest_and_nothing_in_them_runs) {
  const std::string html = "<html><script>alert(1)</script></html>";
  const std::string svg = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
  receive({.id = "e1",
           .test = "t1",
           .result = message("F", file("application^pdf", kPdf) + file("text^html", html) + file("image^svg+xml", svg) +
                                      file("application^pdf", "plainly text"))});
  const auto get = [&](const std::string& bytes) { return house_.get("/v1/documents/" + sha256(bytes).hex()); };
  const auto pdf = get(kPdf);
  EXPECT_EQ(pdf.status, 200);
  EXPECT_EQ(pdf.body, kPdf);
  EXPECT_EQ(pdf.headers.only("Content-Type"), "application/pdf");
  EXPECT_TRUE(pdf.headers.only("Content-Disposition").value_or("").starts_with("inline; filename=\""));
  EXPECT_EQ(pdf.headers.only("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(pdf.headers.only("ETag"), '"' + sha256(kPdf).hex() + '"');
  for (const std::string& bytes : {html, svg}) {
    const auto kept = get(bytes);
    EXPECT_EQ(kept.body, bytes);
    EXPECT_TRUE(kept.headers.only("Content-Disposition").value_or("").starts_with("attachment")) << bytes;
    EXPECT_TRUE(kept.headers.only("Content-Security-Policy").value_or("").ends_with("sandbox")) << bytes;
  }
  EXPECT_EQ(get("plainly text").headers.only("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(code_of(get("another file")), "unknown_document");
  EXPECT_EQ(code_of(house_.get("/v1/documents/abc")), "unknown_document");
  EXPECT_EQ(code_of(house_.get(std::string("/v1/documents/A") + sha256(kPdf).hex().substr(1))), "unknown_document");
  // Documents of a version that is no longer current are still there.
  receive({.id = "e2", .created_at = "2024-06-14T00:00:00Z", .test = "t1", .result = message("F", hemoglobin("1"))});
  EXPECT_EQ(get(kPdf).body, kPdf);
}

TEST_F(Results, nobody_sees_what_is_another_clinics) {
  receive({.id = "e1", .test = "t1", .result = message("F", hemoglobin("14") + file("application^pdf", kPdf))});
  house_.connect("anna", "cli_1");
  house_.connect("mallory", "cli_2");
  for (const char* path : {"/v1/results/t1", "/v1/results/t1/versions/1", "/v1/patients/pat_1/observations"}) {
    EXPECT_EQ(house_.get(std::string(path) + "?practitioner=anna").status, 200) << path;
    EXPECT_EQ(house_.get(std::string(path) + "?practitioner=mallory").status, 404) << path;
  }
  const std::string document = "/v1/documents/" + sha256(kPdf).hex();
  EXPECT_EQ(house_.get(document + "?practitioner=anna").status, 200);
  EXPECT_EQ(code_of(house_.get(document + "?practitioner=mallory")), "unknown_document");
  EXPECT_EQ(Json(house_.get("/v1/results?practitioner=anna").body).size("/items"), 1U);
  EXPECT_EQ(Json(house_.get("/v1/results?practitioner=mallory").body).size("/items"), 0U);
}

TEST_F(Results, of_an_order_that_waited_are_listed_once_its_clinic_is_known) {
  house_.connect("anna", "cli_1");
  const auto listed = [&] { return Json(house_.get("/v1/results?practitioner=anna").body).size("/items"); };
  receive({.id = "e1", .order = "ord_1", .test = "t1", .clinic = "", .practitioner = "pra_9"});
  receive({.id = "e2", .order = "ord_2", .test = "t2", .clinic = "", .practitioner = "pra_8"});
  EXPECT_EQ(listed(), 0U);
  // An event that shows where the practitioner is; and an operator, for the other one.
  receive({.id = "e3", .order = "ord_3", .test = "t3", .clinic = "cli_1", .practitioner = "pra_9"});
  EXPECT_EQ(listed(), 2U);
  const auto matched = house_.call("POST", "/v1/unmatched/e2/match", R"({"clinic_id":"cli_1"})");
  EXPECT_EQ(matched.status, 200) << matched.body;
  EXPECT_EQ(listed(), 3U);
}

}  // namespace
}  // namespace resultsync::api
