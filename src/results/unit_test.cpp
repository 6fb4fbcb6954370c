#include "results/unit.hpp"

#include <gtest/gtest.h>

#include "results/testing.hpp"

namespace resultsync::results {
namespace {

TEST(Unit, ucum_units_are_known) {
  for (const std::string_view text : {"mg/dL",   "mmol/L", "10*3/uL",   "10*6/uL",    "%",          "[IU]/mL",
                                      "m[IU]/L", "fL",     "pg/{cell}", "{cells}/uL", "{Ratio}",    "mL/min/{1.73_m2}",
                                      "mm[Hg]",  "/[HPF]", "mg/(24.h)", "kU/L",       "[arb'U]/mL", "ug{FEU}/mL",
                                      "g.m-2",   "a",      "meq/L",     "1"}) {
    EXPECT_TRUE(is_ucum(text)) << text;
  }
  for (const std::string_view text : {"", "mg/", "mgs/dL", "IU/mL", "giga.l-1", "enzyme units", "{open", "(mg", "ERU",
                                      "mg dL", "copies/mL", "mm-", "%%"}) {
    EXPECT_FALSE(is_ucum(text)) << text;
  }
}

// They are taken without being parsed, so they have to be what a parse would give.
TEST(Unit, the_most_common_are_what_they_are_parsed_as) {
  for (const std::string_view text :
       {"mg/dL", "mmol/L", "g/dL",   "U/L",      "%",       "ng/mL", "ug/dL", "pg/mL",   "umol/L",
        "g/L",   "mg/L",   "ng/dL",  "10*3/uL",  "10*6/uL", "fL",    "pg",    "m[IU]/L", "nmol/L",
        "ug/mL", "pmol/L", "[IU]/L", "u[IU]/mL", "mm/h",    "mg/g",  "ug/L",  "meq/L"}) {
    EXPECT_TRUE(is_ucum(text)) << text;
    EXPECT_EQ(read_unit(text).ucum, text);
    EXPECT_EQ(read_unit(text).standing, Unit::Standing::ucum) << text;
  }
}

TEST(Unit, common_spellings_are_normalised) {
  const std::pair<std::string_view, std::string_view> kSpellings[] = {{"mg/dl", "mg/dL"},
                                                                      {"\u00b5mol/L", "umol/L"},
                                                                      {"IU/mL", "[IU]/mL"},
                                                                      {"mIU/L", "m[IU]/L"},
                                                                      {"uIU/mL", "u[IU]/mL"},
                                                                      {"mcg/dL", "ug/dL"},
                                                                      {"gm/dl", "g/dL"},
                                                                      {"10^3/uL", "10*3/uL"},
                                                                      {"x10E3/uL", "10*3/uL"},
                                                                      {"copies/mL", "{copies}/mL"},
                                                                      {"MG/DL", "mg/dL"},
                                                                      {"mm/hr", "mm/h"},
                                                                      {"mL/min/1.73m2", "mL/min/{1.73_m2}"},
                                                                      {"cells/uL", "{cells}/uL"},
                                                                      {"mEq/L", "meq/L"},
                                                                      {"mg/24h", "mg/(24.h)"},
                                                                      {"iU/mL", "[IU]/mL"},
                                                                      {"mmHg", "mm[Hg]"},
                                                                      {"ng/mL/hr", "ng/mL/h"},
                                                                      {"mL/min/1.73", "mL/min/{1.73_m2}"},
                                                                      {"THOUS/MCL", "10*3/uL"},
                                                                      {"X10(3)/mcL", "10*3/uL"},
                                                                      {"mg/dL (calc)", "mg/dL"},
                                                                      {"% of total Hgb", "%"},
                                                                      {"mcg/mg creat", "ug/mg{creat}"},
                                                                      {"ng/mg Creatinine", "ng/mg{creat}"},
                                                                      {"mcg/mL FEU", "ug{FEU}/mL"}};
  for (const auto& [sent, ucum] : kSpellings) {
    const Unit unit = read_unit(sent);
    EXPECT_EQ(unit.ucum, ucum) << sent;
    EXPECT_EQ(unit.standing, Unit::Standing::normalised) << sent;
    EXPECT_EQ(unit.text(), sent);
  }
}

TEST(Unit, nothing_is_guessed) {
  for (const std::string_view text : {"K/uL", "K/uL (calc)", "(calc)", "FEU", "creat mg", "10()/uL", "M/uL", "AU/mL",
                                      "MG", "ft", "giga.l-1", "ERU", "units/L", "enzyme units"}) {
    EXPECT_EQ(read_unit(text).standing, Unit::Standing::unknown) << text;
    EXPECT_TRUE(read_unit(text).ucum.empty()) << text;
  }
}

TEST(Unit, a_power_that_was_not_escaped_is_put_together) {
  const Observation observation = testing::observation_of("OBX|1|NM|6690-2^WBC^LN||5.2|10^3/uL|4-10||||F");
  EXPECT_EQ(observation.unit->ucum, "10*3/uL");
  EXPECT_EQ(observation.unit->text(), "10^3/uL");
}

TEST(Unit, the_declared_triplet_is_found) {
  EXPECT_EQ(testing::observation_of("OBX|1|NM|1^a^L||5|mgdl^mg per dl^L^mg/dL^mg/dL^UCUM|||||F").unit->ucum, "mg/dL");
}

}  // namespace
}  // namespace resultsync::results
