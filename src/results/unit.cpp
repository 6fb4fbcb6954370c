#include "results/unit.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace resultsync::results {
namespace {

constexpr std::size_t kUnitBytesMax = 200;
constexpr int kDepthMax = 16;

// Units that laboratories use, of the UCUM essence table; sorted by eye, searched as a whole.
constexpr std::string_view kMetric[] = {
    "m",  "s",   "g",      "rad",   "K",  "C",   "cd",   "L",     "l",      "mol", "Hz",  "N",   "Pa",
    "J",  "W",   "A",      "V",     "F",  "Ohm", "S",    "Wb",    "H",      "lm",  "lx",  "Bq",  "Gy",
    "Sv", "kat", "bar",    "u",     "eV", "U",   "[IU]", "[iU]",  "Cel",    "eq",  "osm", "g%",  "t",
    "B",  "cal", "cal_th", "[Cal]", "st", "sr",  "dyn",  "erg",   "P",      "St",  "G",   "Gal", "Ci",
    "R",  "RAD", "REM",    "Np",    "b",  "ar",  "pc",   "m[Hg]", "m[H2O]", "T"};
constexpr std::string_view kPlain[] = {
    "10*",          "10^",         "%",         "[ppth]",   "[ppm]",     "[ppb]",     "[pptr]",
    "[pi]",         "min",         "h",         "d",        "a",         "a_t",       "a_j",
    "a_g",          "wk",          "mo",        "mo_s",     "mo_j",      "mo_g",      "'",
    "''",           "deg",         "gon",       "[pH]",     "[in_i]",    "[ft_i]",    "[yd_i]",
    "[mi_i]",       "[lb_av]",     "[oz_av]",   "[st_av]",  "[degF]",    "[degR]",    "[HPF]",
    "[LPF]",        "[drp]",       "[arb'U]",   "[USP'U]",  "[GPL'U]",   "[MPL'U]",   "[APL'U]",
    "[beth'U]",     "[anti'Xa'U]", "[todd'U]",  "[dye'U]",  "[smgy'U]",  "[bdsk'U]",  "[ka'U]",
    "[knk'U]",      "[tb'U]",      "[mclg'U]",  "[D'ag'U]", "[CCID_50]", "[TCID_50]", "[EID_50]",
    "[PFU]",        "[FFU]",       "[CFU]",     "[IR]",     "[BAU]",     "[AU]",      "[Amb'a'1'U]",
    "[PNU]",        "[Lf]",        "[FEU]",     "[ELU]",    "[EU]",      "[diop]",    "[tsp_us]",
    "[tbs_us]",     "[foz_us]",    "[cup_us]",  "[pt_us]",  "[qt_us]",   "[gal_us]",  "[MET]",
    "[Ch]",         "[gr]",        "[S]",       "[car_m]",  "[Btu]",     "[HP]",      "AU",
    "atm",          "[g]",         "[in_i'Hg]", "[ly]",     "[c]",       "[h]",       "[k]",
    "[m/s2/Hz^0.5]"};
constexpr std::string_view kPrefixes[] = {"Y", "Z", "E", "P", "T", "G", "M", "k", "h",  "da", "d",  "c",
                                          "m", "u", "n", "p", "f", "a", "z", "y", "Ki", "Mi", "Gi", "Ti"};

template <std::size_t N>
bool has(const std::string_view (&list)[N], std::string_view text) {
  return std::ranges::find(list, text) != std::end(list);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// UCUM §§4-14: a recursive-descent parser that writes the canonical spelling (L for l, [IU] for [iU], 10* for 10^)
// while it reads.
class Ucum {
 public:
  explicit Ucum(std::string_view text) : text_(text) {}

  bool parse() { return !text_.empty() && text_.size() <= kUnitBytesMax && term(0) && at_ == text_.size(); }
  std::string take() { return std::move(out_); }

 private:
  bool term(int depth) {
    if (depth > kDepthMax) return false;
    if (next() == '/') put();
    if (!component(depth)) return false;
    while (next() == '.' || next() == '/') {
      put();
      if (!component(depth)) return false;
    }
    return true;
  }

  bool component(int depth) {
    if (next() == '(') {
      put();
      if (!term(depth + 1) || next() != ')') return false;
      put();
      return true;
    }
    if (next() == '{') return annotation();
    if (is_digit(next()) && !text_.substr(at_).starts_with("10*") && !text_.substr(at_).starts_with("10^")) {
      while (is_digit(next())) put();
      return next() != '{' || annotation();
    }
    return unit() && (next() != '{' || annotation());
  }

  bool annotation() {
    put();
    while (at_ < text_.size() && text_[at_] != '}') {
      if (text_[at_] < '!' || text_[at_] > '~' || text_[at_] == '{') return false;
      put();
    }
    if (next() != '}') return false;
    put();
    return true;
  }

  bool unit() {
    const std::size_t end = symbol_end();
    const std::string_view symbol = text_.substr(at_, end - at_);
    if (!write_symbol(symbol)) return false;
    at_ = end;
    if (next() == '+' || next() == '-') {
      put();
      if (!is_digit(next())) return false;
    }
    while (is_digit(next())) put();
    return true;
  }

  // A symbol ends before an operator, an exponent or an annotation; brackets may hold any of them.
  [[nodiscard]] std::size_t symbol_end() const {
    if (text_.substr(at_).starts_with("10*") || text_.substr(at_).starts_with("10^")) return at_ + 3;
    std::size_t end = at_;
    bool bracket = false;
    for (; end < text_.size(); ++end) {
      const char c = text_[end];
      if (c == '[') bracket = true;
      if (c == ']') bracket = false;
      if (!bracket && (c == '.' || c == '/' || c == '(' || c == ')' || c == '{' || c == '+' || c == '-' || is_digit(c)))
        break;
    }
    return end;
  }

  bool write_symbol(std::string_view symbol) {
    if (write_atom("", symbol)) return true;
    for (const std::string_view prefix : kPrefixes) {
      if (symbol.starts_with(prefix) && has(kMetric, symbol.substr(prefix.size()))) {
        return write_atom(prefix, symbol.substr(prefix.size()));
      }
    }
    return false;
  }

  bool write_atom(std::string_view prefix, std::string_view atom) {
    if (!has(kMetric, atom) && (!prefix.empty() || !has(kPlain, atom))) return false;
    out_ += prefix;
    out_ += atom == "l" ? "L" : atom == "[iU]" ? "[IU]" : atom == "10^" ? "10*" : atom;
    return true;
  }

  [[nodiscard]] char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void put() { out_ += text_[at_++]; }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string out_;
};

struct Spelling {
  std::string_view sent, ucum;
};

// Valid UCUM that says something no laboratory means by it: kelvin, astronomical units, femtotonnes, coulombs, farads …
constexpr std::string_view kMisleading[] = {"K", "M",  "AU", "mAU", "kAU", "ft", "C",  "F",  "P", "R", "G",
                                            "H", "st", "B",  "b",   "T",   "S",  "A",  "u",  "N", "J", "V",
                                            "W", "PT", "pt", "cc",  "GT",  "MG", "NG", "PG", "UG"};

// Whole units as only some systems write them, most in capitals. Only these: MG alone is a megagauss.
constexpr Spelling kWhole[] = {
    {"MG/DL", "mg/dL"},     {"G/DL", "g/dL"},     {"GM/DL", "g/dL"},    {"NG/ML", "ng/mL"},
    {"PG/ML", "pg/mL"},     {"NG/DL", "ng/dL"},   {"UG/DL", "ug/dL"},   {"UG/ML", "ug/mL"},
    {"MCG/ML", "ug/mL"},    {"MCG/DL", "ug/dL"},  {"MG/L", "mg/L"},     {"UG/L", "ug/L"},
    {"MMOL/L", "mmol/L"},   {"UMOL/L", "umol/L"}, {"NMOL/L", "nmol/L"}, {"PMOL/L", "pmol/L"},
    {"MEQ/L", "meq/L"},     {"U/ML", "U/mL"},     {"IU/ML", "[IU]/mL"}, {"MIU/ML", "m[IU]/mL"},
    {"UIU/ML", "u[IU]/mL"}, {"ML/MIN", "mL/min"}, {"MM/HR", "mm/h"},    {"G/L", "g/L"},
    {"FL", "fL"},           {"MG/G", "mg/g"},     {"ML", "mL"},         {"mL/min/1.73", "mL/min/{1.73_m2}"},
    {"% of total Hgb", "%"}};

// Parts of a unit between `/`, in lower case. None of them is a UCUM unit of another meaning.
constexpr Spelling kParts[] = {{"iu", "[IU]"},
                               {"miu", "m[IU]"},
                               {"uiu", "u[IU]"},
                               {"kiu", "k[IU]"},
                               {"mcg", "ug"},
                               {"mcl", "uL"},
                               {"mcmol", "umol"},
                               {"mcu", "uU"},
                               {"gm", "g"},
                               {"gms", "g"},
                               {"gram", "g"},
                               {"grams", "g"},
                               {"liter", "L"},
                               {"litre", "L"},
                               {"sec", "s"},
                               {"secs", "s"},
                               {"second", "s"},
                               {"seconds", "s"},
                               {"hr", "h"},
                               {"hrs", "h"},
                               {"hour", "h"},
                               {"hours", "h"},
                               {"day", "d"},
                               {"days", "d"},
                               {"week", "wk"},
                               {"weeks", "wk"},
                               {"month", "mo"},
                               {"months", "mo"},
                               {"yr", "a"},
                               {"yrs", "a"},
                               {"year", "a"},
                               {"years", "a"},
                               {"minute", "min"},
                               {"minutes", "min"},
                               {"cells", "{cells}"},
                               {"cell", "{cell}"},
                               {"copies", "{copies}"},
                               {"beats", "{beats}"},
                               {"hpf", "[HPF]"},
                               {"lpf", "[LPF]"},
                               {"meq", "meq"},
                               {"mosm", "mosm"},
                               {"mosmol", "mosm"},
                               {"mmhg", "mm[Hg]"},
                               {"ratio", "{ratio}"},
                               {"index", "{index}"},
                               {"score", "{score}"},
                               {"percent", "%"},
                               {"ph", "[pH]"},
                               {"ph units", "[pH]"},
                               {"cfu", "[CFU]"},
                               {"24h", "(24.h)"},
                               {"24hr", "(24.h)"},
                               {"24hrs", "(24.h)"},
                               {"24 h", "(24.h)"},
                               {"24 hr", "(24.h)"},
                               {"24 hrs", "(24.h)"},
                               {"1.73m2", "{1.73_m2}"},
                               {"1.73 m2", "{1.73_m2}"},
                               {"1.73m^2", "{1.73_m2}"},
                               {"1.73_m2", "{1.73_m2}"},
                               {"creat", "{creat}"},
                               {"million", "10*6"},
                               {"thousand", "10*3"},
                               {"thous", "10*3"},
                               {"degc", "Cel"},
                               {"mill", "10*6"},
                               {"thou", "10*3"}};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return result;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

// "x10E3", "10**3", "10e3", "10^3", "10(3)" are 10*3, at the beginning of a unit.
std::string plain_power(std::string text) {
  if ((text.starts_with("x10") || text.starts_with("X10")) && text.size() > 3 && !is_digit(text[3])) text.erase(0, 1);
  for (const std::string_view sign : {"10**", "10E+", "10e+", "10E", "10e", "10^", "10 E", "10 e"}) {
    if (text.size() > sign.size() && text.starts_with(sign) && is_digit(text[sign.size()])) {
      return "10*" + text.substr(sign.size());
    }
  }
  const std::size_t close = text.starts_with("10(") ? text.find(')') : std::string::npos;
  if (close != std::string::npos && close > 3 && std::ranges::all_of(text.substr(3, close - 3), is_digit))
    return "10*" + text.substr(3, close - 3) + text.substr(close + 1);
  return text;
}

std::string canonical(std::string_view text) {
  Ucum ucum(text);
  return ucum.parse() ? ucum.take() : "";
}

// A part that is valid as it stands is left alone.
std::string plain_part(std::string_view part) {
  const std::string small = lower(trim(part));
  for (const Spelling& spelling : kParts) {
    if (spelling.sent == small) return std::string(spelling.ucum);
  }
  return std::string(trim(part));
}

// Takes a word off the end, whatever its capitals.
bool take_remark(std::string_view& text, std::string_view remark) {
  if (text.size() <= remark.size() || lower(text.substr(text.size() - remark.size())) != remark) return false;
  text = trim(text.substr(0, text.size() - remark.size()));
  return true;
}

std::string respelled(std::string_view sent) {
  for (const Spelling& spelling : kWhole) {
    if (spelling.sent == sent) return std::string(spelling.ucum);
  }
  if (take_remark(sent, "(calc)")) return respelled(sent);
  // What the amount is of is an annotation: "mg/g creat" is mg/g{creat}, "mcg/mL FEU" is ug{FEU}/mL.
  if (take_remark(sent, " creat") || take_remark(sent, " creatinine")) return canonical(respelled(sent) + "{creat}");
  if (take_remark(sent, " feu")) {
    std::string unit = respelled(sent);
    unit.insert(std::min(unit.find('/'), unit.size()), "{FEU}");
    return canonical(unit);
  }
  std::string text(sent);
  replace_all(text, "\u00b5", "u");
  replace_all(text, "\u03bc", "u");
  text = plain_power(std::move(text));
  std::string result;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('/', at), text.size());
    result += plain_part(std::string_view(text).substr(at, end - at));
    if (end < text.size()) result += '/';
    at = end + 1;
  }
  return canonical(result);
}

