#include "sandbox/dialects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/encoding.hpp"
#include "sandbox/numbers.hpp"

namespace resultsync::sandbox {
namespace {

// HL7 v2.5.1 §2.7.1, and a line break as the formatting command of FT.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '|':
        out += "\\F\\";
        break;
      case '^':
        out += "\\S\\";
        break;
      case '&':
        out += "\\T\\";
        break;
      case '~':
        out += "\\R\\";
        break;
      case '\\':
        out += "\\E\\";
        break;
      case '\n':
        out += "\\.br\\";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// All that this house writes for the laboratory is within ISO 8859-1.
std::string as_latin1(std::string_view utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x80) {
      out += utf8[i];
    } else if ((byte == 0xc2 || byte == 0xc3) && i + 1 < utf8.size()) {
      out += static_cast<char>(static_cast<unsigned char>((byte & 0x03) << 6 | (utf8[++i] & 0x3f)));
    } else {
      out += '?';
      while (i + 1 < utf8.size() && (static_cast<unsigned char>(utf8[i + 1]) & 0xc0) == 0x80) ++i;
    }
  }
  return out;
}

std::string capitals(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

std::string digits_of(std::string_view date) {
  std::string out;
  std::ranges::copy_if(date, std::back_inserter(out), [](char c) { return c >= '0' && c <= '9'; });
  return out;
}

// One message on its way: segments are appended, counters kept.
class Writer {
 public:
  Writer(const LabReport& report, std::string_view pdf)
      : report_(report),
        test_(lab_tests()[report.test]),
        company_(lab_companies()[test_.company]),
        dialect_(company_.dialect),
        pdf_(pdf) {}

  std::string write() {
    header();
    patient();
    if (test_.kind == ResultKind::kCulture && report_.stage != Stage::kCanceled) {
      culture();
    } else {
      order(test_.code, test_.name, stage_letter(report_.stage));
      comment();
      if (report_.stage == Stage::kCanceled) {
        canceled();
      } else if (test_.kind == ResultKind::kMeasured) {
        for (std::size_t i = 0; i < report_.measurements.size(); ++i) measurement(i);
      } else {
        narrative();
      }
      if (embeds_pdf(report_)) document();
      specimen();
    }
    return dialect_ == Dialect::kLatin1 ? as_latin1(text_) : std::move(text_);
  }

 private:
  template <class... Args>
  void segment(fmt::format_string<Args...> format, Args&&... args) {
    text_ += fmt::format(format, std::forward<Args>(args)...);
    text_ += '\r';
  }

  [[nodiscard]] bool old() const { return dialect_ == Dialect::kOld; }

  [[nodiscard]] std::string time(Timestamp at) const {
    const CivilTime t = civil(at, report_.utc_offset_minutes);
    if (old()) return fmt::format("{:04}{:02}{:02}{:02}{:02}", t.year, t.month, t.day, t.hour, t.minute);
    const int distance = std::abs(report_.utc_offset_minutes);
    return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}{}{:02}{:02}", t.year, t.month, t.day, t.hour, t.minute, t.second,
                       report_.utc_offset_minutes < 0 ? '-' : '+', distance / 60, distance % 60);
  }

  void header() {
    const std::string control = fmt::format("{}-{}", report_.accession, report_.version);
    const std::string facility = escaped(company_.name) + "^" + std::string(company_.clia) + "^CLIA";
    switch (dialect_) {
      case Dialect::kOld:
        return segment("MSH|^~\\&|OMLIS|{}|RUPA|NETWORK|{}||ORU^R01|{}|P|2.3", capitals(company_.short_name),
                       time(report_.reported), control);
      case Dialect::kLatin1:
        return segment("MSH|^~\\&|ERABLE-SIL|{}|RUPA|NETWORK|{}||ORU^R01|{}|P|2.4||||||8859/1", facility,
                       time(report_.reported), control);
      case Dialect::kModern:
      case Dialect::kEmbedding:
        return segment(
            "MSH|^~\\&|LIS^2.16.840.1.113883.3.9999.{}^ISO|{}|RUPA|NETWORK|{}||ORU^R01^ORU_R01|{}|P|2.5.1|||NE|NE||"
            "UNICODE UTF-8",
            test_.company + 1, facility, time(report_.reported), control);
    }
  }

  void patient() {
    const Person& who = report_.patient;
    const char sex = who.gender == "female" ? 'F' : who.gender == "male" ? 'M' : 'U';
    if (old()) {
      return segment("PID|1|{}|||{}^{}||{}|{}", who.id, capitals(escaped(who.last_name)),
                     capitals(escaped(who.first_name)), digits_of(who.birthday), sex);
    }
    segment("PID|1||{}^^^RUPA^PI||{}^{}^^^^^L||{}|{}|||{}^{}^{}^{}^{}^USA||{}", who.id, escaped(who.last_name),
            escaped(who.first_name), digits_of(who.birthday), sex, escaped(who.address.street_1),
            escaped(who.address.street_2), escaped(who.address.city), who.address.state, who.address.zip, who.phone);
  }

  [[nodiscard]] std::string provider() const {
    return fmt::format("{}^{}^{}", report_.practitioner_npi, escaped(report_.practitioner_last),
                       escaped(report_.practitioner_first)) +
           (old() ? "" : "^^^^^^NPI");
  }

  // ORC and OBR of a group. `parent`: OBR-26 and OBR-29 of a child order.
  void order(std::string_view code, std::string_view name, char status, std::string_view suffix = {},
             std::string_view parent_result = {}, std::string_view parent_order = {}) {
    ++groups_;
    observations_ = 0;
    const std::string filler =
        fmt::format("{}{}{}", report_.accession, suffix, old() ? "" : "^" + std::string(company_.short_name));
    const std::string service = fmt::format("{}^{}^L", code, old() ? capitals(escaped(name)) : escaped(name));
    const std::string received = time(report_.received);
    if (suffix.empty()) {
      segment("ORC|RE|{}|{}|{}|CM||||{}|||{}", report_.order, filler, report_.ordered_test, time(report_.received),
              provider());
    }
    segment("OBR|{}|{}|{}|{}|||{}|||||||{}|{}|{}||||||{}||LAB|{}|{}|||{}", groups_, report_.order, filler, service,
            time(report_.collected), received, old() ? escaped(test_.sample) : "", provider(), time(report_.reported),
            status, parent_result, parent_order);
  }

  void comment() {
    if (!report_.comment.empty()) segment("NTE|1|L|{}", escaped(report_.comment));
    if (report_.fasting) segment("NTE|{}|L|Fasting: yes", report_.comment.empty() ? 1 : 2);
  }

  // OBX-3: whose code comes first.
  [[nodiscard]] std::string coded(const Analyte& analyte) const {
    const std::string name = escaped(analyte.name);
    switch (dialect_) {
      case Dialect::kOld:
        return fmt::format("{}^{}^L", analyte.local.empty() ? analyte.loinc : analyte.local, capitals(name));
      case Dialect::kLatin1:
        return fmt::format("{}^{}^L^{}^{}^LN", analyte.local, name, analyte.loinc, name);
      default:
        if (analyte.loinc.empty()) return fmt::format("{}^{}^99TPD", analyte.local, name);
        if (analyte.local.empty()) return fmt::format("{}^{}^LN", analyte.loinc, name);
        return fmt::format("{}^{}^LN^{}^{}^L", analyte.loinc, name, analyte.local, name);
    }
  }

  [[nodiscard]] std::string unit(const Analyte& analyte) const {
    if (analyte.unit.empty()) return {};
    if (old()) {
      std::string plain = capitals(analyte.unit);
      std::erase_if(plain, [](char c) { return c == '[' || c == ']' || c == '{' || c == '}'; });
      return escaped(plain);
    }
    if (dialect_ == Dialect::kLatin1) {
      std::string micro(analyte.unit);
      if (micro.starts_with("ug")) micro.replace(0, 1, "\u00b5");
      return fmt::format("{}^{}^L", micro, micro);
    }
    return fmt::format("{}^^UCUM", escaped(analyte.unit));
  }

  void measurement(std::size_t index) {
    const Analyte& analyte = test_.analytes[index];
    const Measurement& one = report_.measurements[index];
    const bool words = analyte.range == RangeForm::kWords;
    const bool structured = one.below_limit && !old();
    const char status = one.pending ? 'I' : one.before ? 'C' : report_.stage == Stage::kPreliminary ? 'P' : 'F';
    const std::string value = one.pending  ? ""
                              : structured ? "<^" + value_text(analyte, one.value)
                                           : escaped(value_text(analyte, one));
    std::string flag(flag_of(analyte, one));
    if (flag.empty() && !one.pending && dialect_ != Dialect::kLatin1)
      flag = "N";  // some say what is normal, some do not
    if (old() && flag == "N") flag.clear();
    segment("OBX|{}|{}|{}||{}|{}|{}|{}|||{}|||{}{}", ++observations_,
            one.pending || words || (old() && one.below_limit) ? "ST"
            : structured                                       ? "SN"
                                                               : "NM",
            coded(analyte), value, unit(analyte), escaped(range_text(analyte)), flag, status, time(report_.reported),
            performer());
    notes(analyte, one);
  }

  // OBX-15 to OBX-25: when it was analyzed, and by whom (2.5.1); 2.3 and 2.4 end before.
  [[nodiscard]] std::string performer() const {
    if (old() || dialect_ == Dialect::kLatin1) return {};
    return "|||||" + time(report_.reported) + "||||" + escaped(company_.name) + "^L^^^^CLIA^XX^^^" +
           std::string(company_.clia) + "|" + escaped(company_.street) + "|^" + escaped(company_.director);
  }

  void notes(const Analyte& analyte, const Measurement& one) {
    int number = 0;
    if (one.before) {
      segment("NTE|{}|L|{}", ++number,
              escaped(fmt::format("Previously reported as {}.", value_text(analyte, *one.before))));
    }
    if (!one.note.empty()) segment("NTE|{}|L|{}", ++number, escaped(one.note));
  }

  void canceled() {
    if (test_.kind != ResultKind::kMeasured) {
      segment("OBX|{}|ST|{}^{}^L||||||||X|||{}", ++observations_, test_.code, escaped(test_.name),
              time(report_.reported));
      return;
    }
    for (const Analyte& analyte : test_.analytes) {
      segment("OBX|{}|ST|{}||||||||X|||{}", ++observations_, coded(analyte), time(report_.reported));
    }
  }

  void narrative() {
    const char status = stage_letter(report_.stage);
    std::string whole = fmt::format("{}\n{}\n", test_.name, company_.name);
    for (const std::string& paragraph : report_.paragraphs) whole += "\n" + paragraph + "\n";
    segment("OBX|{}|FT|11526-1^Pathology study^LN^{}^{}^L||{}||||||{}|||{}", ++observations_, test_.code,
            escaped(test_.name), escaped(whole), status, time(report_.reported));
    // And once more line by line, for readers of old.
    for (std::size_t i = 0; i < report_.paragraphs.size(); ++i) {
      segment("OBX|{}|TX|{}-L^Report line^L|{}|{}||||||{}|||{}", ++observations_, test_.code, i + 1,
              escaped(report_.paragraphs[i]), status, time(report_.reported));
    }
  }

  // HL7 v2.5.1 §7.3.1.26: the child order names the observation of its parent (OBX-3, OBX-4) and the parent order.
  void culture() {
    const char status = stage_letter(report_.stage);
    const std::string_view loinc = test_.sample == "Urine" ? "630-4" : "625-4";
    const std::string name = fmt::format("Bacteria identified in {} by Culture", test_.sample);
    order(test_.code, test_.name, status);
    comment();
    if (report_.isolates.empty()) {
      segment("OBX|{}|ST|{}^{}^LN|1|No growth||||||{}|||{}", ++observations_, loinc, name, status,
              time(report_.reported));
    }
    for (std::size_t i = 0; i < report_.isolates.size(); ++i) {
      const Isolate& isolate = report_.isolates[i];
      segment("OBX|{}|ST|{}^{}^LN|{}|{}|||A|||{}|||{}", ++observations_, loinc, name, i + 1, escaped(isolate.organism),
              status, time(report_.reported));
      segment("OBX|{}|ST|ML-QTY^Quantity^L|{}|{}||||||{}|||{}", ++observations_, i + 1, escaped(isolate.quantity),
              status, time(report_.reported));
    }
    specimen();
    for (std::size_t i = 0; i < report_.isolates.size(); ++i) {
      const Isolate& isolate = report_.isolates[i];
      if (isolate.susceptibilities.empty()) continue;
      const std::string parent = fmt::format("{}&{}&LN^{}^{}", loinc, name, i + 1, escaped(isolate.organism));
      order("ML-SUS", "Susceptibility panel", status, fmt::format("-{}", i + 1), parent,
            fmt::format("{}^{}&{}", report_.order, report_.accession, company_.short_name));
      for (const Susceptibility& one : isolate.susceptibilities) {
        const Antibiotic& antibiotic = antibiotics()[one.antibiotic];
        const std::size_t sign = one.mic.find_first_of("0123456789");
        segment("OBX|{}|SN|{}^{}^LN||{}^{}|ug/mL^^UCUM||{}|||{}|||{}", ++observations_, antibiotic.loinc,
                escaped(antibiotic.name), one.mic.substr(0, sign), one.mic.substr(sign), one.interpretation, status,
                time(report_.reported));
      }
    }
  }

  void document() {
    segment("OBX|{}|ED|PDF^{}^L||{}^application^pdf^Base64^{}||||||{}|||{}", ++observations_, "Laboratory report",
            company_.short_name, encode_base64(pdf_), stage_letter(report_.stage), time(report_.reported));
  }

  void specimen() {
    if (dialect_ != Dialect::kModern && dialect_ != Dialect::kEmbedding) return;
    segment("SPM|1|^{}||{}^{}^L|||||||||||||{}|{}", report_.accession, capitals(test_.sample.substr(0, 3)),
            test_.sample, time(report_.collected), time(report_.received));
  }

  const LabReport& report_;
  const LabTest& test_;
  const LabCompany& company_;
  const Dialect dialect_;
  std::string_view pdf_;
  std::string text_;
  int groups_ = 0;
  int observations_ = 0;
};

}  // namespace

std::string write_hl7(const LabReport& report, std::string_view pdf) {
  return Writer(report, pdf).write();
}

bool embeds_pdf(const LabReport& report) {
  return lab_companies()[lab_tests()[report.test].company].dialect == Dialect::kEmbedding &&
         report.stage != Stage::kCanceled;
}

}  // namespace resultsync::sandbox
