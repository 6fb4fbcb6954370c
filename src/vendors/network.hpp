// One configured source: a network (or one account at it) whose webhooks this installation takes. Plain values; the
// configuration file is read elsewhere, and what is checked there (keys that fit the scheme) arrives here as a type.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "vendors/common_form.hpp"
#include "vendors/signature_scheme.hpp"
#include "vendors/signing_keys.hpp"
#include "vendors/verify.hpp"

namespace resultsync::vendors {

// What happens to a request whose signature is right and whose timestamp is outside the tolerance. Nothing rightly
// signed is lost by default (I4): a network that retries for days may repeat the timestamp of the first attempt.
enum class StalePolicy {
  kFlag,    // kept, marked as stale
  kRefuse,  // 400, for networks known to sign every attempt anew; `tolerance = "strict"`
};

struct Source {
  SourceId id;                     // "rupa"; also reachable as /webhooks/rupa
  std::string vendor = "rupa";     // which envelope and which client: "rupa", "fullscript", "generic"
  std::vector<std::string> paths;  // further paths on the public listener: "/webhook" for the default source
  SignatureScheme scheme;
  SigningKeys keys;  // newest first
  std::chrono::seconds tolerance = kDefaultTolerance;
  StalePolicy stale_policy = StalePolicy::kFlag;
  std::vector<std::string> result_event_types = {"order.new_result"};
  std::vector<std::string> other_event_types = {};  // known to carry none: kept, and nothing is to be done
  // What a 200 says. Some networks ask for a text of their own (Fullscript: {"challenge":"…"}).
  std::string acknowledgement = R"({"status":"success"})";
  Pointers pointers = {};  // `generic` only
  // An empty request that nobody signed is answered with `acknowledgement`, and nothing is stored: how some networks
  // try an address when it is registered.
  bool answers_empty = false;
};

// Whether these sources can stand side by side. Errors: `no_sources`, `bad_source_id` (not 1 to 64 of [a-z0-9_-]),
// `duplicate_source`, `bad_path` (does not begin with a slash), `duplicate_path` (two sources want it, or it is the
// path of another by its id).
Result<void> check_sources(const std::vector<Source>& sources);

// The source whose webhooks arrive at this path: one of its `paths`, or /webhooks/{id}. Nothing if there is none.
const Source* source_at(const std::vector<Source>& sources, std::string_view path);

}  // namespace resultsync::vendors
