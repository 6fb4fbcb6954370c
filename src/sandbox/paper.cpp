#include "sandbox/paper.hpp"

#include <fmt/format.h>
#include <hpdf.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

namespace resultsync::sandbox {
namespace {

// US Letter in points; y grows upward.
constexpr float kWidth = 612, kHeight = 792, kMargin = 46;
constexpr float kBottom = 74;  // the footer is below
constexpr float kInk = 0.13F, kSoft = 0.42F;

struct Colour {
  float red, green, blue;
};
constexpr Colour kBlack{kInk, kInk, kInk}, kGrey{kSoft, kSoft, kSoft}, kRed{0.72F, 0.07F, 0.10F},
    kBlue{0.08F, 0.32F, 0.62F}, kAmber{0.62F, 0.40F, 0.0F};

Colour colour_of(std::string_view hex) {
  const auto part = [&](std::size_t at) {
    return static_cast<float>(std::strtol(std::string(hex.substr(at, 2)).c_str(), nullptr, 16)) / 255.0F;
  };
  return {part(0), part(2), part(4)};
}

// The built-in fonts know Windows-1252; what is outside of it is a question mark.
std::string for_font(std::string_view utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x80) {
      out += utf8[i] == '\n' ? ' ' : utf8[i];
    } else if ((byte == 0xc2 || byte == 0xc3) && i + 1 < utf8.size()) {
      out += static_cast<char>(static_cast<unsigned char>((byte & 0x03) << 6 | (utf8[++i] & 0x3f)));
    } else {
      const bool dash = utf8.substr(i, 3) == "\u2013" || utf8.substr(i, 3) == "\u2014";
      out += dash ? '\x96' : '?';
      while (i + 1 < utf8.size() && (static_cast<unsigned char>(utf8[i + 1]) & 0xc0) == 0x80) ++i;
    }
  }
  return out;
}

std::string date_time(Timestamp time, int offset) {
  const CivilTime t = civil(time, offset);
  return fmt::format("{:02}/{:02}/{:04} {:02}:{:02}", t.month, t.day, t.year, t.hour, t.minute);
}

std::string us_date(std::string_view iso) {
  if (iso.size() != 10) return std::string(iso);
  return fmt::format("{}/{}/{}", iso.substr(5, 2), iso.substr(8, 2), iso.substr(0, 4));
}

// A unit as people print it: without UCUM's braces and brackets.
std::string printed_unit(std::string_view ucum) {
  std::string text(ucum);
  std::erase_if(text, [](char c) { return c == '[' || c == ']' || c == '{' || c == '}' || c == '_'; });
  if (text.starts_with("10*")) text = "x10^" + text.substr(3);
  if (text.starts_with("ug") || text.starts_with("umol") || text.starts_with("uIU")) text.replace(0, 1, "\u00b5");
  return text;
}

class Sheet {
 public:
  Sheet(const LabReport& report, std::string_view title, std::string_view status)
      : report_(report),
        test_(lab_tests()[report.test]),
        company_(lab_companies()[test_.company]),
        house_(colour_of(company_.colour)),
        document_(HPDF_New(nullptr, nullptr), HPDF_Free),
        title_(title),
        status_(status),
        is_report_(report.collected.microseconds != 0) {
    HPDF_SetCompressionMode(document_.get(), HPDF_COMP_ALL);
    HPDF_SetInfoAttr(document_.get(), HPDF_INFO_TITLE, for_font(test_.name).c_str());
    HPDF_SetInfoAttr(document_.get(), HPDF_INFO_AUTHOR, for_font(company_.name).c_str());
    plain_ = HPDF_GetFont(document_.get(), "Helvetica", "WinAnsiEncoding");
    bold_ = HPDF_GetFont(document_.get(), "Helvetica-Bold", "WinAnsiEncoding");
    italic_ = HPDF_GetFont(document_.get(), "Helvetica-Oblique", "WinAnsiEncoding");
    next_page();
    patient_block();
  }

  std::string finish() {
    for (std::size_t i = 0; i < pages_.size(); ++i) {
      page_ = pages_[i];
      footer(i + 1);
    }
    HPDF_SaveToStream(document_.get());
    std::string bytes(HPDF_GetStreamSize(document_.get()), '\0');
    auto size = static_cast<HPDF_UINT32>(bytes.size());
    HPDF_ReadFromStream(document_.get(), reinterpret_cast<HPDF_BYTE*>(bytes.data()), &size);
    bytes.resize(size);
    return bytes;
  }

