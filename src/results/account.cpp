#include "results/account.hpp"

#include "hl7/delimiters.hpp"
#include "results/report.hpp"

namespace resultsync::results {

void add_outside(const hl7::Reading& reading, Account& account) {
  for (const hl7::Reading::OutsideLine& line : reading.outside()) {
    const std::string_view text = line.text;
    const bool obx = line.at_line_end && text.size() > 3 && text.starts_with("OBX") && hl7::is_field_separator(text[3]);
    if (obx) {
      ++account.obx_in;
      account.explained.push_back({"OBX", kNone, line.offset, "outside_message"});
    } else {
      ++account.segments_in;
      account.unused.push_back({"", kNone, line.offset, "outside_message"});
    }
  }
}

}  // namespace resultsync::results
