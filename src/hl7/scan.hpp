// Finding a few bytes in many, sixteen at a time where the processor can (every x86-64 has SSE2), else one at a time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace resultsync::hl7 {

// Calls found(position) for each `wanted` in `text`, from left to right.
template <class Found>
inline void for_each_byte(std::string_view text, char wanted, Found found) {
  const char* const bytes = text.data();
  const std::size_t size = text.size();
  std::size_t at = 0;
#if defined(__SSE2__)
  const __m128i pattern = _mm_set1_epi8(wanted);
  for (; at + 16 <= size; at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + at));
    auto hits = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, pattern)));
    for (; hits != 0; hits &= hits - 1) found(at + static_cast<std::size_t>(std::countr_zero(hits)));
  }
#endif
  for (; at < size; ++at) {
    if (bytes[at] == wanted) found(at);
  }
}

// Position of the first of three bytes at or after `at`; text.size() if there is none.
inline std::size_t find_first_of_three(std::string_view text, std::size_t at, char a, char b, char c) {
  const char* const bytes = text.data();
  const std::size_t size = text.size();
#if defined(__SSE2__)
  const __m128i pattern_a = _mm_set1_epi8(a);
  const __m128i pattern_b = _mm_set1_epi8(b);
  const __m128i pattern_c = _mm_set1_epi8(c);
  for (; at + 16 <= size; at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + at));
    const __m128i equal = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(block, pattern_a), _mm_cmpeq_epi8(block, pattern_b)),
                                       _mm_cmpeq_epi8(block, pattern_c));
    const auto hits = static_cast<std::uint32_t>(_mm_movemask_epi8(equal));
    if (hits != 0) return at + static_cast<std::size_t>(std::countr_zero(hits));
  }
#endif
  while (at < size && bytes[at] != a && bytes[at] != b && bytes[at] != c) ++at;
  return at;
}

}  // namespace resultsync::hl7