  void results() {
    if (report_.stage == Stage::kCanceled) {
      heading(test_.name);
      paragraph("TEST CANCELED", bold_, 11, kRed);
    } else if (test_.kind == ResultKind::kMeasured) {
      table();
    } else if (test_.kind == ResultKind::kCulture) {
      culture();
    } else {
      heading(test_.name);
      for (const std::string& one : report_.paragraphs) narrative(one);
    }
    if (!report_.comment.empty()) {
      room_for(40);
      y_ -= 10;
      paragraph("Laboratory comment", bold_, 8.5F, kGrey);
      paragraph(report_.comment, plain_, 9, kBlack);
    }
    if (test_.kind == ResultKind::kMeasured && report_.stage != Stage::kCanceled) {
      room_for(24);
      y_ -= 6;
      paragraph("Flags: L below, H above the reference interval; LL and HH critical; A abnormal. C: corrected.",
                italic_, 7.5F, kGrey);
    }
  }

  void requisition() {
    heading("Tests ordered");
    field(kMargin, "CODE", test_.code);
    field(kMargin + 90, "TEST", test_.name);
    field(kMargin + 380, "SPECIMEN", test_.sample);
    y_ -= 40;
    heading("Collection");
    for (const char* line : {"[  ]  Two identifiers of the patient are on every tube and agree with this form.",
                             "[  ]  Date and time of collection are written on the label.",
                             "[  ]  The kit is returned on the day of collection, Monday to Wednesday."}) {
      paragraph(line, plain_, 9.5F, kBlack);
      y_ -= 3;
    }
    y_ -= 26;
    line(kMargin, y_, kMargin + 220, y_, kGrey, 0.6F);
    line(kMargin + 300, y_, kWidth - kMargin, y_, kGrey, 0.6F);
    text(kMargin, y_ - 10, "Collected by", plain_, 7.5F, kGrey);
    text(kMargin + 300, y_ - 10, "Date and time", plain_, 7.5F, kGrey);
    y_ -= 50;
    barcode(kMargin, y_ - 30);
  }

 private:
  // Page furniture.
  void next_page() {
    page_ = HPDF_AddPage(document_.get());
    HPDF_Page_SetSize(page_, HPDF_PAGE_SIZE_LETTER, HPDF_PAGE_PORTRAIT);
    pages_.push_back(page_);
    fill(0, kHeight - 6, kWidth, 6, house_);
    mark(kMargin + 15, kHeight - 43);
    text(kMargin + 40, kHeight - 42, company_.name, bold_, 15, house_);
    text(kMargin + 40, kHeight - 55, fmt::format("{}, {}   |   {}", company_.street, company_.city, company_.phone),
         plain_, 7.5F, kGrey);
    right(kWidth - kMargin, kHeight - 38, fmt::format("CLIA {}", company_.clia), plain_, 7.5F, kGrey);
    right(kWidth - kMargin, kHeight - 48, fmt::format("Director: {}", company_.director), plain_, 7.5F, kGrey);
    line(kMargin, kHeight - 66, kWidth - kMargin, kHeight - 66, house_, 0.8F);
    y_ = kHeight - 88;
    text(kMargin, y_, title_, bold_, 12, kBlack);
    pill(status_);
    y_ -= 14;
    if (pages_.size() == 1) return;
    text(kMargin, y_,
         fmt::format("{}, {}   |   Born {}   |   Accession {}", report_.patient.last_name, report_.patient.first_name,
                     us_date(report_.patient.birthday), report_.accession),
         plain_, 8.5F, kGrey);
    y_ -= 18;
  }

  // A round mark in the house colour, with a leaf cut out.
  void mark(float x, float y) {
    set_fill(house_);
    HPDF_Page_Circle(page_, x, y, 15);
    HPDF_Page_Fill(page_);
    HPDF_Page_SetRGBFill(page_, 1, 1, 1);
    HPDF_Page_MoveTo(page_, x - 7, y - 8);
    HPDF_Page_CurveTo(page_, x - 9, y + 4, x, y + 10, x + 9, y + 9);
    HPDF_Page_CurveTo(page_, x + 9, y - 1, x + 3, y - 9, x - 7, y - 8);
    HPDF_Page_Fill(page_);
    line(x - 9, y - 10, x + 4, y + 4, house_, 1.3F);
  }

