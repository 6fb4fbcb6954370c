#include "store/postgres/dialect.hpp"

#include <algorithm>
#include <cctype>
#include <span>
#include <vector>

#include "base/encoding.hpp"

namespace resultsync::store::postgres {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// The statement in pieces: words, and whatever stands between them, character by character; quoted text and comments
// are one piece each.
std::vector<std::string_view> pieces_of(std::string_view sql) {
  std::vector<std::string_view> pieces;
  std::size_t at = 0;
  while (at < sql.size()) {
    std::size_t end = at + 1;
    if (sql[at] == '\'') {
      const auto quote = sql.find('\'', at + 1);
      end = quote == std::string_view::npos ? sql.size() : quote + 1;
    } else if (sql.substr(at, 2) == "--") {
      end = std::min(sql.find('\n', at), sql.size());
    } else if (is_word(sql[at])) {
      while (end < sql.size() && is_word(sql[end])) ++end;
      if ((sql.substr(at, end - at) == "x" || sql.substr(at, end - at) == "X") && sql.substr(end, 1) == "'")
        end = std::min(sql.find('\'', end + 1), sql.size() - 1) + 1;  // a blob
    } else if (std::isspace(static_cast<unsigned char>(sql[at])) != 0) {
      while (end < sql.size() && std::isspace(static_cast<unsigned char>(sql[end])) != 0) ++end;
    }
    pieces.push_back(sql.substr(at, end - at));
    at = end;
  }
  return pieces;
}

bool is_space(std::string_view piece) {
  return std::isspace(static_cast<unsigned char>(piece.front())) != 0;
}

// The words from `at` on are `first` and `second`; gives the place after them.
std::optional<std::size_t> two_words(const std::vector<std::string_view>& pieces, std::size_t at,
                                     std::string_view first, std::string_view second) {
  if (at + 2 >= pieces.size() || pieces[at] != first || !is_space(pieces[at + 1]) || pieces[at + 2] != second)
    return std::nullopt;
  return at + 3;
}

// x'0aff' → '\x0aff'::bytea
std::string blob_literal(std::string_view piece) {
  return "'\\x" + std::string(piece.substr(2)) + "::bytea";
}
bool is_blob_literal(std::string_view piece) {
  return piece.size() >= 3 && (piece[0] == 'x' || piece[0] == 'X') && piece[1] == '\'';
}

// A list of nothing but parameters that begins at the bracket: their numbers, and the place after it.
struct ParameterList {
  std::vector<std::string_view> numbers;
  std::size_t end = 0;
};
std::optional<ParameterList> parameter_list(const std::vector<std::string_view>& pieces, std::size_t at) {
  if (at >= pieces.size() || pieces[at] != "(") return std::nullopt;
  ParameterList list;
  for (++at; at + 2 < pieces.size() && pieces[at] == "?"; ++at) {
    list.numbers.push_back(pieces[at + 1]);
    at += 2;
    list.end = at + 1;
    if (pieces[at] == ")") return list;
    if (pieces[at] != ",") return std::nullopt;
    while (at + 1 < pieces.size() && is_space(pieces[at + 1])) ++at;
  }
  return std::nullopt;
}

// The column at the end of what was written so far: `a` or `t.a`, and the space behind it.
std::string_view column_at_end(std::string_view written) {
  std::size_t end = written.size();
  while (end > 0 && is_space(written.substr(end - 1, 1))) --end;
  std::size_t begin = end;
  while (begin > 0 && (is_word(written[begin - 1]) || written[begin - 1] == '.')) --begin;
  const std::string_view column = written.substr(begin, end - begin);
  return column.empty() || column == "NOT" ? std::string_view() : written.substr(begin);
}

std::string listed(std::string_view column, std::span<const std::string_view> numbers) {
  std::string out(column);
  out += "IN (";
  for (const std::string_view number : numbers) {
    if (number != numbers.front()) out += ", ";
    out += '$';
    out += number;
  }
  return out + ")";
}

// For fewer, a bitmap is hardly quicker than their rows one by one.
constexpr std::size_t kManyParameters = 16;

}  // namespace

