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
  // Component numbers of code, text, system, version; the second alternate is CWE.10-13 (HL7 v2.8 §2.A.13).
  constexpr std::size_t kCodings = 3;
  Codes codes;
  Coding all[kCodings];
  std::size_t number = 0;
  for (const auto part : parts) {
    ++number;
    if (!part.valued()) continue;
    switch (number) {
      case 1:
        all[0].code = part.text();
        break;
      case 2:
        all[0].text = part.text();
        break;
      case 3:
        all[0].system = part.text();
        break;
      case 4:
        all[1].code = part.text();
        break;
      case 5:
        all[1].text = part.text();
        break;
      case 6:
        all[1].system = part.text();
        break;
      case 7:
        all[0].version = part.text();
        break;
      case 8:
        all[1].version = part.text();
        break;
      case 9:
        codes.original_text = part.text();
        break;
      case 10:
        all[2].code = part.text();
        break;
      case 11:
        all[2].text = part.text();
        break;
      case 12:
        all[2].system = part.text();
        break;
      case 13:
        all[2].version = part.text();
        break;
      default:
        break;
    }
    if (number == 13) break;
  }
  for (std::size_t i = 0; i < kCodings; ++i) {
    if (all[i].code.empty() && all[i].text.empty()) continue;
    all[i].place = static_cast<Coding::Place>(i);
    codes.codings.push_back(std::move(all[i]));
  }
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
