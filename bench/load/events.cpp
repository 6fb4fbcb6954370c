#include "bench/load/events.hpp"

#include <cstring>

#include <fmt/format.h>

#include "base/json_writer.hpp"

namespace resultsync::bench {
namespace {

constexpr std::size_t kShaBlockBytes = 64;
constexpr unsigned kTemplatesMin = 96;  // so that the bodies differ in length and values even for one clinic
// Stand in a template where a stamp is to come; no other part of a body holds these characters.
constexpr std::string_view kNumberMark = "##########";
constexpr std::string_view kTimeMark = "##:##:##.######";

void write_digits(char* out, int width, std::uint64_t value) {
  for (int i = width - 1; i >= 0; --i, value /= 10) out[i] = static_cast<char>('0' + value % 10);
}

// "13:28:50.776301": the time of day `micros` after midnight.
void write_time_of_day(char* out, std::uint64_t micros) {
  const std::uint64_t seconds = micros / 1'000'000 % 86'400;
  write_digits(out, 2, seconds / 3600);
  write_digits(out + 3, 2, seconds / 60 % 60);
  write_digits(out + 6, 2, seconds % 60);
  write_digits(out + 9, 6, micros % 1'000'000);
}

// A chemistry panel as a laboratory sends it; `variant` gives it its values, so that not every report is the same.
std::string hl7_report(unsigned variant) {
  struct Analyte {
    const char* code;
    const char* name;
    const char* unit;
    double low, high;
  };
  static constexpr std::array<Analyte, 16> kPanel{{{"2345-7", "Glucose", "mg/dL", 65, 99},
                                                   {"3094-0", "Urea nitrogen", "mg/dL", 7, 25},
                                                   {"2160-0", "Creatinine", "mg/dL", 0.6, 1.3},
                                                   {"2951-2", "Sodium", "mmol/L", 135, 146},
                                                   {"2823-3", "Potassium", "mmol/L", 3.5, 5.3},
                                                   {"17861-6", "Calcium", "mg/dL", 8.6, 10.3},
                                                   {"1742-6", "ALT", "U/L", 9, 46},
                                                   {"1920-8", "AST", "U/L", 10, 35},
                                                   {"6768-6", "Alkaline phosphatase", "U/L", 36, 130},
                                                   {"1975-2", "Bilirubin total", "mg/dL", 0.2, 1.2},
                                                   {"1751-7", "Albumin", "g/dL", 3.6, 5.1},
                                                   {"2885-2", "Protein total", "g/dL", 6.1, 8.1},
                                                   {"2075-0", "Chloride", "mmol/L", 98, 110},
                                                   {"2028-9", "Carbon dioxide", "mmol/L", 20, 32},
                                                   {"718-7", "Hemoglobin", "g/dL", 13.2, 17.1},
                                                   {"3016-3", "TSH", "mIU/L", 0.4, 4.5}}};
  std::string text =
      "MSH|^~\\&|LIS|EXAMPLE LAB|NETWORK|EXAMPLE|20260101080000-0800||ORU^R01|MSG1|P|2.5.1\r"
      "PID|1||PT1||EXAMPLE^PATIENT||19800101|F\r"
      "OBR|1|ORD1|ACC1|24323-8^Comprehensive metabolic "
      "panel^LN|||20251231090000-0800|||||||||||||||20260101080000-0800||CH|F\r";
  const std::size_t analytes = 10 + variant % (kPanel.size() - 9);
  for (std::size_t i = 0; i < analytes; ++i) {
    const Analyte& analyte = kPanel[i];
    const double place = static_cast<double>((variant * 7 + i * 13) % 100) / 80.0;  // some lie above their range
    text += fmt::format("OBX|{}|NM|{}^{}^LN||{:.1f}|{}|{:.1f}-{:.1f}|{}|||F\r", i + 1, analyte.code, analyte.name,
                        analyte.low + place * (analyte.high - analyte.low), analyte.unit, analyte.low, analyte.high,
                        place > 1 ? "H" : "N");
  }
  return text;
}

// The event, with marks for its stamps. `id` is the tag followed by the mark of the number.
std::string event_body(unsigned index, unsigned clinic, const std::string& id) {
  const std::string clinic_id = fmt::format("cli_bench{:05}", clinic);
  const std::string practitioner_id = fmt::format("pra_bench{:05}", clinic);
  const std::string reference = fmt::format(R"({{"data": {{"id": "{}", "type": "practitioner"}}}})", practitioner_id);
  return fmt::format(
      R"({{"type": "order.new_result", "data": {{"included": [)"
      R"({{"attributes": {{"address": {{"city": "Example City", "state": "AR", "street_1": "{} Example Street", "street_2": null, )"
      R"("zip": "00000"}}, "first_name": "Example", "last_name": "Practitioner", "ordering_authorization_status": )"
      R"({{"physician_authorization_approved": false}}, "phone": "+12025550100", "primary_practitioner_type": )"
      R"({{"name": "00000000-0000-4000-8000-000000000000"}}, "titled_full_name": "Example Practitioner", )"
      R"("verification_status": {{"email": true}}}}, "id": "{}", "relationships": {{"clinic": {{"data": {{"id": "{}", )"
      R"("type": "clinic"}}}}}}, "type": "practitioner"}}, )"
      R"({{"type": "ordered_test", "relationships": {{"lab_test": {{"data": {{"id": "labts_bench{:03}", "type": "lab_test"}}}}}}, )"
      R"("attributes": {{"date_results_received_from_lab": "2026-01-01T08:00:00-08:00", "requisition": null, "results_pdf": null, )"
      R"("results_hl7": {}}}, "id": "ordts_{}"}}], )"
      R"("object": {{"attributes": {{"date_canceled": null, "date_completed": null, "date_paid": null, )"
      R"("date_submitted": "2025-12-30T13:28:50.776301-08:00", "notes_to_patient": null, "payer": "patient", )"
      R"("status": "In Progress", "total_price": 0}}, "id": "ord_{}", "relationships": {{"line_items": {{"data": [], )"
      R"("meta": {{"count": 0}}}}, "ordered_tests": {{"data": [{{"id": "ordts_{}", "type": "ordered_test"}}], )"
      R"("meta": {{"count": 1}}}}, "patient": {{"data": {{"id": "pat_{}", "type": "patient"}}}}, )"
      R"("patients_practitioner": {}, "signing_practitioner": {}, "order_intent": {{"data": {{"id": "ordin_{}", )"
      R"("type": "order_intent"}}}}}}, "type": "order"}}}}, "created_at": "2026-01-01T{}-08:00", "id": "evt_{}"}})",
      100 + index, practitioner_id, clinic_id, index % 40, json_string(hl7_report(index) + "NTE|1|L|Accession " + id),
      id, id, id, id, reference, reference, id, kTimeMark, id);
}

std::string request_head(const EventSource& source, std::size_t body_bytes) {
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: resultsync-loadgen\r\nContent-Type: "
      "application/json\r\nContent-Length: {}\r\n"
      "{}: t={},v1={}\r\n\r\n",
      source.target, source.host, body_bytes, source.header, std::string(10, '0'), std::string(64, '0'));
}

}  // namespace