std::string with_dollar_parameters(std::string_view sql) {
  std::string out;
  const auto pieces = pieces_of(sql);
  for (std::size_t at = 0; at < pieces.size(); ++at) {
    const std::string_view piece = pieces[at];
    if (piece == "IN" && at + 1 < pieces.size()) {
      const auto list = parameter_list(pieces, is_space(pieces[at + 1]) ? at + 2 : at + 1);
      const std::string column(column_at_end(out));
      if (list && list->numbers.size() >= kManyParameters && !column.empty()) {
        const auto numbers = std::span(list->numbers);
        const auto half = numbers.size() / 2;
        out.resize(out.size() - column.size());
        out += "(" + listed(column, numbers.first(half)) + " OR " + listed(column, numbers.subspan(half)) + ")";
        at = list->end - 1;
        continue;
      }
    }
    out += piece == "?" ? "$" : is_blob_literal(piece) ? blob_literal(piece) : std::string(piece);
  }
  return out;
}

std::optional<std::string> of_many_rows(std::string_view sql, std::size_t parameters) {
  const auto pieces = pieces_of(sql);
  const auto values = static_cast<std::size_t>(std::ranges::find(pieces, "VALUES") - pieces.begin());
  std::size_t at = values + 1;
  while (at < pieces.size() && is_space(pieces[at])) ++at;
  if (pieces.empty() || pieces.front() != "INSERT" || at >= pieces.size() || pieces[at] != "(") return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < values; ++i) out += pieces[i];
  out += "SELECT ";
  int depth = 1;
  for (++at; at < pieces.size(); ++at) {
    if (pieces[at] == "(") ++depth;
    if (pieces[at] == ")" && --depth == 0) break;
    out += pieces[at] == "?" ? "many.p" : std::string(pieces[at]);
  }
  if (depth != 0) return std::nullopt;
  std::string arrays;
  std::string names;
  for (std::size_t i = 1; i <= parameters; ++i) {
    arrays += (i == 1 ? "$" : ", $") + std::to_string(i);
    names += (i == 1 ? "p" : ", p") + std::to_string(i);
  }
  out += " FROM unnest(" + arrays + ") AS many (" + names + ")";
  for (++at; at < pieces.size(); ++at) {
    if (pieces[at] == "?") return std::nullopt;
    out += pieces[at];
  }
  return out;
}

std::string table_definitions(std::string_view migration) {
  const auto pieces = pieces_of(migration);
  std::string out;
  // A table's options follow its closing bracket: `) STRICT, WITHOUT ROWID;`.
  bool in_options = false;
  for (std::size_t at = 0; at < pieces.size();) {
    const std::string_view piece = pieces[at];
    if (const auto key = two_words(pieces, at, "INTEGER", "PRIMARY")) {
      out += "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY";
      at = *key;
      continue;
    }
    if (const auto rowid = two_words(pieces, at, "WITHOUT", "ROWID")) {
      at = *rowid;
      continue;
    }
    if (piece == "STRICT") {
      in_options = true;
    } else if (piece == ";") {
      in_options = false;
      out += ';';
    } else if (piece == "INTEGER") {
      out += "BIGINT";
    } else if (is_blob_literal(piece)) {
      out += blob_literal(piece);
    } else if (piece == "BLOB") {
      out += "BYTEA";
    } else if (piece == "TEXT") {
      out += "TEXT COLLATE \"C\"";
    } else if (piece != "AUTOINCREMENT" && !(in_options && piece == ",")) {
      out += piece;
    }
    ++at;
  }
  return out;
}

bool gives_rows(std::string_view sql) {
  while (!sql.empty() && std::isspace(static_cast<unsigned char>(sql.front())) != 0) sql.remove_prefix(1);
  return sql.starts_with("SELECT") || sql.starts_with("WITH") || sql.starts_with("VALUES") ||
         sql.starts_with("FETCH") || sql.find("RETURNING") != std::string_view::npos;
}

std::optional<std::string> escaped_text(std::string_view text) {
  const bool utf8 = is_utf8(text);
  if (utf8 && text.find('\0') == std::string_view::npos && !has_escapes(text)) return std::nullopt;
  std::string out;
  for (const char c : text) {
    if (c == '\x01') {
      out += "\x01\x01";
    } else if (c == '\0' || (!utf8 && static_cast<unsigned char>(c) >= 0x80)) {
      out += '\x01';
      out += encode_hex({&c, 1});
    } else {
      out += c;
    }
  }
  return out;
}

std::string unescaped_text(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\x01') {
      out += text[at];
    } else if (text.substr(at + 1, 1) == "\x01") {
      out += text[++at];
    } else if (const auto byte = decode_hex(text.substr(at + 1, 2))) {
      out += *byte;
      at += 2;
    }
  }
  return out;
}

}  // namespace resultsync::store::postgres
