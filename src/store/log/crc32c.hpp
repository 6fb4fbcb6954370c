// CRC-32C (Castagnoli, RFC 3720 §B.4), with the processor's own instruction where it has one.
#pragma once

#include <cstdint>
#include <string_view>

namespace resultsync::store::log {

// crc32c("123456789") == 0xE3069283. `before` continues: crc32c("ab") == crc32c("b", crc32c("a")).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

// The same from a table, for processors without the instruction.
std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before = 0);

}  // namespace resultsync::store::log