EventFactory::EventFactory(EventSource source)
    : source_(std::move(source)),
      inner_key_(EVP_MD_CTX_new()),
      outer_key_(EVP_MD_CTX_new()),
      scratch_(EVP_MD_CTX_new()) {
  std::array<unsigned char, kShaBlockBytes> key{};
  if (source_.secret.size() <= key.size()) {
    std::memcpy(key.data(), source_.secret.data(), source_.secret.size());
  } else {
    EVP_Digest(source_.secret.data(), source_.secret.size(), key.data(), nullptr, EVP_sha256(), nullptr);
  }
  const auto take_in = [&key](EVP_MD_CTX* context, unsigned char pad) {
    std::array<unsigned char, kShaBlockBytes> block{};
    for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<unsigned char>(key[i] ^ pad);
    EVP_DigestInit_ex(context, EVP_sha256(), nullptr);
    EVP_DigestUpdate(context, block.data(), block.size());
  };
  take_in(inner_key_.get(), 0x36);
  take_in(outer_key_.get(), 0x5c);

  unsigned count = source_.clinics;
  while (count < kTemplatesMin) count += source_.clinics;
  templates_.reserve(count);
  for (unsigned index = 0; index < count; ++index) templates_.push_back(make_template(index));
}

void EventFactory::write_request(std::uint64_t number, Signature signature, std::int64_t unix_seconds,
                                 std::string& request) {
  Template& layout = templates_[number % templates_.size()];
  request.assign(layout.request);
  for (const Stamp& stamp : layout.stamps) {
    if (stamp.what == Stamp::What::kNumber) {
      write_digits(request.data() + stamp.offset, static_cast<int>(kNumberMark.size()), number);
    } else {
      write_time_of_day(request.data() + stamp.offset, number);
    }
  }
  write_digits(request.data() + layout.time_offset, 10, static_cast<std::uint64_t>(unix_seconds));
  sign(layout, signature, unix_seconds, request);
}