bool misleads(std::string_view text) {
  if (text.ends_with("/1.73")) return true;  // of a body's 1.73 square metres, not a number to divide by
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find_first_of("/.", at), text.size());
    if (has(kMisleading, text.substr(at, end - at))) return true;
    at = end + 1;
  }
  return false;
}

// The units that most results have, as UCUM spells them: no need to look closer.
constexpr std::string_view kCommon[] = {"mg/dL",    "mmol/L", "g/dL",    "U/L",    "%",     "ng/mL",   "ug/dL",
                                        "pg/mL",    "umol/L", "g/L",     "mg/L",   "ng/dL", "10*3/uL", "10*6/uL",
                                        "fL",       "pg",     "m[IU]/L", "nmol/L", "ug/mL", "pmol/L",  "[IU]/L",
                                        "u[IU]/mL", "mm/h",   "mg/g",    "ug/L",   "meq/L"};

struct Judged {
  Unit::Standing standing = Unit::Standing::unknown;
  std::string ucum;
};

Judged judge(std::string_view sent, bool declared_ucum) {
  sent = trim(sent);
  if (sent.empty() || sent.size() > kUnitBytesMax) return {};
  if (std::ranges::find(kCommon, sent) != std::end(kCommon)) return {Unit::Standing::ucum, std::string(sent)};
  std::string as_sent = canonical(sent);
  if (!as_sent.empty() && (declared_ucum || !misleads(sent))) {
    const bool same = as_sent == sent;
    return {same ? Unit::Standing::ucum : Unit::Standing::normalised, std::move(as_sent)};
  }
  std::string other = respelled(sent);
  if (other.empty() || (misleads(sent) && std::ranges::find(kWhole, sent, &Spelling::sent) == std::end(kWhole)))
    return {};
  return {Unit::Standing::normalised, std::move(other)};
}

