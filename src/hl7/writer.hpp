// Writes a message as bytes again: its segments as they stand, each ended by CR, in the character set that they were
// read in.
//
// read(write(m)) is m again: the same segments, fields, texts and groups. What is not written again is what is outside
// of segments: framing, blank lines, white space before a segment, and the batch around the message (one without a
// header that took its delimiters from there cannot say them by itself). Where the text has characters that its set
// lacks (bytes that were no character stand as U+FFFD), it is written in UTF-8, and MSH-18 says so.
#pragma once

#include <string>

#include "hl7/message.hpp"

namespace resultsync::hl7 {

std::string write(const Message& message);

}  // namespace resultsync::hl7