  void pill(std::string_view label) {
    const Colour colour = label == "FINAL" || label == "ORDER" ? house_ : label == "PRELIMINARY" ? kAmber : kRed;
    const float width = width_of(label, bold_, 8.5F) + 16;
    set_fill(colour);
    HPDF_Page_Rectangle(page_, kWidth - kMargin - width, y_ - 4, width, 15);
    HPDF_Page_Fill(page_);
    text(kWidth - kMargin - width + 8, y_, label, bold_, 8.5F, {1, 1, 1});
  }

  void patient_block() {
    const float height = 92;
    fill(kMargin, y_ - height, kWidth - 2 * kMargin, height, {0.955F, 0.96F, 0.965F});
    fill(kMargin, y_ - height, 3, height, house_);
    const Person& who = report_.patient;
    const float left = kMargin + 14, middle = kMargin + 196, last = kMargin + 370;
    y_ -= 12;
    field(left, "PATIENT", fmt::format("{}, {}", who.last_name, who.first_name), bold_);
    field(middle, "ORDERED BY", fmt::format("{} {}", report_.practitioner_first, report_.practitioner_last));
    field(last, "ACCESSION", report_.accession);
    y_ -= 27;
    const std::string sex = who.gender == "female" ? "Female" : who.gender == "male" ? "Male" : "Not stated";
    field(left, "BORN / SEX", fmt::format("{}  /  {}", us_date(who.birthday), sex));
    field(middle, "CLINIC", report_.clinic_name);
    field(last, "ORDER", report_.order);
    y_ -= 27;
    const int offset = report_.utc_offset_minutes;
    field(left, "PATIENT ID", who.id);
    if (!is_report_) {
      field(middle, "ORDERED", date_time(report_.reported, offset));
    } else {
      field(middle, "COLLECTED / RECEIVED",
            date_time(report_.collected, offset) + "  /  " + date_time(report_.received, offset).substr(0, 5));
      field(last, "REPORTED", date_time(report_.reported, offset));
    }
    y_ -= 48;
  }

  void footer(std::size_t number) {
    line(kMargin, 56, kWidth - kMargin, 56, {0.8F, 0.8F, 0.8F}, 0.6F);
    text(kMargin, 44,
         "From the simulated network of resultsync. Every person and laboratory in it is invented: not for clinical "
         "use.",
         italic_, 7, kGrey);
    const std::string name =
        fmt::format("{}  |  {}, {}", report_.accession, report_.patient.last_name, report_.patient.first_name);
    text(kMargin, 33, is_report_ ? fmt::format("{}  |  version {}", name, report_.version) : name, plain_, 7.5F, kGrey);
    right(kWidth - kMargin, 33, fmt::format("Page {} of {}", number, pages_.size()), plain_, 7.5F, kGrey);
  }

  // What results are made of.
  static constexpr float kValueAt = kMargin + 236, kFlagAt = kMargin + 306, kRangeAt = kMargin + 336,
                         kUnitAt = kMargin + 430;

  void table_head() {
    fill(kMargin, y_ - 5, kWidth - 2 * kMargin, 16, house_);
    const Colour white{1, 1, 1};
    text(kMargin + 6, y_, "Test", bold_, 8.5F, white);
    right(kValueAt + 40, y_, "Result", bold_, 8.5F, white);
    text(kFlagAt - 8, y_, "Flag", bold_, 8.5F, white);
    text(kRangeAt, y_, "Reference", bold_, 8.5F, white);
    text(kUnitAt, y_, "Unit", bold_, 8.5F, white);
    y_ -= 19;
  }

