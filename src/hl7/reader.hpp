// Reads HL7 v2 (ER7) bytes of any kind into messages. The reader is total: every input gives a Reading, in time and
// memory linear in its size; what had to be bridged is listed as diagnostics. It throws nothing but std::bad_alloc.
//
// What it takes: segment ends CR, LF, CRLF, mixed; byte order marks, UTF-16 and UTF-32; MLLP framing bytes; blank lines
// and white space around segments; several messages in one input; FHS/BHS/BTS/FTS envelopes; any delimiters that a
// header declares; any character set of HL7 table 0211 that ICU has, declared rightly or wrongly (characters.hpp).
//
// A line is a segment if it begins with a segment name (a capital, then two capitals or digits) and the field
// separator, or is the name of a standard segment alone. Every other line after an ordinary segment continues its last
// field: labs break long texts.
//
//   const hl7::Reading reading = hl7::read(std::move(bytes));
//   for (const hl7::Message& message : reading.messages()) …
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hl7/diagnostic.hpp"
#include "hl7/message.hpp"

namespace resultsync::hl7 {

inline constexpr std::size_t kInputBytesMax = std::size_t{512} << 20;

// The messages of one input, and the text that all their views point into. Moving it keeps the views good.
class Reading {
 public:
  struct OutsideLine {
    std::size_t offset = 0;
    std::string_view text;
    bool at_line_end = false;  // it follows a line end, or begins the input
  };

  // Without any MSH there is still one message, of all there is; none of batch lines (FHS, BHS, BTS, FTS) alone.
  [[nodiscard]] const std::vector<Message>& messages() const { return messages_; }
  // FHS, BHS, BTS and FTS, each a message of one segment, so that their fields can be looked at in the same way.
  [[nodiscard]] const std::vector<Message>& envelope() const { return envelope_; }
  // Lines before the first message and after the last trailer: bytes as sent, in no known character set.
  [[nodiscard]] const std::vector<OutsideLine>& outside() const { return outside_; }
  // Of the input as a whole; each message has its own.
  [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const { return diagnostics_.list(); }

 private:
  friend class InputReader;
  friend Reading read(std::string bytes);
  std::unique_ptr<const std::string> input_;      // null after read_in_place
  std::unique_ptr<const std::string> converted_;  // set for UTF-16 and UTF-32
  std::vector<Message> messages_;
  std::vector<Message> envelope_;
  std::vector<OutsideLine> outside_;
  Diagnostics diagnostics_;
};

// The Reading keeps the bytes.
Reading read(std::string bytes);
// The caller keeps `bytes` alive and unchanged for as long as the Reading lives.
Reading read_in_place(std::string_view bytes);

// True for the three-letter names of the standard's segments (2.1 to 2.8.2).
bool is_standard_segment(std::string_view name);

}  // namespace resultsync::hl7
