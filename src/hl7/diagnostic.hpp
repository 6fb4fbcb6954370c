// What the reader noticed: every deviation from the standard that it had to bridge, as data. A diagnostic names a place
// and a kind and never repeats what stands there, so it may be logged and counted (P4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace resultsync::hl7 {

enum class Severity : std::uint8_t {
  info,     // read as the standard means it, or a local habit without any risk of another meaning
  warning,  // read in the most likely sense; another sense is possible
  error,    // something is missing or could not be read
};

std::string_view severity_name(Severity severity);

struct DiagnosticKind {
  std::string_view code;  // stable, `snake_case`
  Severity severity;
  std::string_view sentence;  // for a person; fixed text
};

inline constexpr std::uint32_t kNoSegment = 0xffffffff;

struct Diagnostic {
  const DiagnosticKind* kind = nullptr;  // one of the constants below
  std::uint32_t segment = kNoSegment;    // index in Message::segments(), or kNoSegment
  // Position in the bytes given to read(): of the thing itself where the message was read in place, else of its
  // segment's line.
  std::size_t offset = 0;

  [[nodiscard]] std::string_view code() const { return kind->code; }
  [[nodiscard]] Severity severity() const { return kind->severity; }
  [[nodiscard]] std::string_view sentence() const { return kind->sentence; }
};

// A list with a limit: hostile input gives at most kMax entries, the last of which says that there were more.
class Diagnostics {
 public:
  static constexpr std::size_t kMax = 1000;

  void add(const DiagnosticKind& kind, std::uint32_t segment, std::size_t offset);
  [[nodiscard]] const std::vector<Diagnostic>& list() const { return list_; }
  [[nodiscard]] bool full() const { return list_.size() >= kMax; }

 private:
  std::vector<Diagnostic> list_;
};

