#include "hl7/characters.hpp"

#include <simdjson.h>
#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "base/encoding.hpp"

namespace resultsync::hl7 {
namespace {

using Kind = CharacterSet::Kind;

// 8859/1 is read with Windows-1252: the same in every printable character, and it gives a meaning to 0x80–0x9F.
constexpr std::array<CharacterSet, 30> kSets = {{
    {"ASCII", "US-ASCII", Kind::ascii},
    {"UNICODE UTF-8", "UTF-8", Kind::utf8},
    {"UNICODE UTF-16", "UTF-16BE", Kind::utf16},
    {"WINDOWS-1252", "windows-1252", Kind::single_byte},
    {"UNICODE UTF-16LE", "UTF-16LE", Kind::utf16},
    {"UNICODE UTF-32", "UTF-32BE", Kind::utf32},
    {"UNICODE UTF-32LE", "UTF-32LE", Kind::utf32},
    {"8859/1", "windows-1252", Kind::single_byte},
    {"8859/2", "ISO-8859-2", Kind::single_byte},
    {"8859/3", "ISO-8859-3", Kind::single_byte},
    {"8859/4", "ISO-8859-4", Kind::single_byte},
    {"8859/5", "ISO-8859-5", Kind::single_byte},
    {"8859/6", "ISO-8859-6", Kind::single_byte},
    {"8859/7", "ISO-8859-7", Kind::single_byte},
    {"8859/8", "ISO-8859-8", Kind::single_byte},
    {"8859/9", "ISO-8859-9", Kind::single_byte},
    {"8859/10", "ISO-8859-10", Kind::single_byte},
    {"8859/13", "ISO-8859-13", Kind::single_byte},
    {"8859/14", "ISO-8859-14", Kind::single_byte},
    {"8859/15", "ISO-8859-15", Kind::single_byte},
    {"ISO IR14", "ISO-2022-JP-2", Kind::shifting},
    {"ISO IR87", "ISO-2022-JP-2", Kind::shifting},
    {"ISO IR159", "ISO-2022-JP-2", Kind::shifting},
    {"JAS2020", "ISO-2022-JP-2", Kind::shifting},
    {"JIS X 0202", "ISO-2022-JP-2", Kind::shifting},
    {"GB 18030-2000", "gb18030", Kind::multi_byte},
    {"KS X 1001", "EUC-KR", Kind::multi_byte},
    {"CNS 11643-1992", "EUC-TW", Kind::multi_byte},
    {"BIG-5", "Big5", Kind::multi_byte},
    {"SHIFT_JIS", "ibm-943_P15A-2003", Kind::multi_byte},
}};

struct Alias {
  std::string_view squeezed;
  std::string_view name;
};
// Spellings in use, without their spaces, hyphens, underscores, slashes and points, in capitals.
constexpr std::array<Alias, 43> kAliases = {{
    {"USASCII", "ASCII"},
    {"ISOIR6", "ASCII"},
    {"ISO646", "ASCII"},
    {"UTF8", "UNICODE UTF-8"},
    {"UNICODE", "UNICODE UTF-8"},
    {"UNICODEUTF8", "UNICODE UTF-8"},
    {"ISOIR192", "UNICODE UTF-8"},
    {"UTF16", "UNICODE UTF-16"},
    {"UTF16BE", "UNICODE UTF-16"},
    {"UTF16LE", "UNICODE UTF-16LE"},
    {"UTF32", "UNICODE UTF-32"},
    {"UTF32LE", "UNICODE UTF-32LE"},
    {"CP1252", "WINDOWS-1252"},
    {"ANSI", "WINDOWS-1252"},
    {"LATIN1", "8859/1"},
    {"ISOIR100", "8859/1"},
    {"ISO88591", "8859/1"},
    {"ISO88592", "8859/2"},
    {"ISO88593", "8859/3"},
    {"ISO88594", "8859/4"},
    {"ISO88595", "8859/5"},
    {"ISO88596", "8859/6"},
    {"ISO88597", "8859/7"},
    {"ISO88598", "8859/8"},
    {"ISO88599", "8859/9"},
    {"ISO885910", "8859/10"},
    {"ISO885913", "8859/13"},
    {"ISO885914", "8859/14"},
    {"ISO885915", "8859/15"},
    {"GB18030", "GB 18030-2000"},
    {"GB180302000", "GB 18030-2000"},
    {"GBK", "GB 18030-2000"},
    {"GB2312", "GB 18030-2000"},
    {"KSX1001", "KS X 1001"},
    {"EUCKR", "KS X 1001"},
    {"CNS11643", "CNS 11643-1992"},
    {"BIG5", "BIG-5"},
    {"SHIFTJIS", "SHIFT_JIS"},
    {"SJIS", "SHIFT_JIS"},
    {"WINDOWS31J", "SHIFT_JIS"},
    {"ISO2022JP", "JIS X 0202"},
    {"JISX0208", "ISO IR87"},
    {"JISX0201", "ISO IR14"},
}};

std::string squeezed(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c >= 'a' && c <= 'z') text += static_cast<char>(c - 'a' + 'A');
    if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) text += c;
  }
  return text;
}

