// One HL7 v2 message, as views into one text and one flat index of it.
//
//   for (const hl7::Segment obx : message.segments("OBX")) {
//     const hl7::Component code = obx.component(3, 1);     // OBX-3.1
//     if (code.valued()) use(code.text());                 // escapes decoded, valid UTF-8
//     for (const hl7::Repetition value : obx.field(5).repetitions()) …
//   }
//
// Lifetime: the text belongs to the Reading that made the message. Segment, Field, Repetition, Component and
// Subcomponent point into the Message, raw() into that text: both are good for as long as the Reading lives, also after
// it has been moved. Strings that text() returns are copies. Everything is const; any number of threads may look at one
// message.
//
// Numbers count from 1, as in the standard (PID-3.4.1). Asking for what is not there gives something absent, never an
// error.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hl7/characters.hpp"
#include "hl7/delimiters.hpp"
#include "hl7/diagnostic.hpp"
#include "hl7/escapes.hpp"

namespace resultsync::hl7 {

class Message;
class Segment;

// What the sender said about a value (HL7 v2.5.1 §2.5.3).
enum class Presence : std::uint8_t {
  absent,  // the segment or field ends before it
  empty,   // nothing between the delimiters: leave what is known as it is
  null,    // "" between the delimiters: delete what is known
  valued,
};

// What has to be done with the bytes of a value.
enum class Form : std::uint8_t {
  escaped,   // split, and decoded: its segment holds an escape, a line break or a NUL
  plain,     // split; what it holds stands for itself
  verbatim,  // MSH-1 and MSH-2: neither split nor decoded
};

// What fields, repetitions, components and subcomponents have in common.
class Value {
 public:
  Value() = default;  // absent
  Value(const Message* message, std::string_view raw, Form form) : message_(message), raw_(raw), form_(form) {}

  [[nodiscard]] Presence presence() const;
  [[nodiscard]] bool valued() const { return presence() == Presence::valued; }
  [[nodiscard]] bool null() const { return raw_ == "\"\""; }

  // As it stands in the message, delimiters and escapes included (in UTF-8).
  [[nodiscard]] std::string_view raw() const { return raw_; }
  // The plain text; delimiters that are left in it (of a field: components, repetitions) stand for themselves, which is
  // what is wanted of a lab that does not escape them. HL7's null is no text: "".
  [[nodiscard]] std::string text() const;
  // The same without a copy where raw and plain text are equal; else decoded into `scratch`.
  [[nodiscard]] std::string_view text(std::string& scratch) const;
  // Where raw() begins in Message::text().
  [[nodiscard]] std::size_t position() const;

 protected:
  const Message* message_ = nullptr;  // null: absent
  std::string_view raw_;
  Form form_ = Form::escaped;
};

// The parts of a value between delimiters, found while they are walked. Nothing has no parts; "a^" has two.
template <class Part>
class Parts {
 public:
  class iterator {
   public:
    using value_type = Part;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    iterator() = default;
    iterator(const Parts* parts, std::size_t begin) : parts_(parts), begin_(begin) { find_end(); }
    Part operator*() const { return Part(parts_->message_, parts_->raw_.substr(begin_, end_ - begin_), parts_->form_); }
    iterator& operator++() {
      begin_ = end_ == parts_->raw_.size() ? kDone : end_ + 1;
      find_end();
      return *this;
    }
    iterator operator++(int) {
      iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator& other) const { return begin_ == other.begin_; }

   private:
    friend class Parts;
    static constexpr std::size_t kDone = static_cast<std::size_t>(-1);
    void find_end() {
      if (begin_ == kDone) return;
      const char* const bytes = parts_->raw_.data();
      const std::size_t size = parts_->raw_.size();
      const char delimiter = parts_->delimiter_;
      end_ = delimiter == '\0' ? size : begin_;
      while (end_ < size && bytes[end_] != delimiter) ++end_;
    }
    const Parts* parts_ = nullptr;
    std::size_t begin_ = kDone;
    std::size_t end_ = 0;
  };

  Parts(const Message* message, std::string_view raw, Form form, char delimiter)
      : message_(message), raw_(raw), form_(form), delimiter_(form == Form::verbatim ? '\0' : delimiter) {}

  [[nodiscard]] iterator begin() const { return raw_.empty() ? iterator() : iterator(this, 0); }
  [[nodiscard]] iterator end() const { return {}; }
  [[nodiscard]] bool empty() const { return raw_.empty(); }
  [[nodiscard]] std::size_t size() const {
    std::size_t count = 0;
    for (auto part = begin(); part != end(); ++part) ++count;
    return count;
  }
  // The first one; absent if there is none.
  [[nodiscard]] Part front() const {
    if (raw_.empty()) return Part();
    return Part(message_, raw_.substr(0, delimiter_ == '\0' ? raw_.size() : raw_.find(delimiter_)), form_);
  }
  // The first N parts in one walk, numbered from 1; absent past the last.
  template <std::size_t N>
  class First {
   public:
    [[nodiscard]] const Part& operator[](std::size_t number) const { return parts_[number - 1]; }

