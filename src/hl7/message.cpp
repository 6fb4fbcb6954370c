#include "hl7/message.hpp"

namespace resultsync::hl7 {

std::string_view Value::text(std::string& scratch) const {
  if (message_ == nullptr || null()) return {};
  if (form_ != Form::escaped || !needs_decoding(raw_, message_->delimiters())) return raw_;
  scratch.clear();
  append_decoded(raw_, message_->delimiters(), message_->character_set(), scratch);
  return scratch;
}

std::size_t Value::position() const {
  return message_ == nullptr ? 0 : static_cast<std::size_t>(raw_.data() - message_->text().data());
}

bool Field::truncated() const {
  if (message_ == nullptr || form_ == Form::verbatim || raw_.empty()) return false;
  const char mark = message_->delimiters().truncation;
  return mark != '\0' && raw_.back() == mark;
}

std::size_t Segment::offset() const {
  return message_->index().segments[index_].offset;
}

std::string_view Segment::raw() const {
  const auto& place = message_->index().segments[index_];
  return message_->text().substr(place.begin, place.end - place.begin);
}

std::string_view Segment::raw_from(std::uint32_t number) const {
  const auto& place = message_->index().segments[index_];
  if (number == 0 || number > place.field_count) return {};
  const std::uint32_t begin = message_->index().field_begins[place.first_field + number - 1];
  return message_->text().substr(begin, place.end - begin);
}

std::string Segment::decode(std::string_view raw) const {
  return decode_escapes(raw, message_->delimiters(), message_->character_set());
}

std::string Message::code() const {
  const std::string code = header_field(9).component(1).text();
  // Some send the structure, ORU_R01, alone, or write ^ whatever MSH-2 declares.
  return code.substr(0, code.find_first_of("_^"));
}

std::string Message::event() const {
  const std::string event = header_field(9).component(2).text();
  if (!event.empty()) return event;
  const std::string code = header_field(9).component(1).text();
  const auto end = code.find_first_of("_^");
  if (end == std::string::npos) return {};
  const std::string rest = code.substr(end + 1);
  return rest.substr(0, rest.find('^'));
}

std::string Message::structure() const {
  std::string structure = header_field(9).component(3).text();
  if (!structure.empty()) return structure;
  structure = code();
  const std::string trigger = event();
  return trigger.empty() ? structure : structure + "_" + trigger;
}

std::string Message::control_id() const {
  return header_field(10).text();
}

std::string Message::version() const {
  return header_field(12).component(1).text();
}

}  // namespace resultsync::hl7
