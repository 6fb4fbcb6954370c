// Two wrappers that make it hard to let a secret or health data slip into a log, a metric, a URL or an error text (P4):
// neither can be printed, formatted or compared by accident; whoever needs the value says reveal().
#pragma once

#include <string>
#include <utility>

namespace resultsync {

// Key material, tokens, signing secrets. A Secret<std::string> is wiped when it is destroyed or replaced.
template <class T>
class Secret {
 public:
  Secret() = default;
  explicit Secret(T value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(const Secret& other) {
    if (this != &other) {
      wipe();
      value_ = other.value_;
    }
    return *this;
  }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe();
      value_ = std::move(other.value_);
    }
    return *this;
  }
  ~Secret() { wipe(); }

  // The value itself. Every call is a place for a reviewer to look at.
  [[nodiscard]] const T& reveal() const { return value_; }

 private:
  void wipe() {
    if constexpr (requires {
                    value_.data();
                    value_.size();
                  }) {
      volatile auto* bytes = value_.data();
      for (std::size_t i = 0; i < value_.size(); ++i) bytes[i] = {};
    }
  }
  T value_{};
};

// Protected health information: names, birth dates, result values, documents.
template <class T>
class Phi {
 public:
  Phi() = default;
  explicit Phi(T value) : value_(std::move(value)) {}
  [[nodiscard]] const T& reveal() const { return value_; }

 private:
  T value_{};
};

}  // namespace resultsync
