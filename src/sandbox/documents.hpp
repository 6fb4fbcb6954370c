// The files of results and requisitions, and the links that lead to them. A link is a secret that dies; the file behind
// it stays the same. Not thread-safe: one owner.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/timestamp.hpp"
#include "sandbox/world.hpp"

namespace resultsync::sandbox {

enum class DocumentKind { kHl7, kPdf, kRequisition };

// Which file: those of one version of an ordered test's results, or the order's requisition for it.
struct DocumentName {
  std::size_t order = 0, test = 0, version = 0;  // version: index; 0 for a requisition
  DocumentKind kind = DocumentKind::kPdf;
  auto operator<=>(const DocumentName&) const = default;
};

std::string_view file_name(DocumentKind kind);     // "results.pdf"
std::string_view content_type(DocumentKind kind);  // "application/pdf"

// What a file is made from, taken out of the world so that it can be drawn without holding it.
struct DocumentSource {
  DocumentKind kind = DocumentKind::kPdf;
  LabReport report;
};
std::optional<DocumentSource> source_of(const World& world, const DocumentName& name);
std::string draw(const DocumentSource& source);  // the bytes; the same every time

class DocumentLinks {
 public:
  // `base`: "http://127.0.0.1:8090". Links are a function of the seed, the file, and what they are made for.
  DocumentLinks(std::uint64_t seed, std::string base) : seed_(seed), base_(std::move(base)) {}

  // A link for one event, or (without) one for readers of the API: theirs is renewed when half of its life is over.
  std::string link(const DocumentName& name, std::string_view event, Timestamp now, std::int64_t life_seconds);

  struct Found {
    DocumentName name;
    bool expired = false;
  };
  [[nodiscard]] std::optional<Found> find(std::string_view token, Timestamp now) const;

 private:
  struct Known {
    DocumentName name;
    Timestamp expires;
  };
  struct Current {
    std::string token;
    Timestamp renew_at;
    std::uint64_t generation = 0;
  };
  std::string remember(const DocumentName& name, std::string_view purpose, Timestamp expires);

  std::uint64_t seed_;
  std::string base_;
  std::map<std::string, Known, std::less<>> tokens_;
  std::map<DocumentName, Current> current_;
};

}  // namespace resultsync::sandbox
