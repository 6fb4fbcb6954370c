// The value of an observation: OBX-5 read as OBX-2 says, or as text where it does not hold what OBX-2 says. Never lost.
//
//   OBX-2                     Value::is
//   NM, SN with one number    Quantity            `<0.2` as NM too
//   SN `^10^-^20`, NR         QuantityRange
//   SN `^1^:^128`, `^1^/^2`   Ratio
//   ST TX FT                  Text                and SN `^2^+`, VR, and every type that is not named here
//   CE CWE CNE CF IS ID       Codes
//   DT TS DTM                 Moment
//   TM                        TimeOfDay
//   DR                        Period
//   ED RP                     Attachment
//   CX EI                     Identifier
//   NA MA                     Samples
//   anything empty            no Value at all
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "results/code.hpp"
#include "results/document.hpp"
#include "results/moment.hpp"
#include "results/number.hpp"

namespace resultsync::results {

struct Quantity {
  Comparator comparator = Comparator::none;
  Decimal number;
  bool operator==(const Quantity&) const = default;
};
struct QuantityRange {
  std::optional<Decimal> low, high;
  bool operator==(const QuantityRange&) const = default;
};
struct Ratio {
  Comparator comparator = Comparator::none;  // of the numerator
  Decimal numerator, denominator;
  char separator = ':';  // ':' a titre, '/' a fraction
  bool operator==(const Ratio&) const = default;
};
struct Text {
  std::string text;
  bool operator==(const Text&) const = default;
};
struct Period {
  Moment start, end;
  bool operator==(const Period&) const = default;
};
struct Identifier {
  std::string id;
  std::string authority;          // namespace: CX.4.1, EI.2
  std::string authority_id;       // universal id: CX.4.2, EI.3
  std::string authority_id_type;  // "ISO"
  std::string type;               // CX.5: "MR"

  [[nodiscard]] bool empty() const { return id.empty(); }
  bool operator==(const Identifier&) const = default;
};
struct Samples {
  std::vector<std::vector<std::optional<Decimal>>> channels;  // NA has one; a text that is no number is nothing
  bool operator==(const Samples&) const = default;
};

struct Value {
  std::variant<Text, Quantity, QuantityRange, Ratio, Codes, Moment, TimeOfDay, Period, Attachment, Identifier, Samples>
      is;
  // The repetition as a person would read it: "<0.2", "10-20", "1:128", "Positive", the text itself; the file's type
  // for an attachment.
  std::string text;

  template <class T>
  [[nodiscard]] const T* as() const {
    return std::get_if<T>(&is);
  }
  [[nodiscard]] std::string_view kind()
      const;  // "text", "quantity", "range", "ratio", "coded", "moment", "time", "period", …
  bool operator==(const Value&) const = default;
};

}  // namespace resultsync::results
