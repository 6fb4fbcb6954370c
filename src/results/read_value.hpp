// OBX-5, and the fields of an OBX in which a text with unescaped field separators has pushed the rest aside.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hl7/message.hpp"
#include "results/document.hpp"
#include "results/report.hpp"
#include "results/value.hpp"

namespace resultsync::results {

// An OBX whose fields are where the standard has them. Some labs do not escape their field separator in texts:
//
//   OBX|1|TX|C^comment||see A|B for more||||||F       field 11 is no status, but field 12 is: OBX-5 is `see A|B for
//   more`
//   OBX|1|TX|C^comment||first||||||F                  and others put line breaks behind the segment: OBX-11 is `F`, and
//   second line                                       `second line` is text after it
class ObxFields {
 public:
  explicit ObxFields(hl7::Segment segment);

  [[nodiscard]] hl7::Field field(std::uint32_t number) const {
    const std::uint32_t at = number > 5 ? number + pushed_ : number;
    if (at < broken_) [[likely]]
      return segment_.field(at);
    return at == broken_ ? segment_.field(at).first_line() : hl7::Field();
  }
  [[nodiscard]] std::string_view text_after() const { return text_after_; }
  [[nodiscard]] std::string_view raw_from(std::uint32_t number) const {  // to the end of the segment
    return segment_.raw_from(number > 5 ? number + pushed_ : number);
  }
  // From the beginning of field `first` to that of field `end`.
  [[nodiscard]] std::string_view raw_between(std::uint32_t first, std::uint32_t end) const {
    const std::string_view from = raw_from(first);
    return from.substr(0, from.size() - raw_from(end).size());
  }
  [[nodiscard]] std::string_view raw_value() const;
  [[nodiscard]] hl7::Segment segment() const { return segment_; }
  [[nodiscard]] bool pushed() const { return pushed_ > 0; }
  [[nodiscard]] bool broken() const { return broken_ != kUnbroken; }  // a line break stands in some field behind OBX-5

 private:
  static constexpr std::uint32_t kUnbroken = 0xffffffff;
  void find_text_after();

  hl7::Segment segment_;
  std::uint32_t pushed_ = 0;
  std::uint32_t broken_ = kUnbroken;  // the field behind OBX-5 in which the first line break stands
  std::string_view text_after_;
};

// True for the types whose repetitions and components may be meant as text: ST, TX, FT.
bool is_text_type(std::string_view type);
// True for the types that are continued by further OBX: TX, FT.
bool is_long_text_type(std::string_view type);

// Values go to `observation` (values, value_deleted, problems), files to `documents`, each content once.
void read_value(const ObxFields& obx, const hl7::Message& message, Observation& observation,
                std::vector<Document>& documents);

// The text of a field of texts (TX; NTE-3): repetitions are lines of their own (HL7 v2.5.1 §2.A.79), but a repetition
// separator that follows white space or opens the text is a tilde that was not escaped ("about ~5 mg").
std::string read_text_lines(const hl7::Segment& segment, std::string_view raw, const hl7::Delimiters& delimiters);

}  // namespace resultsync::results
