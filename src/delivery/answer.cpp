#include "delivery/answer.hpp"

#include "base/encoding.hpp"

namespace resultsync::delivery {
namespace {

constexpr std::size_t kEchoBytesMin = 3;
constexpr std::size_t kTokenBytesMin = 20;
constexpr std::string_view kRedacted = "\u2026";

bool is_word_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_' ||
         byte == '-' || byte >= 0x80;
}

}  // namespace

std::string redacted_answer(std::string_view answer, std::string_view sent) {
  const std::string text = repair_utf8(answer.substr(0, kAnswerBytesKept));
  std::string shown;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_word_byte(text[end])) ++end;
    if (end == at) {
      const auto byte = static_cast<unsigned char>(text[at]);
      shown += byte < 0x20 || byte == 0x7f ? ' ' : text[at];
      ++at;
      continue;
    }
    const std::string_view word = std::string_view(text).substr(at, end - at);
    const bool is_echo = word.size() >= kEchoBytesMin && sent.contains(word);
    shown += is_echo || word.size() >= kTokenBytesMin ? kRedacted : word;
    at = end;
  }
  return shown;
}

}  // namespace resultsync::delivery
