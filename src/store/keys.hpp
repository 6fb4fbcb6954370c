// Names of rows of this store.
#pragma once

#include <compare>
#include <cstdint>

namespace resultsync::store {

template <class Tag>
struct Key {  // a row of this store; 0 stands for none
  std::int64_t value = 0;
  auto operator<=>(const Key&) const = default;
  explicit operator bool() const { return value != 0; }
};
using OrderKey = Key<struct OrderKeyTag>;  // the record of the order's first event: the same after a rebuild
using EntryKey = Key<struct EntryKeyTag>;
using PractitionerKey = Key<struct PractitionerKeyTag>;
using ConnectionKey = Key<struct ConnectionKeyTag>;

}  // namespace resultsync::store
