// /v1/documents/{sha256}: the files that results carry, byte for byte, named by what they hold.
#include <algorithm>
#include <optional>

#include "api/results.hpp"
#include "base/encoding.hpp"
#include "orders/documents.hpp"
#include "sync/index_results.hpp"

namespace resultsync::api {
namespace {

struct File {
  std::string bytes;
  std::string said_type;  // what the message calls it; may be empty
};

// What a browser shows and does not run.
struct Shown {
  std::string_view media_type, extension;
};
constexpr Shown kShown[] = {{"application/pdf", "pdf"}, {"image/png", "png"},  {"image/jpeg", "jpg"},
                            {"image/gif", "gif"},       {"image/tiff", "tif"}, {"image/bmp", "bmp"},
                            {"image/webp", "webp"},     {"text/plain", "txt"}};
// What is given as a file to keep; of these the message's own word is taken, because bytes do not tell them.
constexpr Shown kKept[] = {
    {"application/rtf", "rtf"},        {"text/rtf", "rtf"},          {"text/html", "html"},
    {"application/xhtml+xml", "html"}, {"text/xml", "xml"},          {"application/xml", "xml"},
    {"image/svg+xml", "svg"},          {"application/json", "json"}, {"text/csv", "csv"},
    {"application/hl7-v2", "hl7"},     {"application/zip", "zip"},   {"application/dicom", "dcm"},
    {"application/msword", "doc"}};

struct Dress {
  std::string content_type;
  std::string_view extension = "bin";
  bool is_shown = false;
};

bool is_markup(std::string_view bytes) {
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && bytes[first] == '<';
}

// The first bytes decide; where they tell nothing but that it is text, what the message says may make it something to
// keep, and never something to show.
Dress dress_of(const File& file) {
  const std::string_view sniffed = orders::sniff_media_type(file.bytes);
  const auto kept = [](std::string_view type) { return std::ranges::find(kKept, type, &Shown::media_type); };
  if (sniffed == "text/plain" || sniffed == "application/octet-stream") {
    if (const auto* said = kept(file.said_type); said != std::end(kKept))
      return {std::string(said->media_type), said->extension, false};
  }
  if (sniffed == "text/plain" && is_markup(file.bytes)) {
    return std::string_view(file.bytes).substr(0, 1024).contains("<svg") ? Dress{"image/svg+xml", "svg", false}
                                                                         : Dress{"application/xml", "xml", false};
  }
  if (sniffed == "text/plain") return {"text/plain; charset=utf-8", "txt", true};
  if (const auto* shown = std::ranges::find(kShown, sniffed, &Shown::media_type); shown != std::end(kShown))
    return {std::string(shown->media_type), shown->extension, true};
  if (const auto* other = kept(sniffed); other != std::end(kKept))
    return {std::string(other->media_type), other->extension, false};
  return {"application/octet-stream", "bin", false};
}

// In the order of the views: embedded in a message, or fetched by a link.
std::optional<File> find_file(const ApiContext& context, const Sha256& sha256,
                              const std::vector<store::DocumentPlace>& places) {
  Bodies bodies(context.log);
  for (const store::DocumentPlace& place : places) {
    const auto body = bodies.of(place.record);
    if (!body->unavailable.empty()) continue;
    const results::ResultFile file = read_file(*body, place.test);
    if (const auto* document = file.content.find(sha256))
      return File{std::string(document->bytes()), document->media_type()};
  }
  return std::nullopt;
}

Problem unknown_document() {
  return not_found("unknown_document", "No result that may be seen carries a document with this SHA-256.");
}

http::Response document_response(const Call& call, const Sha256& sha256, File file) {
  const Dress dress = dress_of(file);
  const std::string etag = '"' + sha256.hex() + '"';
  http::Response response;
  response.set_header("ETag", etag);
  const auto known = call.headers.only("If-None-Match");
  if (known && (*known == "*" || known->contains(etag))) {
    response.status = 304;
    response.content_type.clear();
    return response;
  }
  response.content_type = dress.content_type;
  // Whoever opens it in a browser all the same: nothing in it may run or reach out.
  response.set_header("Content-Disposition", std::string(dress.is_shown ? "inline" : "attachment") + "; filename=\"" +
                                                 sha256.hex().substr(0, 16) + "." + std::string(dress.extension) +
                                                 "\"");
  response.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox");
  response.body = std::move(file.bytes);
  return response;
}

}  // namespace

Reply get_document(Service& service, const Call& call) {
  const auto raw = decode_hex(call.path.front());
  const auto sha256 = raw ? Sha256::from_bytes(*raw) : std::nullopt;
  if (!sha256 || sha256->hex() != call.path.front()) return unknown_document();
  auto snapshot = service.context.views.snapshot();
  const auto sight = sight_of(*snapshot, call, call.parameters.text("practitioner"));
  if (!sight) return sight.error();
  constexpr std::size_t kPlacesMax = 8;  // the others hold the same bytes; more only help where records are lost
  const auto places = snapshot->results().documents(*sha256, *sight, kPlacesMax);
  const auto& fetched = service.context.sync.apply_options().index.document_bytes;
  std::optional<File> file;
  if (fetched && snapshot->results().shows_fetched(*sha256, *sight)) {
    if (auto bytes = fetched(*snapshot, *sha256)) file = File{std::move(*bytes), {}};
  }
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  snapshot.reset();
  if (!file) file = find_file(service.context, *sha256, places);
  if (!file && !places.empty())
    return Problem{.status = 410, .code = "erased", .title = "The message that held this document cannot be read."};
  if (!file) return unknown_document();
  return document_response(call, *sha256, std::move(*file));
}

}  // namespace resultsync::api