   private:
    friend class Parts;
    std::array<Part, N> parts_{};
  };
  template <std::size_t N>
  [[nodiscard]] First<N> first() const {
    First<N> result;
    const char* const bytes = raw_.data();
    const std::size_t size = raw_.size();
    for (std::size_t at = 0, begin = 0; at < N && (at > 0 || size > 0); ++at) {
      std::size_t end = delimiter_ == '\0' ? size : begin;
      while (end < size && bytes[end] != delimiter_) ++end;
      result.parts_[at] = Part(message_, {bytes + begin, end - begin}, form_);
      if (end == size) break;
      begin = end + 1;
    }
    return result;
  }
  // Part `number`, from 1; absent past the last.
  [[nodiscard]] Part operator[](std::size_t number) const {
    if (number == 1) return front();
    for (auto part = begin(); part != end(); ++part) {
      if (--number == 0) return *part;
    }
    return Part();
  }

 private:
  const Message* message_;
  std::string_view raw_;
  Form form_;
  char delimiter_;
};

class Subcomponent : public Value {
 public:
  using Value::Value;
};

class Component : public Value {
 public:
  using Value::Value;
  [[nodiscard]] Parts<Subcomponent> subcomponents() const;
  [[nodiscard]] Subcomponent subcomponent(std::size_t number) const { return subcomponents()[number]; }
};

class Repetition : public Value {
 public:
  using Value::Value;
  [[nodiscard]] Parts<Component> components() const;
  [[nodiscard]] Component component(std::size_t number) const { return components()[number]; }
};

class Field : public Value {
 public:
  using Value::Value;
  [[nodiscard]] Parts<Repetition> repetitions() const;
  [[nodiscard]] Repetition repetition(std::size_t number) const { return repetitions()[number]; }
  // Of the first repetition.
  [[nodiscard]] Component component(std::size_t number) const { return repetition(1).component(number); }
  // True if the sender marked the value as cut off (MSH-2 declares a truncation character and the value ends with it).
  [[nodiscard]] bool truncated() const;
  // What stands before the first line break in it.
  [[nodiscard]] Field first_line() const { return {message_, raw_.substr(0, raw_.find_first_of("\r\n")), form_}; }
};

class Segment {
 public:
  Segment(const Message* message, std::uint32_t index) : message_(message), index_(index) {}

  // "OBX", "ZPS"; empty for a line that is no segment and continues none, which has no fields but a raw().
  [[nodiscard]] std::string_view name() const;
  [[nodiscard]] std::uint32_t index() const { return index_; }
  // Position of its line in the bytes given to read().
  [[nodiscard]] std::size_t offset() const;
  // True if its line begins with the name in capitals and the field separator, right after a line end. Others are read
  // all the same: after white space, in small letters, with a line break behind the name.
  [[nodiscard]] bool as_written() const;
  // The whole segment, continuation lines and the line breaks before them included.
  [[nodiscard]] std::string_view raw() const;

  [[nodiscard]] std::uint32_t field_count() const;
  [[nodiscard]] Field field(std::uint32_t number) const;
  // The raw text from the beginning of field `number` to the end of the segment: the text of a lab that does not escape
  // its field separators, with what it pushed aside. Empty if the segment ends before.
  [[nodiscard]] std::string_view raw_from(std::uint32_t number) const;
  // The plain text of any part of raw() or raw_from().
  [[nodiscard]] std::string decode(std::string_view raw) const;

  [[nodiscard]] Component component(std::uint32_t field_number, std::size_t component_number) const {
    return field(field_number).component(component_number);
  }
  [[nodiscard]] std::string text(std::uint32_t field_number) const { return field(field_number).text(); }
  [[nodiscard]] std::string text(std::uint32_t field_number, std::size_t component_number) const {
    return component(field_number, component_number).text();
  }

 private:
  const Message* message_;
  std::uint32_t index_;
};

// What the reader made of a text: the segments' places, and for each the beginnings of its fields, in two flat vectors.
struct MessageIndex {
  struct SegmentPlace {
    std::uint32_t begin = 0, end = 0;                // in text
    std::uint32_t first_field = 0, field_count = 0;  // in field_begins; one more entry, end + 1, follows the last field
    std::array<char, 3> name{};                      // NULs for a line that is no segment
    bool plain = false;                              // no field of it needs decoding
    bool as_written = false;                         // Segment::as_written
    std::size_t offset = 0;                          // of its line in the bytes given to read()
  };
  std::string_view text;                         // valid UTF-8: a part of the input, or `converted`
  std::unique_ptr<const std::string> converted;  // set where the message's bytes were not UTF-8
  std::string_view source;  // the message's bytes as sent, if each character set allows to point at them
  std::size_t source_offset = 0;
  bool has_header = false;
  Delimiters delimiters;
  CharacterChoice characters;
  std::vector<SegmentPlace> segments;
  std::vector<std::uint32_t> field_begins;
  Diagnostics diagnostics;
};

class Message {
 public:
  explicit Message(MessageIndex index) : index_(std::move(index)) {}

