#include "hl7/scan.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace resultsync::hl7 {
namespace {

RC_GTEST_PROP(Scan, finds_what_a_plain_loop_finds, ()) {
  const auto text =
      *rc::gen::container<std::string>(rc::gen::elementOf(std::string("|\r\n\x1c"
                                                                      "aaaaaaaaaaaaaaa")));
  std::vector<std::size_t> expected;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '|') expected.push_back(i);
  }
  std::vector<std::size_t> found;
  for_each_byte(text, '|', [&](std::size_t at) { found.push_back(at); });
  RC_ASSERT(found == expected);
  for (std::size_t from = 0; from <= text.size(); ++from) {
    RC_ASSERT(find_first_of_three(text, from, '\r', '\n', '\x1c') ==
              std::min(text.find_first_of("\r\n\x1c", from), text.size()));
  }
}

}  // namespace
}  // namespace resultsync::hl7