  void table() {
    heading(test_.name);
    table_head();
    for (std::size_t i = 0; i < report_.measurements.size(); ++i) {
      const Analyte& analyte = test_.analytes[i];
      const Measurement& one = report_.measurements[i];
      const float height = 16 + (one.before ? 11.0F : 0.0F) + (one.note.empty() ? 0.0F : 11.0F);
      if (y_ - height < kBottom) {
        next_page();
        heading(fmt::format("{} (continued)", test_.name));
        table_head();
      }
      if (i % 2 == 1) fill(kMargin, y_ - height + 11, kWidth - 2 * kMargin, height, {0.965F, 0.968F, 0.972F});
      const std::string_view flag = flag_of(analyte, one);
      const bool out = !flag.empty();
      const Colour colour = flag == "L" ? kBlue : out ? kRed : kBlack;
      if (one.before) fill(kMargin, y_ - height + 11, 2.5F, height, kRed);
      text(kMargin + 6, y_, analyte.name, plain_, 9.5F, kBlack);
      right(kValueAt + 40, y_, value_text(analyte, one),
            one.pending         ? italic_
            : out || one.before ? bold_
                                : plain_,
            9.5F, one.pending ? kGrey : colour);
      const std::string marks = std::string(flag) + (one.before ? (out ? " C" : "C") : "");
      if (flag == "HH" || flag == "LL") {
        fill(kFlagAt - 10, y_ - 3, 24, 12, kRed);
        text(kFlagAt - 5, y_, marks, bold_, 8.5F, {1, 1, 1});
      } else {
        text(kFlagAt - 4, y_, marks, bold_, 9, colour);
      }
      text(kRangeAt, y_, range_text(analyte), plain_, 9, kBlack);
      text(kUnitAt, y_, printed_unit(analyte.unit), plain_, 8.5F, kGrey);
      y_ -= 16;
      if (one.before) {
        text(kMargin + 16, y_ + 3,
             fmt::format("Corrected. Previously reported as {}.", value_text(analyte, *one.before)), bold_, 8, kRed);
        y_ -= 11;
      }
      if (!one.note.empty()) {
        text(kMargin + 16, y_ + 3, one.note, italic_, 8, kGrey);
        y_ -= 11;
      }
    }
    line(kMargin, y_ + 9, kWidth - kMargin, y_ + 9, house_, 0.6F);
  }

  void culture() {
    heading(test_.name);
    if (report_.isolates.empty()) paragraph("No growth.", bold_, 11, kBlack);
    for (std::size_t i = 0; i < report_.isolates.size(); ++i) {
      const Isolate& isolate = report_.isolates[i];
      room_for(60 + 15 * static_cast<float>(isolate.susceptibilities.size()));
      text(kMargin, y_, fmt::format("Isolate {}:", i + 1), bold_, 10.5F, kBlack);
      text(kMargin + 58, y_, isolate.organism, italic_, 10.5F, kBlack);
      right(kWidth - kMargin, y_, isolate.quantity, plain_, 9.5F, kBlack);
      y_ -= 20;
      if (isolate.susceptibilities.empty()) {
        paragraph("Susceptibility testing in progress.", italic_, 9, kGrey);
        continue;
      }
      fill(kMargin, y_ - 5, kWidth - 2 * kMargin, 16, house_);
      text(kMargin + 6, y_, "Antibiotic", bold_, 8.5F, {1, 1, 1});
      text(kMargin + 260, y_, "MIC (\u00b5g/mL)", bold_, 8.5F, {1, 1, 1});
      text(kMargin + 370, y_, "Interpretation", bold_, 8.5F, {1, 1, 1});
      y_ -= 19;
      for (const Susceptibility& one : isolate.susceptibilities) {
        const bool resistant = one.interpretation == 'R';
        text(kMargin + 6, y_, antibiotics()[one.antibiotic].name, plain_, 9.5F, kBlack);
        text(kMargin + 260, y_, one.mic, plain_, 9.5F, kBlack);
        text(kMargin + 370, y_, resistant ? "R  Resistant" : "S  Susceptible", resistant ? bold_ : plain_, 9.5F,
             resistant ? kRed : kBlack);
        y_ -= 15;
      }
      y_ -= 12;
    }
  }

  // "GROSS DESCRIPTION: Received in …": the words before the colon are a heading.
  void narrative(std::string_view whole) {
    const std::size_t colon = whole.find(": ");
    const bool headed = colon != std::string_view::npos && colon < 28 &&
                        whole.substr(0, colon).find_first_of("abcdefghijklmnopqrstuvwxyz.") == std::string_view::npos;
    room_for(50);
    if (headed) {
      paragraph(whole.substr(0, colon), bold_, 8.5F, house_);
      whole.remove_prefix(colon + 2);
    }
    paragraph(whole, plain_, 10, kBlack);
    y_ -= 9;
  }

  void heading(std::string_view words) {
    room_for(60);
    text(kMargin, y_, words, bold_, 11.5F, kBlack);
    y_ -= 21;
  }

