// A PDF, RTF, picture or file that a message carries (ED) or points at (RP), addressed by its SHA-256.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "hl7/message.hpp"

namespace resultsync::results {

class Document {
 public:
  Document(std::uint32_t segment, std::string media_type, std::string content)
      : segment_(segment),
        media_type_(std::move(media_type)),
        content_(std::move(content)),
        digest_(sha256(content_)) {}

  [[nodiscard]] const Sha256& digest() const { return digest_; }
  [[nodiscard]] const std::string& media_type() const { return media_type_; }  // "application/pdf"
  [[nodiscard]] std::size_t size() const { return content_.size(); }
  [[nodiscard]] std::string_view bytes() const { return content_; }  // good as long as the Document stays where it is
  [[nodiscard]] std::uint32_t segment() const { return segment_; }   // the OBX that carried it

 private:
  std::uint32_t segment_;
  std::string media_type_;
  std::string content_;
  Sha256 digest_;
};

// What an OBX of type ED or RP says; its bytes, if it carries any that can be read, are a Document of the
// Interpretation.
struct Attachment {
  std::string
      media_type;  // from the type and subtype sent, else from the first bytes; "application/octet-stream" if unknown
  std::string encoding;            // as sent: "Base64", "Hex", "A"
  std::string location;            // RP: the pointer; never fetched
  std::string application;         // source application, as sent
  std::optional<Sha256> document;  // of the bytes
  std::uint64_t size = 0;          // bytes
  bool operator==(const Attachment&) const = default;
};

}  // namespace resultsync::results
