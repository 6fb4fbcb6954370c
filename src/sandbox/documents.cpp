#include "sandbox/documents.hpp"

#include <fmt/format.h>

#include "base/digest.hpp"
#include "base/encoding.hpp"
#include "sandbox/dialects.hpp"
#include "sandbox/paper.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::size_t kTokensMax = 400'000;  // then those that have expired are forgotten (404 instead of 403)

}  // namespace

std::string_view file_name(DocumentKind kind) {
  constexpr std::string_view kNames[] = {"results.hl7", "results.pdf", "requisition.pdf"};
  return kNames[static_cast<int>(kind)];
}

std::string_view content_type(DocumentKind kind) {
  return kind == DocumentKind::kHl7 ? "application/hl7-v2" : "application/pdf";
}

std::optional<DocumentSource> source_of(const World& world, const DocumentName& name) {
  if (name.order >= world.orders().size()) return std::nullopt;
  const Order& order = world.orders()[name.order];
  if (name.test >= order.tests.size()) return std::nullopt;
  const OrderedTest& test = order.tests[name.test];
  if (name.kind == DocumentKind::kRequisition) return DocumentSource{name.kind, world.requisition_of(order, name.test)};
  if (name.version >= test.versions.size()) return std::nullopt;
  return DocumentSource{name.kind, test.versions[name.version]};
}

std::string draw(const DocumentSource& source) {
  switch (source.kind) {
    case DocumentKind::kRequisition:
      return draw_requisition(source.report);
    case DocumentKind::kPdf:
      return draw_report(source.report);
    case DocumentKind::kHl7:
      break;
  }
  return write_hl7(source.report, embeds_pdf(source.report) ? draw_report(source.report) : std::string());
}

std::string DocumentLinks::link(const DocumentName& name, std::string_view event, Timestamp now,
                                std::int64_t life_seconds) {
  const Timestamp expires{now.microseconds + life_seconds * 1'000'000};
  std::string token;
  if (!event.empty()) {
    token = remember(name, event, expires);
  } else {
    Current& current = current_[name];
    if (current.token.empty() || current.renew_at <= now) {
      current.token = remember(name, fmt::format("read {}", ++current.generation), expires);
      current.renew_at = {now.microseconds + life_seconds * 500'000};
    }
    token = current.token;
  }
  return fmt::format("{}/documents/{}/{}", base_, token, file_name(name.kind));
}

std::string DocumentLinks::remember(const DocumentName& name, std::string_view purpose, Timestamp expires) {
  if (tokens_.size() >= kTokensMax)
    std::erase_if(tokens_, [&](const auto& one) { return one.second.expires < expires && one.second.name != name; });
  std::string token = encode_base64url(sha256(fmt::format("{} link {} {} {} {} {}", seed_, name.order, name.test,
                                                          name.version, static_cast<int>(name.kind), purpose))
                                           .view())
                          .substr(0, 32);
  tokens_[token] = {name, expires};
  return token;
}

std::optional<DocumentLinks::Found> DocumentLinks::find(std::string_view token, Timestamp now) const {
  const auto at = tokens_.find(token);
  if (at == tokens_.end()) return std::nullopt;
  return Found{at->second.name, at->second.expires <= now};
}

}  // namespace resultsync::sandbox
