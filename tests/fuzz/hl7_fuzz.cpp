// Any bytes: the reader gives valid text, a tree with every segment once, and what it writes reads the same.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "hl7/groups.hpp"
#include "hl7/json.hpp"
#include "hl7/reader.hpp"
#include "hl7/writer.hpp"

namespace {

using namespace resultsync;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string content(const hl7::Message& message) {
  JsonWriter json;
  json.begin_array();
  for (const hl7::Segment segment : message.segments()) {
    json.string(segment.name());
    for (std::uint32_t number = 3; number <= segment.field_count(); ++number) json.string(segment.field(number).text());
  }
  return json.end_array().take();
}

// A message without a header that took its delimiters from the batch around it cannot say them by itself.
bool depends_on_its_batch(const hl7::Message& message) {
  if (message.has_header() || message.segment_count() == 0) return false;
  const std::string name((*message.segments().begin()).name());
  if (name == "FHS" || name == "BHS") return false;
  return message.delimiters() != hl7::Delimiters{};
}

void check(const hl7::Message& message) {
  require(is_utf8(message.text()));
  const hl7::Tree tree = hl7::group(message);
  std::size_t placed = 0;
  for (const hl7::Node& node : tree.nodes) placed += node.is_group() ? 0 : 1;
  require(placed == message.segment_count());
  JsonWriter json;
  hl7::write_json(message, tree, json);
  require(is_utf8(json.text()));

  // A set that is guessed again from other bytes, or whose broken characters are written in UTF-8, may give escapes
  // another meaning.
  using Kind = hl7::CharacterSet::Kind;
  const Kind kind = message.character_set().kind;
  if (kind != Kind::ascii && kind != Kind::utf8) return;
  if (depends_on_its_batch(message)) return;
  const hl7::Reading again = hl7::read(hl7::write(message));
  if (message.segment_count() == 0) return;
  require(again.messages().size() == 1);
  require(again.messages()[0].segment_count() == message.segment_count());
  require(content(again.messages()[0]) == content(message));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const hl7::Reading reading = hl7::read_in_place(bytes);
  for (const hl7::Message& message : reading.messages()) check(message);
  for (const hl7::Message& line : reading.envelope()) require(is_utf8(line.text()));
  return 0;
}
