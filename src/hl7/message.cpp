#include "hl7/message.hpp"

namespace resultsync::hl7 {

Presence Value::presence() const {
  if (message_ == nullptr) return Presence::absent;
  if (raw_.empty()) return Presence::empty;
  return null() ? Presence::null : Presence::valued;
}

std::string Value::text() const {
  if (message_ == nullptr || null()) return {};
  if (verbatim_) return std::string(raw_);
  return decode_escapes(raw_, message_->delimiters(), message_->character_set());
}

std::string_view Value::text(std::string& scratch) const {
  if (message_ == nullptr || null()) return {};
  if (verbatim_ || !needs_decoding(raw_, message_->delimiters())) return raw_;
  scratch.clear();
  append_decoded(raw_, message_->delimiters(), message_->character_set(), scratch);
  return scratch;
}

std::size_t Value::position() const {
  return message_ == nullptr ? 0 : static_cast<std::size_t>(raw_.data() - message_->text().data());
}

Parts<Subcomponent> Component::subcomponents() const {
  return {message_, raw_, verbatim_, message_ == nullptr ? '\0' : message_->delimiters().subcomponent};
}

Parts<Component> Repetition::components() const {
  return {message_, raw_, verbatim_, message_ == nullptr ? '\0' : message_->delimiters().component};
}

Parts<Repetition> Field::repetitions() const {
  return {message_, raw_, verbatim_, message_ == nullptr ? '\0' : message_->delimiters().repetition};
}

bool Field::truncated() const {
  if (message_ == nullptr || verbatim_ || raw_.empty()) return false;
  const char mark = message_->delimiters().truncation;
  return mark != '\0' && raw_.back() == mark;
}

std::string_view Segment::name() const {
  const auto& place = message_->index().segments[index_];
  return place.name[0] == '\0' ? std::string_view() : std::string_view(place.name.data(), place.name.size());
}

std::size_t Segment::offset() const {
  return message_->index().segments[index_].offset;
}

std::string_view Segment::raw() const {
  const auto& place = message_->index().segments[index_];
  return message_->text().substr(place.begin, place.end - place.begin);
}

std::uint32_t Segment::field_count() const {
  return message_->index().segments[index_].field_count;
}

Field Segment::field(std::uint32_t number) const {
  const auto& place = message_->index().segments[index_];
  if (number == 0 || number > place.field_count) return {};
  const std::uint32_t* begins = message_->index().field_begins.data() + place.first_field;
  const std::uint32_t begin = begins[number - 1];
  // The first field of a header is its separator, which nothing separates from the second.
  const bool header = number <= 2 && begins[0] == place.begin + 3;
  const std::uint32_t end = header && number == 1 ? begin + 1 : begins[number] - 1;
  return Field(message_, message_->text().substr(begin, end - begin), header);
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
  return code.substr(0, code.find('_'));  // some send the structure, ORU_R01, alone
}

std::string Message::event() const {
  const std::string event = header_field(9).component(2).text();
  if (!event.empty()) return event;
  const std::string code = header_field(9).component(1).text();
  const auto underline = code.find('_');
  return underline == std::string::npos ? std::string() : code.substr(underline + 1);
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