std::string EventFactory::event_id(std::uint64_t number) const {
  return fmt::format("evt_{}{:010}", source_.tag, number);
}

EventFactory::Template EventFactory::make_template(unsigned index) const {
  const std::string body = event_body(index, index % source_.clinics, source_.tag + std::string(kNumberMark));
  const std::string head = request_head(source_, body.size());
  Template layout;
  layout.request = head + body;
  layout.time_offset = head.find(": t=0000000000,v1=") + 4;
  layout.mac_offset = layout.time_offset + 14;
  layout.body_offset = head.size();
  for (std::size_t at = head.size(); (at = layout.request.find("##", at)) != std::string::npos;) {
    const bool is_time = layout.request.compare(at, kTimeMark.size(), kTimeMark) == 0;
    if (is_time) {
      layout.request.replace(at, kTimeMark.size(), "00:00:00.000000");
      layout.stamps.push_back({Stamp::What::kTimeOfDay, at});
    } else {
      layout.stamps.push_back({Stamp::What::kNumber, at});
    }
    at += is_time ? kTimeMark.size() : kNumberMark.size();
  }
  layout.tail_offset = layout.stamps.front().offset;
  layout.hashed_until_tail.reset(EVP_MD_CTX_new());
  return layout;
}

// HMAC-SHA256 of "<t>.<body>" in hex, written into the request's header.
void EventFactory::sign(Template& layout, Signature signature, std::int64_t unix_seconds, std::string& request) {
  if (layout.hashed_for != unix_seconds) {
    EVP_MD_CTX_copy_ex(layout.hashed_until_tail.get(), inner_key_.get());
    EVP_DigestUpdate(layout.hashed_until_tail.get(), request.data() + layout.time_offset, 10);
    EVP_DigestUpdate(layout.hashed_until_tail.get(), ".", 1);
    EVP_DigestUpdate(layout.hashed_until_tail.get(), request.data() + layout.body_offset,
                     layout.tail_offset - layout.body_offset);
    layout.hashed_for = unix_seconds;
  }
  std::array<unsigned char, 32> mac{};
  EVP_MD_CTX_copy_ex(scratch_.get(), layout.hashed_until_tail.get());
  EVP_DigestUpdate(scratch_.get(), request.data() + layout.tail_offset, request.size() - layout.tail_offset);
  EVP_DigestFinal_ex(scratch_.get(), mac.data(), nullptr);
  EVP_MD_CTX_copy_ex(scratch_.get(), outer_key_.get());
  EVP_DigestUpdate(scratch_.get(), mac.data(), mac.size());
  EVP_DigestFinal_ex(scratch_.get(), mac.data(), nullptr);

  if (signature == Signature::kForged) mac.back() ^= 1;
  constexpr std::string_view kHex = "0123456789abcdef";
  char* out = request.data() + layout.mac_offset;
  for (const unsigned char byte : mac) {
    *out++ = kHex[byte >> 4U];
    *out++ = kHex[byte & 15U];
  }
}

}  // namespace resultsync::bench
