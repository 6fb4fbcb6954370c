// Numbers that look random and are a function of the seed: ids, and draws that depend on what they are about and not
// on when they are made. PURE.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace resultsync::sandbox {

// A number for `name` under `seed`, the same on every machine (FNV-1a, then the finaliser of splitmix64).
std::uint64_t mixed(std::uint64_t seed, std::string_view name, std::uint64_t number = 0);

// Whether a share (0 to 1) of all such draws comes out true for this one.
bool drawn(double share, std::uint64_t seed, std::string_view what, std::string_view about);

// `prefix` and 7 characters of 0-9A-Za-z. For one seed and prefix no two numbers give the same id.
std::string id_of(std::string_view prefix, std::uint64_t seed, std::uint64_t number);

// 4.50 for 450 with two decimals.
std::string as_decimal(std::int64_t value, int decimals);

}  // namespace resultsync::sandbox