// What is no character becomes U+FFFD; left alone, some of ICU's tables write a control character instead.
void replace_broken(const void*, UConverterToUnicodeArgs* args, const char*, std::int32_t,
                    UConverterCallbackReason reason, UErrorCode* status) {
  if (reason > UCNV_IRREGULAR) return;
  *status = U_ZERO_ERROR;
  static constexpr char16_t kUnit = 0xfffd;
  ucnv_cbToUWriteUChars(args, &kUnit, 1, 0, status);
}

struct ConverterCloser {
  void operator()(UConverter* converter) const { ucnv_close(converter); }
};
using Converter = std::unique_ptr<UConverter, ConverterCloser>;

// The converter used last by this thread: hex escapes ask for the same one over and over, and opening one is a hundred
// times dearer than using it. ICU's converters have state, so no two threads may share one.
UConverter* converter_of(const CharacterSet& set) {
  static thread_local const char* name = nullptr;
  static thread_local Converter converter;
  if (name == nullptr || std::strcmp(name, set.converter) != 0) {
    UErrorCode status = U_ZERO_ERROR;
    converter.reset(ucnv_open(set.converter, &status));
    name = U_SUCCESS(status) ? set.converter : nullptr;
    if (U_FAILURE(status)) converter.reset();
    if (converter) ucnv_setToUCallBack(converter.get(), replace_broken, nullptr, nullptr, nullptr, &status);
  }
  if (converter) ucnv_reset(converter.get());
  return converter.get();
}

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

}  // namespace

const CharacterSet& ascii() {
  return kSets[0];
}
const CharacterSet& utf8() {
  return kSets[1];
}
const CharacterSet& utf16() {
  return kSets[2];
}
const CharacterSet& windows_1252() {
  return kSets[3];
}

const CharacterSet* find_character_set(std::string_view name) {
  if (name.size() > 40) return nullptr;
  std::string wanted = squeezed(name);
  if (const auto alias = std::ranges::find(kAliases, wanted, &Alias::squeezed); alias != kAliases.end()) {
    wanted = squeezed(alias->name);
  }
  const auto set = std::ranges::find_if(kSets, [&](const CharacterSet& s) { return squeezed(s.name) == wanted; });
  return set == kSets.end() ? nullptr : &*set;
}

bool is_ascii(std::string_view bytes) {
  std::uint64_t seen = 0;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    seen |= word;
  }
  for (; i < bytes.size(); ++i) seen |= static_cast<unsigned char>(bytes[i]);
  return (seen & 0x8080808080808080U) == 0;
}

bool is_valid_utf8(std::string_view bytes) {
  return simdjson::validate_utf8(bytes.data(), bytes.size());
}

bool append_utf8(const CharacterSet& set, std::string_view bytes, std::string& out) {
  if (bytes.empty()) return true;
  if (set.kind == Kind::ascii || set.kind == Kind::utf8) {
    if (is_valid_utf8(bytes)) {
      out += bytes;
      return true;
    }
    out += repair_utf8(bytes);
    return false;
  }
  UConverter* converter = converter_of(set);
  if (converter == nullptr) {
    out += repair_utf8(bytes);
    return false;
  }
  // No converter of ours makes more than one UTF-16 unit from one byte; the spare room is for a terminator.
  std::u16string wide(bytes.size() + 2, u'\0');
  UErrorCode status = U_ZERO_ERROR;
  const std::int32_t units = ucnv_toUChars(converter, wide.data(), static_cast<std::int32_t>(wide.size()), bytes.data(),
                                           static_cast<std::int32_t>(bytes.size()), &status);
  if (U_FAILURE(status)) {
    out += kReplacement;
    return false;
  }
  wide.resize(static_cast<std::size_t>(units));
  const std::size_t before = out.size();
  out.resize(before + wide.size() * 3);
  std::int32_t length = 0;
  status = U_ZERO_ERROR;
  u_strToUTF8WithSub(out.data() + before, static_cast<std::int32_t>(wide.size() * 3), &length, wide.data(), units,
                     0xfffd, nullptr, &status);
  out.resize(before + (U_FAILURE(status) ? 0 : static_cast<std::size_t>(length)));
  return out.find(kReplacement, before) == std::string::npos;
}