  void field(float x, std::string_view label, std::string_view value, HPDF_Font font = nullptr) {
    text(x, y_, label, plain_, 6.5F, kGrey);
    text(x, y_ - 12, value, font ? font : plain_, 9.5F, kBlack);
  }

  // Words of a paragraph, broken where the line is full.
  void paragraph(std::string_view words, HPDF_Font font, float size, Colour colour) {
    std::string current;
    const float room = kWidth - 2 * kMargin - 8;
    const auto flush = [&] {
      room_for(size + 6);
      text(kMargin, y_, current, font, size, colour);
      y_ -= size + 4;
      current.clear();
    };
    while (!words.empty()) {
      const std::size_t space = words.find(' ');
      const std::string_view word = words.substr(0, space);
      words = space == std::string_view::npos ? std::string_view{} : words.substr(space + 1);
      const std::string longer = current.empty() ? std::string(word) : current + " " + std::string(word);
      if (!current.empty() && width_of(longer, font, size) > room) {
        flush();
        current = word;
      } else {
        current = longer;
      }
    }
    if (!current.empty()) flush();
  }

  // Not one that a machine can read: its place on the form.
  void barcode(float x, float y) {
    set_fill(kBlack);
    for (const char c : report_.accession + report_.ordered_test) {
      for (int bit = 0; bit < 4; ++bit) {
        const float width = ((c >> bit) & 1) != 0 ? 1.6F : 0.7F;
        HPDF_Page_Rectangle(page_, x, y, width, 30);
        HPDF_Page_Fill(page_);
        x += width + 1.3F;
      }
    }
    text(kMargin, y - 11, report_.accession, plain_, 8.5F, kBlack);
  }

  void room_for(float height) {
    if (y_ - height < kBottom) next_page();
  }

  // Strokes of the pen.
  void set_fill(Colour colour) { HPDF_Page_SetRGBFill(page_, colour.red, colour.green, colour.blue); }
  void fill(float x, float y, float width, float height, Colour colour) {
    set_fill(colour);
    HPDF_Page_Rectangle(page_, x, y, width, height);
    HPDF_Page_Fill(page_);
  }
  void line(float x1, float y1, float x2, float y2, Colour colour, float width) {
    HPDF_Page_SetRGBStroke(page_, colour.red, colour.green, colour.blue);
    HPDF_Page_SetLineWidth(page_, width);
    HPDF_Page_MoveTo(page_, x1, y1);
    HPDF_Page_LineTo(page_, x2, y2);
    HPDF_Page_Stroke(page_);
  }
  void text(float x, float y, std::string_view words, HPDF_Font font, float size, Colour colour) {
    set_fill(colour);
    HPDF_Page_BeginText(page_);
    HPDF_Page_SetFontAndSize(page_, font, size);
    HPDF_Page_TextOut(page_, x, y, for_font(words).c_str());
    HPDF_Page_EndText(page_);
  }
  void right(float x, float y, std::string_view words, HPDF_Font font, float size, Colour colour) {
    text(x - width_of(words, font, size), y, words, font, size, colour);
  }
  float width_of(std::string_view words, HPDF_Font font, float size) {
    HPDF_Page_SetFontAndSize(page_, font, size);
    return HPDF_Page_TextWidth(page_, for_font(words).c_str());
  }

  const LabReport& report_;
  const LabTest& test_;
  const LabCompany& company_;
  const Colour house_;
  std::unique_ptr<std::remove_pointer_t<HPDF_Doc>, decltype(&HPDF_Free)> document_;
  std::string title_, status_;
  const bool is_report_;  // else a requisition, from before anything was collected
  HPDF_Font plain_ = nullptr, bold_ = nullptr, italic_ = nullptr;
  std::vector<HPDF_Page> pages_;
  HPDF_Page page_ = nullptr;
  float y_ = 0;
};

std::string upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

}  // namespace

std::string draw_report(const LabReport& report) {
  Sheet sheet(report, "Laboratory report", upper(stage_name(report.stage)));
  sheet.results();
  return sheet.finish();
}

std::string draw_requisition(const LabReport& report) {
  Sheet sheet(report, "Laboratory requisition", "ORDER");
  sheet.requisition();
  return sheet.finish();
}

}  // namespace resultsync::sandbox
