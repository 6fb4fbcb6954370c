#include "store/results.hpp"

#include "base/encoding.hpp"

namespace resultsync::store {
namespace {

constexpr std::size_t kPrefixDigits = 24;  // 96 bits: nobody finds two names with one prefix

// An id may hold any character: each name is told with its length.
std::string named(const std::string& name) {
  return std::to_string(name.size()) + ':' + name;
}
std::string short_name(char kind, const std::string& names) {
  return kind + sha256(names).hex().substr(0, kPrefixDigits);
}

}  // namespace

std::string_view name_of(Review review) {
  switch (review) {
    case Review::kUnreviewed:
      return "unreviewed";
    case Review::kChanged:
      return "changed";
    case Review::kReviewed:
      return "reviewed";
  }
  return "unreviewed";
}

std::string fhir_prefix_of_test(const SourceId& source, const OrderId& order, const OrderedTestId& test) {
  return short_name('t', named(source.text()) + named(order.text()) + named(test.text()));
}

std::string fhir_prefix_of_patient(const SourceId& source, const PatientId& patient) {
  return short_name('p', named(source.text()) + named(patient.text()));
}

std::string link_to_version(const SourceId& source, const OrderId& order, const OrderedTestId& test, int version) {
  return "/v1/results/" + percent_encoded(test.text()) + "/versions/" + std::to_string(version) +
         "?source=" + percent_encoded(source.text()) + "&order=" + percent_encoded(order.text());
}

}  // namespace resultsync::store
