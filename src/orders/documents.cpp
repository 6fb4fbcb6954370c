#include "orders/documents.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "orders/json_body.hpp"

namespace resultsync::orders {
namespace {

using simdjson::dom::element;

constexpr std::string_view kWhiteSpace = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(kWhiteSpace);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kWhiteSpace) - from + 1);
}

// What a file begins with, and what it is then. HL7 v2 may come in a batch (FHS, BHS) or framed (MLLP: 0x0b).
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kBeginnings{{
    {"%PDF-", "application/pdf"},
    {"MSH", "application/hl7-v2"},
    {"\x0bMSH", "application/hl7-v2"},
    {"FHS", "application/hl7-v2"},
    {"BHS", "application/hl7-v2"},
    {"{\\rtf", "application/rtf"},
    {"\x89PNG\r\n\x1a\n", "image/png"},
    {"\xff\xd8\xff", "image/jpeg"},
    {"II*\0", "image/tiff"},
    {"MM\0*", "image/tiff"},
    {"GIF8", "image/gif"},
    {"PK\x03\x04", "application/zip"},
    {"<!DOCTYPE html", "text/html"},
    {"<html", "text/html"},
}};

std::string_view known_beginning(std::string_view bytes) {
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  const std::string_view inner = bytes.substr(std::min(bytes.find_first_not_of(kWhiteSpace), bytes.size()));
  for (const auto& [beginning, type] : kBeginnings) {
    if (inner.starts_with(beginning)) return type;
  }
  if (inner.starts_with("<!doctype html") || inner.starts_with("<HTML")) return "text/html";
  return {};
}

std::optional<std::string> decoded(std::string_view base64) {
  std::string dense;
  dense.reserve(base64.size());
  std::ranges::copy_if(base64, std::back_inserter(dense),
                       [](char c) { return kWhiteSpace.find(c) == std::string_view::npos; });
  auto bytes = decode_base64(dense);
  // A short word may be base64 by accident: only what decodes to a known kind of file is one.
  if (!bytes || known_beginning(*bytes).empty()) return std::nullopt;
  return bytes;
}

template <class Visit>
void for_each_link(element resource, Visit visit) {
  for_each_member(member(resource, "attributes"), [&](std::string_view name, element value) {
    std::string_view text;
    if (value.get_string().get(text) == simdjson::SUCCESS && is_link(text)) visit(name, trimmed(text));
  });
}

bool is_test(element resource) {
  return text_of(member(resource, "type")) == "ordered_test";
}

// Escapes may hide the word, so what has any is looked at too.
bool may_have_links(std::string_view body) {
  return body.find("http") != std::string_view::npos || body.find("\\u00") != std::string_view::npos;
}

// Writes a body again, other than it was only where a link stands, or (kNamed) a value that is named.
enum class Replace { kLinks, kNamed };
class Rewriter {
 public:
  Rewriter(const std::vector<ShownDocument>& documents, Replace replace) : documents_(documents), replace_(replace) {}

  std::string write(element root) {
    object(root, [this](std::string_view name, element value) {
      if (name == "included") return included(value);
      if (name == "data" && value.is_object()) {
        return object(value, [this](std::string_view inner, element inner_value) {
          inner == "included" ? included(inner_value) : raw(inner_value);
        });
      }
      raw(value);
    });
    return json_.take();
  }

 private:
  void raw(element value) { json_.raw(std::string(simdjson::minify(value))); }

  template <class Write>
  void object(element value, Write write) {
    if (!value.is_object()) return raw(value);
    json_.begin_object();
    for_each_member(value, [&](std::string_view name, element inner) {
      json_.key(name);
      write(name, inner);
    });
    json_.end_object();
  }

  void included(element value) {
    if (!value.is_array()) return raw(value);
    json_.begin_array();
    for_each(value, [this](element resource) { is_test(resource) ? test(resource) : raw(resource); });
    json_.end_array();
  }

  void test(element resource) {
    const OrderedTestId id(id_text(member(resource, "id")));
    object(resource, [&](std::string_view name, element value) {
      if (name != "attributes") return raw(value);
      object(value, [&](std::string_view attribute, element attribute_value) {
        const ShownDocument* named = find(id, attribute);
        if (replace_ == Replace::kNamed ? named == nullptr : !is_link(attribute_value)) return raw(attribute_value);
        json_.string(named == nullptr ? std::string_view("document:pending") : std::string_view(named->text));
      });
    });
  }

  static bool is_link(element value) {
    std::string_view text;
    return value.get_string().get(text) == simdjson::SUCCESS && orders::is_link(text);
  }

  [[nodiscard]] const ShownDocument* find(const OrderedTestId& id, std::string_view member) const {
    const auto found = std::ranges::find_if(
        documents_, [&](const ShownDocument& document) { return document.test == id && document.member == member; });
    return found == documents_.end() ? nullptr : &*found;
  }

  const std::vector<ShownDocument>& documents_;
  const Replace replace_;
  JsonWriter json_;
};

}  // namespace

bool is_link(std::string_view text) {
  const std::string_view inner = trimmed(text);
  return (inner.starts_with("https://") || inner.starts_with("http://")) &&
         inner.find_first_of(kWhiteSpace) == std::string_view::npos;
}

std::string bytes_of(std::string_view text) {
  std::string_view inner = trimmed(text);
  constexpr std::string_view kMark = ";base64,";
  if (inner.starts_with("data:")) {
    const auto mark = inner.find(kMark);
    if (mark != std::string_view::npos) inner.remove_prefix(mark + kMark.size());
  }
  if (auto bytes = decoded(inner)) return std::move(*bytes);
  return std::string(text);
}

std::string_view sniff_media_type(std::string_view bytes) {
  if (const auto known = known_beginning(bytes); !known.empty()) return known;
  const bool is_text = is_utf8(bytes) && bytes.find('\0') == std::string_view::npos;
  return is_text ? "text/plain" : "application/octet-stream";
}

std::vector<Link> links_of(std::string_view body) {
  std::vector<Link> links;
  if (!may_have_links(body)) return links;
  const JsonBody document(body);
  for_each_included(document.root(), [&](element resource) {
    if (!is_test(resource)) return;
    const OrderedTestId id(id_text(member(resource, "id")));
    if (id.empty()) return;
    for_each_link(resource, [&](std::string_view name, std::string_view url) {
      const bool known =
          std::ranges::any_of(links, [&](const Link& link) { return link.test == id && link.member == name; });
      if (!known) links.push_back({id, std::string(name), std::string(url), name.starts_with("results_")});
    });
  });
  return links;
}

std::string with_documents(std::string_view body, const std::vector<ShownDocument>& documents) {
  if (!may_have_links(body)) return std::string(body);
  const JsonBody document(body);
  if (!document.root() || links_of(body).empty()) return std::string(body);
  return Rewriter(documents, Replace::kLinks).write(*document.root());
}

std::string with_values(std::string_view body, const std::vector<ShownDocument>& values) {
  const JsonBody document(body);
  if (values.empty() || !document.root()) return std::string(body);
  return Rewriter(values, Replace::kNamed).write(*document.root());
}

}  // namespace resultsync::orders
