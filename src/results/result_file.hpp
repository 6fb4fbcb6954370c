// What stands in an ordered test's `results_hl7`: the lab's messages, in one of the forms in which networks send files.
// PURE and total.
#pragma once

#include <string>
#include <string_view>

#include "results/interpret.hpp"

namespace resultsync::results {

struct ResultFile {
  enum class Form {
    absent,   // nothing was sent
    link,     // an address to fetch from; it is a secret, and its content is not here
    not_hl7,  // something else than HL7 v2, whole in the ordered test as it was sent
    hl7,      // HL7 v2, as it is or in base64 (RFC 4648 §4, line breaks allowed)
  };
  Form form = Form::absent;
  // Of all messages of the file as one: reports, patients and documents in the order of the file; accounts added up.
  // `segment` counts within a report's own message.
  Interpretation content;
};
std::string_view form_name(ResultFile::Form form);  // "absent", "link", "not_hl7", "hl7"

ResultFile read_result_file(std::string_view text);

}  // namespace resultsync::results
