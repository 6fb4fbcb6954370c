// What is kept of a receiver's answer: its first bytes, as text that is safe to show. Pure.
#pragma once

#include <string>
#include <string_view>

namespace resultsync::delivery {

inline constexpr std::size_t kAnswerBytesKept = 512;

// The first bytes of `answer` as printable UTF-8, with every word of three characters or more that also stands in what
// was sent shown as `…` (a receiver may echo a patient's name), and likewise every word that looks like a key or a
// token: 20 characters or more (P4).
std::string redacted_answer(std::string_view answer, std::string_view sent);

}  // namespace resultsync::delivery
