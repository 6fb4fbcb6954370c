#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/encoding.hpp"
#include "fhir/conversion.hpp"

namespace resultsync::fhir {
namespace {

// FHIR R4 names attachments by their SHA-1 (Attachment.hash); it is no protection, and nothing here relies on it.
std::string base64_sha1(std::string_view bytes) {
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return encode_base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string_view extension_of(std::string_view media_type) {
  if (media_type == "application/pdf") return ".pdf";
  if (media_type == "application/rtf" || media_type == "text/rtf") return ".rtf";
  if (media_type == "image/png") return ".png";
  if (media_type == "image/jpeg") return ".jpg";
  if (media_type == "image/tiff") return ".tif";
  if (media_type == "text/html") return ".html";
  if (media_type == "text/xml" || media_type == "application/xml") return ".xml";
  return media_type == "text/plain" ? ".txt" : "";
}

constexpr std::uint64_t kSizeMax = std::numeric_limits<std::int32_t>::max();  // unsignedInt

}  // namespace

const results::Document* Conversion::document_named(const Sha256& digest) {
  if (documents_.empty()) {
    for (const results::Document& document : message_.documents)
      documents_.emplace(document.digest().view(), &document);
  }
  const auto found = documents_.find(digest.view());
  return found == documents_.end() ? nullptr : found->second;
}

const std::string& Conversion::sha1_of(const results::Document& document) {
  std::string& sha1 = sha1_[&document];
  if (sha1.empty()) sha1 = base64_sha1(document.bytes());
  return sha1;
}

// Where the bytes can be had; "" if there are none.
std::string Conversion::url_of(const results::Attachment& attachment) const {
  if (!attachment.document) return is_absolute_uri(attachment.location) ? attachment.location : std::string();
  if (!context_.document_url_base.empty()) return context_.document_url_base + attachment.document->hex();
  return "ni:///sha-256;" + encode_base64url(attachment.document->view());
}

void Conversion::attachment(std::string_view key, const results::Attachment& attachment, std::string_view title,
                            bool with_bytes) {
  const results::Document* document = attachment.document ? document_named(*attachment.document) : nullptr;
  const bool inlined = with_bytes && context_.inline_documents && document != nullptr && document->size() > 0;
  const auto fill = [&] {
    json_.code("contentType", attachment.media_type);
    if (inlined) json_.literal("data", encode_base64(document->bytes()));
    if (!inlined) json_.string("url", url_of(attachment));
    if (document != nullptr && document->size() <= kSizeMax) json_.number("size", document->size());
    if (document != nullptr) json_.literal("hash", sha1_of(*document));
    std::string name(title);
    if (document == nullptr && !is_blank(attachment.location) && !is_absolute_uri(attachment.location))
      name = attachment.location;
    if (!is_blank(name) && !name.ends_with(extension_of(attachment.media_type)))
      name += extension_of(attachment.media_type);
    json_.string("title", name);
  };
  if (key.empty()) {
    json_.object(fill);
  } else {
    json_.object(key, fill);
  }
}

// One DocumentReference for each file of the observation, named by its content.
std::vector<Conversion::File> Conversion::documents(const results::Observation& observation, const Place& place) {
  std::vector<File> files;
  for (const results::Value& value : observation.values) {
    const auto* file = value.as<results::Attachment>();
    if (file == nullptr || (!file->document && is_blank(file->location))) continue;
    NameHash name;
    name.add("document").add(file->document ? file->document->view() : std::string_view(file->location));
    NameHash whole = name;
    whole.add(place.names != nullptr ? place.names->id : place.patient.id).add(observation.code.display());
    Known& known = known_[whole.value()];
    if (!known) {
      known = {out_.new_id(Type::document_reference, name.value()), Type::document_reference, false};
      out_.begin(Type::document_reference, known.id);
      out_.patient(place.patient.id);
      if (file->document) {
        const std::string hex = file->document->hex();
        constexpr std::string_view kSystem = "urn:resultsync:sha-256";
        json_.array("identifier", [&] {
          json_.object([&] {
            json_.literal("system", kSystem);
            json_.literal("value", hex);
          });
        });
        out_.token(Search::identifier, kSystem, out_.keep(hex));
      }
      const bool wrong = observation.status->status == results::Status::entered_in_error;
      out_.status(wrong ? "entered-in-error" : "current");
      concept_of("type", observation.code, Search::code);
      subject(place.patient, false);
      if (place.report != nullptr && instant("date", place.report->issued, place.zone))
        out_.date(*span_of(place.report->issued, place.zone));
      json_.array("content",
                  [&] { json_.object([&] { attachment("attachment", *file, observation.code.display(), true); }); });
      if (place.names != nullptr) {
        json_.object("context", [&] {
          json_.array("related", [&] { out_.reference({}, "related", Type::diagnostic_report, place.names->id); });
        });
      }
      out_.end();
    }
    files.push_back({file, known.id});
  }
  return files;
}

// Where the reports come from. FHIR wants to know when that was noted down; if nobody can say, there is none.
void Conversion::provenance() {
  const results::Moment& sent = message_.header.sent;
  const std::string recorded = !context_.last_updated.empty() ? context_.last_updated
                               : span_of(sent, {}) && date_time(sent, {}).dropped.empty() && sent.has_time()
                                   ? date_time(sent, {}).text
                                   : std::string();
  if (is_blank(recorded) || sources_.empty()) return;
  const Known author = sender();
  NameHash name;
  name.add("provenance").add(message_.header.control_id);
  out_.begin(Type::provenance, out_.new_id(Type::provenance, name.value()));
  json_.array("target", [&] {
    for (const std::string_view id : sources_) out_.reference({}, "target", Type::diagnostic_report, id);
  });
  json_.code("recorded", recorded);
  json_.array("agent", [&] {
    const auto agent = [&](std::string_view code, std::string_view display, auto who) {
      json_.object([&] {
        json_.object("type", [&] { code_and_text(systems::kParticipant, code, display); });
        who();
      });
    };
    if (author) agent("author", "Author", [&] { out_.reference("who", "agent", author.type, author.id); });
    agent("assembler", "Assembler", [&] { json_.object("who", [&] { json_.literal("display", "resultsync"); }); });
  });
  if (!is_blank(message_.header.control_id)) {
    json_.array("entity", [&] {
      json_.object([&] {
        json_.literal("role", "source");
        json_.object("what", [&] {
          json_.object("identifier", [&] {
            json_.literal("system", local_system("message", message_.header.sending_application));
            json_.string("value", message_.header.control_id);
          });
          json_.string("display", message_.header.type);
        });
      });
    });
  }
  out_.end();
}

}  // namespace resultsync::fhir
