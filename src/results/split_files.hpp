// A PDF that a lab sends in pieces, because its OBX-5 may hold only so much: one OBX after the other, with the same
// OBX-3, each with the next part of the Base64. HL7 v2 has no words for it (OBX-4 stays, or counts up), but PDF has:
// the first piece begins with `%PDF-`, and only the last one holds `%%EOF` (ISO 32000-1 §7.5.5). Where both are found,
// all pieces are one Document, which the Observation of each OBX names. Anything else stays as it was sent.
#pragma once

#include "results/interpret.hpp"

namespace resultsync::results {

// Time linear in the size of the files. `message` is what `result` was read from.
void join_split_files(const hl7::Message& message, Interpretation& result);

}  // namespace resultsync::results