// A lab that does not escape the ^ of 10^3/uL sends "10" and "3/uL" as two components.
void rejoin_power(Codes& sent) {
  if (sent.codings.empty()) return;
  Coding& first = sent.codings.front();
  const bool power = first.code == "10" || first.code == "x10" || first.code == "X10";
  if (!power || first.text.empty() || !is_digit(first.text[0])) return;
  first.code += "^" + first.text;
  first.text.clear();
}

Unit judged(Codes codes) {
  Unit unit;
  unit.sent = std::move(codes);
  if (unit.sent.empty()) return unit;
  unit.standing = Unit::Standing::unknown;
  for (const Coding& coding : unit.sent.codings) {
    Judged found = judge(coding.code.empty() ? coding.text : coding.code, lower(coding.system) == "ucum");
    if (found.standing == Unit::Standing::unknown) continue;
    unit.standing = found.standing;
    unit.ucum = std::move(found.ucum);
    break;
  }
  return unit;
}

}  // namespace

std::string_view Unit::text() const {
  for (const Coding& coding : sent.codings) {
    if (!coding.code.empty()) return coding.code;
  }
  return sent.display();
}

Unit read_unit(const hl7::Field& obx_6) {
  if (!obx_6.valued()) return {};
  Codes codes = read_codes(obx_6.repetition(1));
  rejoin_power(codes);
  return judged(std::move(codes));
}

Unit read_unit(std::string_view text) {
  Codes codes;
  if (!trim(text).empty())
    codes.codings.push_back({.code = std::string(trim(text)), .text = {}, .system = {}, .version = {}});
  return judged(std::move(codes));
}

bool is_ucum(std::string_view text) {
  return Ucum(text).parse();
}

}  // namespace resultsync::results