bool append_encoded(const CharacterSet& set, std::string_view text, std::string& out) {
  if (set.kind == Kind::utf8 || (set.kind == Kind::ascii && is_ascii(text))) {
    out += text;
    return true;
  }
  UErrorCode status = U_ZERO_ERROR;
  const Converter converter(ucnv_open(set.converter, &status));
  if (U_FAILURE(status)) return false;
  ucnv_setFromUCallBack(converter.get(), UCNV_FROM_U_CALLBACK_STOP, nullptr, nullptr, nullptr, &status);
  std::u16string wide(text.size() + 1, u'\0');
  std::int32_t units = 0;
  u_strFromUTF8(wide.data(), static_cast<std::int32_t>(wide.size()), &units, text.data(),
                static_cast<std::int32_t>(text.size()), &status);
  if (U_FAILURE(status)) return false;
  std::string bytes(
      static_cast<std::size_t>(UCNV_GET_MAX_BYTES_FOR_STRING(units, ucnv_getMaxCharSize(converter.get()))), '\0');
  const std::int32_t length = ucnv_fromUChars(converter.get(), bytes.data(), static_cast<std::int32_t>(bytes.size()),
                                              wide.data(), units, &status);
  if (U_FAILURE(status)) return false;
  out.append(bytes, 0, static_cast<std::size_t>(length));
  return true;
}

Signature find_signature(std::string_view input) {
  const auto starts = [&](std::string_view mark) { return input.starts_with(mark); };
  const auto named = [](std::string_view name) { return find_character_set(name); };
  using namespace std::string_view_literals;
  if (starts("\xef\xbb\xbf"sv)) return {&utf8(), 3};
  if (starts("\xff\xfe\0\0"sv)) return {named("UTF-32LE"), 4};
  if (starts("\0\0\xfe\xff"sv)) return {named("UTF-32"), 4};
  if (starts("\xff\xfe"sv)) return {named("UTF-16LE"), 2};
  if (starts("\xfe\xff"sv)) return {&utf16(), 2};
  if (input.size() >= 6) {
    const auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
    if (capital(input[0]) && input[1] == 0 && capital(input[2]) && input[3] == 0 && capital(input[4]) &&
        input[5] == 0) {
      return {named("UTF-16LE"), 0};
    }
    if (input[0] == 0 && capital(input[1]) && input[2] == 0 && capital(input[3]) && input[4] == 0 &&
        capital(input[5])) {
      return {&utf16(), 0};
    }
  }
  return {};
}

CharacterChoice choose_character_set(std::string_view bytes, std::string_view msh_18, char repetition) {
  CharacterChoice choice;
  while (!msh_18.empty()) {
    const std::size_t end = repetition == '\0' ? std::string_view::npos : msh_18.find(repetition);
    const std::string_view name = msh_18.substr(0, end);
    const CharacterSet* set = find_character_set(name);
    if (set == nullptr && !name.empty() && name != "\"\"") choice.declared_unknown = true;
    if (set != nullptr && (choice.declared == nullptr || set->kind == Kind::shifting)) choice.declared = set;
    if (end == std::string_view::npos) break;
    msh_18.remove_prefix(end + 1);
  }

  const CharacterSet* declared = choice.declared;
  const bool shifts =
      declared != nullptr && declared->kind == Kind::shifting && bytes.find('\x1b') != std::string_view::npos;
  const bool holds_any_byte =
      declared != nullptr && (declared->kind == Kind::single_byte || declared->kind == Kind::multi_byte);
  if (shifts) {
    choice.read_as = declared;
  } else if (is_ascii(bytes)) {
    // The declared set still gives hex escapes their meaning.
    choice.read_as = holds_any_byte || (declared != nullptr && declared->kind == Kind::utf8) ? declared : &ascii();
  } else if (declared != nullptr && declared->kind == Kind::multi_byte) {
    std::string text;
    const bool fits = append_utf8(*declared, bytes, text);
    choice.read_as = fits || !is_valid_utf8(bytes) ? declared : &utf8();
  } else if (is_valid_utf8(bytes)) {
    choice.read_as = &utf8();
  } else if (declared != nullptr && (declared->kind == Kind::single_byte || declared->kind == Kind::utf8)) {
    choice.read_as = declared;
  } else if (declared != nullptr && declared->kind == Kind::shifting) {
    choice.read_as = find_character_set("SHIFT_JIS");  // the usual 8-bit companion of declared ISO IR87
    std::string text;
    if (!append_utf8(*choice.read_as, bytes, text)) choice.read_as = &windows_1252();
  } else {
    choice.read_as = &windows_1252();
  }
  return choice;
}

}  // namespace resultsync::hl7