namespace diagnostics {

#define RESULTSYNC_HL7_DIAGNOSTIC(name, code, severity, sentence) \
  inline constexpr DiagnosticKind name {                          \
    code, Severity::severity, sentence                            \
  }

// The input as a whole.
RESULTSYNC_HL7_DIAGNOSTIC(kInputTooLarge, "input_too_large", error,
                          "the input is larger than the reader's limit; nothing was read");
RESULTSYNC_HL7_DIAGNOSTIC(kNoMessage, "no_message", error, "the input holds no text at all");
RESULTSYNC_HL7_DIAGNOSTIC(kTextOutside, "text_outside_message", warning,
                          "a line stands outside every message; it is kept beside them");
RESULTSYNC_HL7_DIAGNOSTIC(kBatchCount, "batch_count_differs", warning,
                          "BTS-1 or FTS-1 differs from the number of messages or batches that were read");
// Framing and delimiters.
RESULTSYNC_HL7_DIAGNOSTIC(kNoHeader, "no_header", error,
                          "the message has no MSH segment; the usual delimiters were assumed");
RESULTSYNC_HL7_DIAGNOSTIC(kEscapeDoubled, "escape_delimiter_doubled", warning,
                          "MSH-2 holds the escape character twice; it was taken once");
RESULTSYNC_HL7_DIAGNOSTIC(kDelimiterMissing, "delimiter_missing", warning,
                          "MSH-2 does not name every delimiter; the usual ones stand for the missing");
RESULTSYNC_HL7_DIAGNOSTIC(kDelimiterInvalid, "delimiter_invalid", warning,
                          "MSH-2 names a letter, digit or space as a delimiter; the usual one was taken");
RESULTSYNC_HL7_DIAGNOSTIC(kDelimiterRepeated, "delimiter_repeated", warning,
                          "MSH-2 names one character for two purposes; the later purpose was switched off");
RESULTSYNC_HL7_DIAGNOSTIC(kDelimiterEncoded, "delimiter_markup", warning,
                          "MSH-2 holds a delimiter as a markup entity; it was taken as the character");
// Lines and segments.
RESULTSYNC_HL7_DIAGNOSTIC(kContinuationLine, "continuation_line", warning,
                          "a line without a segment name continues the field before it");
RESULTSYNC_HL7_DIAGNOSTIC(kNotASegment, "not_a_segment", warning, "a line is no segment; it is kept as it stands");
RESULTSYNC_HL7_DIAGNOSTIC(kAfterFrameEnd, "text_after_frame_end", warning,
                          "a line follows the end of the MLLP frame; it is kept as it stands");
RESULTSYNC_HL7_DIAGNOSTIC(kLeadingSpace, "leading_white_space", info, "white space before a segment name was skipped");
RESULTSYNC_HL7_DIAGNOSTIC(kNameCase, "segment_name_case", warning,
                          "a segment name is not in capitals; it was read as if it were");
RESULTSYNC_HL7_DIAGNOSTIC(kUnknownSegment, "unknown_segment", info,
                          "a segment name is not one of the standard's; the segment is kept");
// Character sets.
RESULTSYNC_HL7_DIAGNOSTIC(kCharsetUnknown, "charset_unknown", warning,
                          "MSH-18 names a character set that is not known; it was found from the bytes");
RESULTSYNC_HL7_DIAGNOSTIC(kCharsetUndeclared, "charset_undeclared", info,
                          "MSH-18 is empty but the text is not ASCII; it was read as the UTF-8 that it is");
RESULTSYNC_HL7_DIAGNOSTIC(
    kCharsetGuessed, "charset_guessed", warning,
    "bytes are not in the character set of the message; they were read as Windows-1252 or the declared set");
RESULTSYNC_HL7_DIAGNOSTIC(kCharsetIsUtf8, "charset_is_utf8", warning,
                          "MSH-18 declares another character set, but the text is UTF-8 and was read so");
RESULTSYNC_HL7_DIAGNOSTIC(kCharsetDiffers, "charset_differs", warning,
                          "MSH-18 and the byte order mark or the bytes disagree; the bytes were believed");
RESULTSYNC_HL7_DIAGNOSTIC(kCharacterBroken, "character_broken", error,
                          "bytes that are no character of the message's set stand as U+FFFD");
// Escapes.
RESULTSYNC_HL7_DIAGNOSTIC(kEscapeUnfinished, "escape_unfinished", warning,
                          "an escape character begins no escape sequence; it is kept as text");
RESULTSYNC_HL7_DIAGNOSTIC(kEscapeUnknown, "escape_unknown", warning,
                          "an escape sequence is not known; it is kept as text");
RESULTSYNC_HL7_DIAGNOSTIC(kEscapeLocal, "escape_local", info, "a locally defined escape sequence is kept as text");
RESULTSYNC_HL7_DIAGNOSTIC(kEscapeBadHex, "escape_bad_hex", warning,
                          "a hexadecimal escape has an odd number of digits; a zero was put before it");
RESULTSYNC_HL7_DIAGNOSTIC(kEscapeBroken, "escape_unreadable", warning,
                          "an escape sequence names bytes that are no text in the message's character set");
RESULTSYNC_HL7_DIAGNOSTIC(kEscapeShift, "escape_shift_ignored", info,
                          "a character set switch without effect on the text was left out");
// Groups.
RESULTSYNC_HL7_DIAGNOSTIC(kTypeMissing, "message_type_missing", warning,
                          "MSH-9 is empty; the message was grouped as ORU^R01");
RESULTSYNC_HL7_DIAGNOSTIC(kNotGrouped, "structure_not_grouped", info,
                          "messages of this type are kept as a flat list of segments");
RESULTSYNC_HL7_DIAGNOSTIC(kNoPatient, "patient_missing", warning, "results stand without a PID before them");
RESULTSYNC_HL7_DIAGNOSTIC(kNoOrder, "order_missing", warning, "results stand without an OBR before them");
RESULTSYNC_HL7_DIAGNOSTIC(
    kOutOfOrder, "segment_out_of_order", warning,
    "a segment stands where the message structure has no place for it; it was put where it belongs");
RESULTSYNC_HL7_DIAGNOSTIC(kUnplaced, "segment_unplaced", info,
                          "a segment has no place in the message structure; it stays beside the segment before it");
RESULTSYNC_HL7_DIAGNOSTIC(
    kAfterSpecimen, "results_after_specimen", warning,
    "all results of an order stand after its SPM; they are in the SPECIMEN group, and are results all the same");
// Always the last of a full list.
RESULTSYNC_HL7_DIAGNOSTIC(kTooMany, "too_many_diagnostics", warning,
                          "there are more diagnostics than the limit; the rest is left out");

#undef RESULTSYNC_HL7_DIAGNOSTIC

}  // namespace diagnostics
}  // namespace resultsync::hl7
