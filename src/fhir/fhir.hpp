// From what a message says to FHIR R4 (4.0.1) resources as JSON. PURE and total: every Interpretation gives resources
// that are valid FHIR, whatever the message held; the same input gives the same bytes.
//
//   fhir::Context context{.id_prefix = fhir::id_prefix_of(ordered_test_id), .source = "rupa"};
//   const fhir::Resources resources = fhir::convert(interpretation, context);
//   for (const fhir::Resource& resource : resources) … resource.type, resource.id, resource.json …
//
// Each resource comes with the facts that a FHIR search asks for, so that nobody has to parse the JSON again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.hpp"
#include "results/interpret.hpp"

namespace resultsync::fhir {

// What the message itself does not say.
struct Context {
  // Names the ordered test (or the message) for good: every id of its resources begins with it and a dot. One that is
  // no prefix (is_id_prefix) is replaced by id_prefix_of() of it.
  std::string id_prefix;
  // Names the patient over all their orders; the Patient of a message with one patient is then
  // `<patient_id_prefix>.patient`. Empty: the Patient's id begins with id_prefix like all others.
  std::string patient_id_prefix;
  // If > 0, each resource has a meta.versionId: this and a hash of what it says, `3-0f1e2d3c4b5a6978`.
  int version = 0;
  std::string last_updated;  // meta.lastUpdated: a FHIR instant, or empty
  // Ids that the network gave, each may be empty. They become identifiers of the system
  // `urn:resultsync:<source>:order`,
  // `:ordered-test`, `:patient`, `:practitioner`, `:clinic`.
  std::string source;
  std::string order_id, ordered_test_id, patient_id, practitioner_id, clinic_id;
  bool inline_documents = false;  // attachments carry their bytes
  // Without bytes an attachment's url is this and the SHA-256 in hex; with neither it is the RFC 6920 name of the bytes
  // (`ni:///sha-256;…`).
  std::string document_url_base;
};

inline constexpr std::size_t kIdPrefixBytesMax = 40;
bool is_id_prefix(std::string_view text);         // 1 to 40 of [A-Za-z0-9.-]
std::string id_prefix_of(std::string_view name);  // `name` if it is one, else one that no other name has
// The prefix that an id made here begins with; "" if it has none. What is asked for need not exist.
std::string_view prefix_of(std::string_view id);

enum class Type : std::uint8_t {
  diagnostic_report,
  observation,
  service_request,
  specimen,
  patient,
  practitioner,
  practitioner_role,
  organization,
  document_reference,
  provenance,
};
inline constexpr std::size_t kTypes = 10;
std::string_view type_name(Type type);  // "DiagnosticReport"
std::optional<Type> find_type(std::string_view name);

struct Token {  // of a token search: `system|code`
  std::string_view system, code;
  bool operator==(const Token&) const = default;
};
struct Reference {  // `DiagnosticReport:result` → {"result", Type::observation, id}; the target is always in the same
                    // Resources
  std::string_view parameter;  // name of the search parameter (R4): subject, based-on, result, specimen, has-member, …
  Type type;
  std::string_view id;
  bool operator==(const Reference&) const = default;
};
struct Span {  // from ≤ t < to: a coarse date is all the instants that it may mean. Times without a zone are taken as
               // UTC.
  Timestamp from, to;
  bool operator==(const Span&) const = default;
};

// Views and spans are good as long as the Resources that it came from, wherever those are moved.
struct Resource {
  Type type = Type::observation;
  std::string_view id;
  std::string_view version;            // meta.versionId; "" if it has none
  std::string_view json;               // one object, compact, without a line end
  std::string_view patient;            // id of the Patient that it is about; itself for a Patient; "" if none
  std::string_view status;             // "final"; "" where the type has none
  std::span<const Token> codes;        // search parameter `code`; `type` of Specimen and DocumentReference
  std::span<const Token> categories;   // `category`
  std::span<const Token> identifiers;  // `identifier`
  std::span<const Reference> references;
  std::optional<Span> date;         // `date` (effective), `authored`, `collected`, `birthdate`
  std::optional<Timestamp> issued;  // `issued`
};

// All resources of one conversion, every (type, id) once. One may stand before or after those that it refers to; the
// observations of a report stand in the order of the message.
class Resources {
 public:
  [[nodiscard]] std::span<const Resource> all() const;
  [[nodiscard]] auto begin() const { return all().begin(); }
  [[nodiscard]] auto end() const { return all().end(); }
  [[nodiscard]] std::size_t size() const { return all().size(); }
  [[nodiscard]] const Resource* find(Type type, std::string_view id) const;  // null if there is none

  Resources();
  Resources(Resources&&) noexcept;
  Resources& operator=(Resources&&) noexcept;
  ~Resources();

 private:
  friend class Builder;
  friend void write_collection(const Resources& resources, std::string_view base_url, std::string& out);
  struct Storage;
  std::unique_ptr<Storage> storage_;
};

// Never fails. Ids are a function of the prefix and of what names the thing: the filler or placer number of a report,
// the results::AnalyteKey of an observation, the digest of a document; so they stay the same over versions of a result.
Resources convert(const results::Interpretation& message, const Context& context);

// The same base for every Bundle that leaves no server: references stay relative, and resolve against it (FHIR R4
// §2.36.4.1).
inline constexpr std::string_view kNoServer = "https://resultsync.example.com/fhir/R4";

// Appends one Bundle of type collection. The fullUrl of an entry is `<base_url>/<Type>/<id>`.
void write_collection(const Resources& resources, std::string_view base_url, std::string& out);

}  // namespace resultsync::fhir
