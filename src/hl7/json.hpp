// A message as JSON, for people and programs that look at what was read. README.md shows the shape by example.
#pragma once

#include "base/json_writer.hpp"
#include "hl7/groups.hpp"
#include "hl7/message.hpp"
#include "hl7/reader.hpp"

namespace resultsync::hl7 {

// {"type":…,"structure":…,"control_id":…,"version":…,"delimiters":…,"character_set":…,"tree":…,"diagnostics":[…]}
void write_json(const Message& message, const Tree& tree, JsonWriter& json);
// The same, with the groups made here.
void write_json(const Message& message, JsonWriter& json);
// The members of that object, for a larger one; `of_input` (Reading::diagnostics) come before the message's own.
void write_members(const Message& message, const Tree& tree, const std::vector<Diagnostic>& of_input, JsonWriter& json);

// {"name":"OBX","index":7,"fields":[…]}
void write_json(const Segment& segment, JsonWriter& json);

// [{"code":…,"severity":…,"segment":…,"offset":…,"message":…}]: holds no health data.
void write_json(const std::vector<Diagnostic>& diagnostics, JsonWriter& json);

}  // namespace resultsync::hl7
