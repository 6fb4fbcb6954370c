#include "results/split_files.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/encoding.hpp"

namespace resultsync::results {
namespace {

constexpr std::string_view kPdf = "application/pdf";
constexpr std::string_view kPdfBegins = "%PDF-";
constexpr std::string_view kPdfEnds = "%%EOF";
constexpr std::size_t kPdfEndBytesMax = 1024;  // ISO 32000-1 annex H, implementation note 18: where readers look for it

// The one file of an observation that carries nothing else; null if it does.
const Attachment* only_file(const Observation& observation) {
  if (observation.values.size() != 1 || observation.segments.size() != 1) return nullptr;
  const auto* file = observation.values[0].as<Attachment>();
  return file != nullptr && file->location.empty() ? file : nullptr;
}

bool may_be_pdf(const Attachment& file) {
  return file.media_type == kPdf || file.media_type == "application/octet-stream";
}

// Bytes of which the Base64 comes in pieces that end anywhere.
class Pieces {
 public:
  // False if it is no Base64.
  bool add(std::string_view base64) {
    std::ranges::copy_if(base64, std::back_inserter(rest_),
                         [](char c) { return !std::string_view(" \t\r\n").contains(c); });
    const std::size_t whole = rest_.size() / 4 * 4;
    const std::optional<std::string> bytes = decode_base64(std::string_view(rest_).substr(0, whole));
    if (!bytes) return false;
    bytes_ += *bytes;
    rest_.erase(0, whole);
    return true;
  }
  [[nodiscard]] bool begins_a_pdf() const { return bytes_.starts_with(kPdfBegins); }
  [[nodiscard]] bool ends_a_pdf() const {
    const std::size_t at = bytes_.size() - std::min(bytes_.size(), kPdfEndBytesMax);
    return (bytes_.substr(at) + tail()).contains(kPdfEnds);
  }
  std::string take() { return bytes_ + tail(); }

 private:
  // What is left of a Base64 without its padding.
  [[nodiscard]] std::string tail() const {
    if (rest_.size() < 2) return {};
    return decode_base64(rest_ + std::string(4 - rest_.size(), '=')).value_or("");
  }
  std::string bytes_;
  std::string rest_;  // less than four characters
};

class Joiner {
 public:
  Joiner(const hl7::Message& message, Interpretation& result) : message_(message), result_(result) {}

  void run() {
    bool any = false;
    for (Report& report : result_.reports) {
      std::span<Observation> left = report.observations;
      while (left.size() > 1) {
        const std::size_t pieces = join_first(left);
        any = any || pieces > 1;
        left = left.subspan(pieces);
      }
    }
    if (any) drop_unused();
  }

 private:
  // How many observations at the front were looked at: those of one file, or one.
  std::size_t join_first(std::span<Observation> all) {
    if (only_file(all[0]) == nullptr || !is_piece(all[0], all[0]) || !is_piece(all[0], all[1])) return 1;
    Pieces pieces;
    if (!pieces.add(base64(all[0])) || !pieces.begins_a_pdf() || pieces.ends_a_pdf()) return 1;
    for (std::size_t count = 1; count < all.size() && is_piece(all[0], all[count]); ++count) {
      const std::string more = base64(all[count]);
      if (more.starts_with("JVBERi0")) return count;  // the next PDF: %PDF-
      if (!pieces.add(more)) return count;
      if (!pieces.ends_a_pdf()) continue;
      keep(all.first(count + 1), pieces.take());
      return count + 1;
    }
    return 1;
  }

  static bool is_piece(const Observation& first, const Observation& other) {
    const Attachment* file = only_file(other);
    return file != nullptr && may_be_pdf(*file) && other.code == first.code && other.status == first.status;
  }

  [[nodiscard]] std::string base64(const Observation& observation) const {
    return message_.segment(observation.segments.front()).field(5).component(5).text();
  }

  void keep(std::span<Observation> pieces, std::string bytes) {
    Document document(pieces.front().segments.front(), std::string(kPdf), std::move(bytes));
    for (Observation& one : pieces) {
      auto& file = std::get<Attachment>(one.values[0].is);
      file.media_type = kPdf;
      file.document = document.digest();
      file.size = document.size();
      one.values[0].text = kPdf;
      std::erase_if(one.problems, [](const Problem& problem) { return problem.code == "base64_broken"; });
      one.problems.push_back({"file_in_pieces", one.segments.front(), 5});
    }
    if (result_.find(document.digest()) == nullptr) result_.documents.push_back(std::move(document));
  }

  // The pieces were taken for files of their own.
  void drop_unused() {
    std::unordered_set<std::string_view> used;
    const auto note = [&](const Observation& observation) {
      for (const Value& value : observation.values) {
        const auto* file = value.as<Attachment>();
        if (file != nullptr && file->document) used.insert(file->document->view());
      }
    };
    for (const Report& report : result_.reports) std::ranges::for_each(report.observations, note);
    for (const auto& of_patient : result_.patient_observations) note(of_patient.observation);
    std::erase_if(result_.documents, [&](const Document& one) { return !used.contains(one.digest().view()); });
  }

  const hl7::Message& message_;
  Interpretation& result_;
};

}  // namespace

void join_split_files(const hl7::Message& message, Interpretation& result) {
  Joiner(message, result).run();
}

}  // namespace resultsync::results