  // Every line of the message, in its order: segments, and lines that are none.
  class Segments;
  [[nodiscard]] std::uint32_t segment_count() const { return static_cast<std::uint32_t>(index_.segments.size()); }
  [[nodiscard]] Segment segment(std::uint32_t index) const { return {this, index}; }
  [[nodiscard]] Segments segments() const;
  [[nodiscard]] Segments segments(std::string_view name) const;

  [[nodiscard]] bool has_header() const { return index_.has_header; }
  // Of the MSH; empty texts without one.
  [[nodiscard]] Field header_field(std::uint32_t number) const {
    return has_header() ? segment(0).field(number) : Field();
  }
  [[nodiscard]] std::string code() const;        // MSH-9.1: "ORU"
  [[nodiscard]] std::string event() const;       // MSH-9.2: "R01"
  [[nodiscard]] std::string structure() const;   // MSH-9.3: "ORU_R01", else made of code and event
  [[nodiscard]] std::string control_id() const;  // MSH-10
  [[nodiscard]] std::string version() const;     // MSH-12.1: "2.5.1"

  [[nodiscard]] const Delimiters& delimiters() const { return index_.delimiters; }
  // The set that the bytes were read in, and which gives hex escapes their meaning.
  [[nodiscard]] const CharacterSet& character_set() const { return *index_.characters.read_as; }
  [[nodiscard]] const CharacterSet* declared_character_set() const { return index_.characters.declared; }
  [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const { return index_.diagnostics.list(); }

  // The whole message in UTF-8, as it was read.
  [[nodiscard]] std::string_view text() const { return index_.text; }
  // The message's bytes as they were sent; empty where the whole input had to be converted (UTF-16, UTF-32).
  [[nodiscard]] std::string_view source() const { return index_.source; }
  [[nodiscard]] std::size_t source_offset() const { return index_.source_offset; }

  [[nodiscard]] const MessageIndex& index() const { return index_; }

 private:
  MessageIndex index_;
};

class Message::Segments {
 public:
  class iterator {
   public:
    using value_type = Segment;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    iterator(const Message* message, std::string_view name, std::uint32_t at)
        : message_(message), name_(name), at_(at) {
      skip();
    }
    Segment operator*() const { return {message_, at_}; }
    iterator& operator++() {
      ++at_;
      skip();
      return *this;
    }
    iterator operator++(int) {
      iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator& other) const { return at_ == other.at_; }

   private:
    void skip() {
      while (!name_.empty() && at_ < message_->segment_count() && message_->segment(at_).name() != name_) ++at_;
    }
    const Message* message_;
    std::string_view name_;
    std::uint32_t at_;
  };
  Segments(const Message* message, std::string_view name) : message_(message), name_(name) {}
  [[nodiscard]] iterator begin() const { return {message_, name_, 0}; }
  [[nodiscard]] iterator end() const { return {message_, {}, message_->segment_count()}; }

 private:
  const Message* message_;
  std::string_view name_;
};

// ---- what is asked for at every step of a walk

inline Presence Value::presence() const {
  if (message_ == nullptr) return Presence::absent;
  if (raw_.empty()) return Presence::empty;
  return null() ? Presence::null : Presence::valued;
}

inline std::string Value::text() const {
  if (message_ == nullptr || null()) return {};
  if (form_ != Form::escaped) return std::string(raw_);
  return decode_escapes(raw_, message_->delimiters(), message_->character_set());
}

inline Parts<Subcomponent> Component::subcomponents() const {
  return {message_, raw_, form_, message_ == nullptr ? '\0' : message_->delimiters().subcomponent};
}

inline Parts<Component> Repetition::components() const {
  return {message_, raw_, form_, message_ == nullptr ? '\0' : message_->delimiters().component};
}

inline Parts<Repetition> Field::repetitions() const {
  return {message_, raw_, form_, message_ == nullptr ? '\0' : message_->delimiters().repetition};
}

inline std::string_view Segment::name() const {
  const auto& place = message_->index().segments[index_];
  return place.name[0] == '\0' ? std::string_view() : std::string_view(place.name.data(), place.name.size());
}

inline std::uint32_t Segment::field_count() const {
  return message_->index().segments[index_].field_count;
}

inline bool Segment::as_written() const {
  return message_->index().segments[index_].as_written;
}

inline Field Segment::field(std::uint32_t number) const {
  const auto& place = message_->index().segments[index_];
  if (number == 0 || number > place.field_count) return {};
  const std::uint32_t* begins = message_->index().field_begins.data() + place.first_field;
  const std::uint32_t begin = begins[number - 1];
  // The first field of a header is its separator, which nothing separates from the second.
  const bool header = number <= 2 && begins[0] == place.begin + 3;
  const std::uint32_t end = header && number == 1 ? begin + 1 : begins[number] - 1;
  const Form form = header ? Form::verbatim : place.plain ? Form::plain : Form::escaped;
  return Field(message_, message_->text().substr(begin, end - begin), form);
}

inline Message::Segments Message::segments() const {
  return {this, {}};
}
inline Message::Segments Message::segments(std::string_view name) const {
  return {this, name};
}

}  // namespace resultsync::hl7
