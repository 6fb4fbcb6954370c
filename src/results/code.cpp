#include "results/code.hpp"

#include <algorithm>

namespace resultsync::results {
namespace {

bool equal_fold(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// The parts are components of a field, or subcomponents of one component.
template <class Parts>
Codes read_parts(const Parts& parts) {
  struct Triplet {  // component numbers; the second alternate is CWE.10-13 (HL7 v2.8 §2.A.13)
    std::size_t code, text, system, version;
    Coding::Place place;
  };
  static constexpr Triplet kTriplets[] = {{1, 2, 3, 7, Coding::Place::primary},
                                          {4, 5, 6, 8, Coding::Place::alternate},
                                          {10, 11, 12, 13, Coding::Place::second_alternate}};
  const auto part = parts.template first<13>();
  const auto is_filled = [&](const Triplet& one) { return part[one.code].valued() || part[one.text].valued(); };
  Codes codes;
  codes.codings.reserve(static_cast<std::size_t>(std::ranges::count_if(kTriplets, is_filled)));
  for (const Triplet& one : kTriplets) {
    if (!is_filled(one)) continue;
    Coding& coding = codes.codings.emplace_back();
    coding.code = part[one.code].text();
    coding.text = part[one.text].text();
    if (coding.code.empty() && coding.text.empty()) {  // formatting alone
      codes.codings.pop_back();
      continue;
    }
    coding.place = one.place;
    coding.system = part[one.system].text();
    coding.version = part[one.version].text();
  }
  codes.original_text = part[9].text();
  return codes;
}

}  // namespace

const Coding* Codes::find(std::string_view system) const {
  for (const Coding& coding : codings) {
    if (equal_fold(coding.system, system)) return &coding;
  }
  return nullptr;
}

const Coding* Codes::preferred() const {
  if (const Coding* loinc = find("LN"); loinc != nullptr && !loinc->code.empty()) return loinc;
  for (const Coding& coding : codings) {
    if (!coding.code.empty()) return &coding;
  }
  return codings.empty() ? nullptr : &codings.front();
}

std::string_view Codes::display() const {
  for (const Coding& coding : codings) {
    if (!coding.text.empty()) return coding.text;
  }
  if (!original_text.empty()) return original_text;
  return codings.empty() ? std::string_view() : codings.front().code;
}

Codes read_codes(const hl7::Repetition& repetition) {
  return read_parts(repetition.components());
}

Codes read_codes(const hl7::Component& component) {
  return read_parts(component.subcomponents());
}

bool share_a_code(const Codes& a, const Codes& b) {
  for (const Coding& one : a.codings) {
    for (const Coding& other : b.codings) {
      const bool same_system = one.system.empty() || other.system.empty() || equal_fold(one.system, other.system);
      if (!one.code.empty() && one.code == other.code && same_system) return true;
    }
  }
  return false;
}

}  // namespace resultsync::results
