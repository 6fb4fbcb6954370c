// A value that many hold and nobody changes. Neighbouring OBX say the same of unit, laboratory and method, and every
// copy of an Observation (a merged report, a version) says it once more: they share one. Never nothing: one that was
// not given a value holds T{}. Any number of threads may look at it.
#pragma once

#include <memory>
#include <utility>

namespace resultsync::results {

template <class T>
class Shared {
 public:
  Shared() = default;
  Shared(T value) : value_(std::make_shared<const T>(std::move(value))) {}

  const T& operator*() const { return value_ != nullptr ? *value_ : nothing(); }
  const T* operator->() const { return &**this; }
  operator const T&() const { return **this; }

  friend bool operator==(const Shared& a, const Shared& b) { return a.value_ == b.value_ || *a == *b; }

 private:
  static const T& nothing() {
    static const T value{};
    return value;
  }
  std::shared_ptr<const T> value_;  // shared by observations; null: nothing()
};

}  // namespace resultsync::results
