#include "results/remarkable.hpp"

#include <gtest/gtest.h>

#include "results/result_file.hpp"
#include "results/testing.hpp"

namespace resultsync::results {
namespace {

using testing::message_of;

bool is_critical(const std::string& flag, const std::string& status = "F") {
  const std::string obx = "OBX|1|NM|2823-3^Potassium^LN||7.1|mmol/L|3.5-5.1|" + flag + "|||" + status;
  return has_critical(
      read_result_file(message_of({"OBR|1|P-1|F-1|24323-8^Panel^LN|||20240430080000", obx.c_str()})).content);
}

TEST(Remarkable, what_the_lab_flags_as_panic_is_critical_and_nothing_else_is) {
  for (const char* flag : {"HH", "LL", "AA", "hh", "H~HH", "A~LL"}) EXPECT_TRUE(is_critical(flag)) << flag;
  // 7.1 is far outside the range; but a range has no panic limits.
  for (const char* flag : {"", "H", "L", "A", "HU", "LU", ">", "N", "HHH", "CRIT"})
    EXPECT_FALSE(is_critical(flag)) << flag;
}

TEST(Remarkable, what_a_laboratory_calls_panic_of_its_own_is_critical) {
  const auto content = read_result_file(message_of({"OBR|1|P-1|F-1|24323-8^Panel^LN|||20240430080000",
                                                    "OBX|1|NM|2823-3^Potassium^LN||7.1|mmol/L|3.5-5.1|H~PP|||F"}))
                           .content;
  const auto flags = [](const char* text) { return PanicFlags::parse({text}).value(); };
  EXPECT_FALSE(has_critical(content));
  EXPECT_TRUE(has_critical(content, flags("PP")));
  EXPECT_TRUE(has_critical(content, flags("Acme:PP"), "Acme"));
  EXPECT_FALSE(has_critical(content, flags("Acme:PP"), "Other"));
  EXPECT_EQ(level_of(content.reports[0].observations[0]), FlagMeaning::Level::abnormal);
  EXPECT_EQ(level_of(content.reports[0].observations[0], flags("PP")), FlagMeaning::Level::critical);
}

TEST(Remarkable, what_does_not_count_is_not_critical) {
  for (const char* status : {"F", "P", "C", "R"}) EXPECT_TRUE(is_critical("HH", status)) << status;
  for (const char* status : {"W", "X", "D"}) EXPECT_FALSE(is_critical("HH", status)) << status;
}

}  // namespace
}  // namespace resultsync::results
