// Numbers for Prometheus. A handle is looked up once and kept: adding to it is one atomic operation. Names are
// `resultsync_<what>_<unit>[_total]`; labels are few and bounded, and never hold an id of a person (P4). Thread-safe.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace resultsync::runtime {

using Labels = std::initializer_list<std::pair<const std::string, std::string>>;

class Counter {
 public:
  explicit Counter(prometheus::Counter& counter) : counter_(&counter) {}
  void add(double amount = 1);
  [[nodiscard]] double value() const;

 private:
  prometheus::Counter* counter_;  // owned by the registry, which outlives its handles
};

class Gauge {
 public:
  explicit Gauge(prometheus::Gauge& gauge) : gauge_(&gauge) {}
  void set(double value);
  [[nodiscard]] double value() const;

 private:
  prometheus::Gauge* gauge_;
};

class Histogram {
 public:
  explicit Histogram(prometheus::Histogram& histogram) : histogram_(&histogram) {}
  void observe(double value);

 private:
  prometheus::Histogram* histogram_;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Counter counter(const std::string& name, const std::string& help, Labels labels = {});
  Gauge gauge(const std::string& name, const std::string& help, Labels labels = {});
  // `buckets` are upper bounds in the metric's unit, ascending.
  Histogram histogram(const std::string& name, const std::string& help, const std::vector<double>& buckets,
                      Labels labels = {});
  // All of it in the text exposition format 0.0.4.
  [[nodiscard]] std::string exposition() const;

 private:
  std::unique_ptr<prometheus::Registry> registry_;
};

}  // namespace resultsync::runtime
