// What goes wrong on request: every switch of docs/reference/sandbox.md, by name. Values only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.hpp"
#include "base/result.hpp"

namespace resultsync::sandbox {

enum class Carriage { kInline, kUrl, kBase64, kNone };  // how a document stands in an ordered test
enum class Payload { kFull, kThin };
enum class Envelope { kWrapped, kEvent, kBare, kMixed };  // of Fullscript's events: in which of the known forms

struct Switches {
  // Webhooks. Shares are 0 to 1.
  double duplicates = 0, reordering = 0, loss = 0, corruption = 0, replay = 0, leave_out_practitioner = 0;
  double delay_seconds = 0;
  std::int64_t burst = 0;
  std::int64_t clock_skew_seconds = 0;
  bool resign = true;
  bool ordered = false;
  Payload payload = Payload::kFull;
  Envelope envelope = Envelope::kWrapped;
  // Documents.
  Carriage hl7_as = Carriage::kInline;
  Carriage pdf_as = Carriage::kUrl;
  std::int64_t link_seconds = 900;
  bool documents_need_token = false;
  std::int64_t document_attempts = 1;
  double document_slow = 0, document_slow_seconds = 3;
  double document_failing = 0, document_truncated = 0, document_oversized = 0, document_wrong_type = 0,
         document_redirect = 0;
  // The API.
  double api_failing = 0, api_malformed = 0, api_slow_seconds = 0, token_failing = 0;
};

// Sets one by its name, from text as on the command line. Errors: `unknown_switch`, `bad_value`; both name what there
// is.
Result<void> set_switch(Switches& switches, std::string_view name, std::string_view value);

// Every one that makes trouble, at a nasty value; those that choose a form are left as they are.
void make_hostile(Switches& switches);

// All of them as one object.
void write_switches(JsonWriter& json, const Switches& switches);

struct SwitchDescription {
  std::string_view name;
  std::string_view kind;  // "share", "seconds", "count", "yes/no", or the words
  std::string_view text;  // one line for people
  bool hostile = false;
};
const std::vector<SwitchDescription>& switch_descriptions();
// The value of a switch as text, as set_switch() takes it.
std::string switch_value(const Switches& switches, std::string_view name);

}  // namespace resultsync::sandbox
