// Ids that are a function of names: equal names give equal ids, in every message and every version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fhir/fhir.hpp"

namespace resultsync::fhir {

// A 64-bit hash of a sequence of texts in UTF-8; where one ends and the next begins matters. No shield against somebody
// who wants two of their own names to collide: whoever gives ids must look whether one is taken.
class NameHash {
 public:
  NameHash& add(std::string_view text);
  NameHash& add(std::uint64_t number);
  [[nodiscard]] std::uint64_t value() const;

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

// `<prefix>.<tag>-<16 hex digits>`: how long it is, and the id itself, written to `to`.
std::size_t id_size(std::string_view prefix, Type type);
void write_id(std::string_view prefix, Type type, std::uint64_t hash, char* to);
// A number for an id of that type: from the hash in it, so that it costs no more than reading 16 digits; a hash of the
// id if it was not made here. Different ids may have the same.
std::uint64_t key_of(Type type, std::string_view id);
std::uint64_t key_of(Type type, std::uint64_t hash);

}  // namespace resultsync::fhir
