// Where the resources of one conversion come together: their JSON in one buffer, their facts in lists that the finished
// Resources show as spans. A resource is written from begin() to end(); what is told of it in between belongs to it.
#pragma once

#include <array>
#include <memory_resource>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fhir/fhir.hpp"
#include "fhir/ids.hpp"
#include "fhir/json.hpp"

namespace resultsync::fhir {

struct Resources::Storage {
  // Texts and ids; nothing that it holds ever moves.
  std::pmr::monotonic_buffer_resource words{4096};
  Buffer json;
  std::vector<Token> tokens;
  std::vector<Reference> references;
  std::vector<Resource> resources;
  std::pmr::unordered_map<std::uint64_t, std::uint32_t> by_key{&words};  // key_of(); indexes of resources
  std::string_view control_id, control_system;                           // MSH-10, and who gave it
  std::string_view sent;                                                 // MSH-7 as an instant, or ""
};

class Builder {
 public:
  // `json_bytes` is a guess of how much there will be.
  Builder(const Context& context, std::size_t json_bytes);

  // An id that nothing else of this conversion has.
  std::string_view new_id(Type type, std::uint64_t hash);
  std::string_view keep(std::string_view text);  // a copy that lives as long as the Resources

  void begin(Type type, std::string_view id);
  void end();
  [[nodiscard]] Json& json() { return json_; }

  // Facts of the resource that is being written.
  enum class Search : std::uint8_t { code, category, identifier };
  // Both kept already, or static. The tokens of one search stand together: none of another in between.
  void token(Search search, std::string_view system, std::string_view code);
  // Writes {"reference":"Type/id"[,"display":…]} as a member or, without a key, an element; `parameter` is static.
  void reference(std::string_view key, std::string_view parameter, Type type, std::string_view id,
                 std::string_view display = {});
  void status(std::string_view name);  // writes it, too
  void patient(std::string_view id) { facts_.patient = id; }
  void date(const Span& span) { facts_.date = span; }
  void issued(Timestamp time) { facts_.issued = time; }
  void profile(std::string_view url) { profile_ = url; }

  // A run of members with what was told meanwhile, so that a later resource that says the same can have it copied. Both
  // must stand after some other member.
  struct Tokens {
    std::size_t begin = 0, end = 0;  // in the list of all
  };
  struct Passage {
    std::size_t json = 0, json_end = 0;
    std::size_t references = 0, references_end = 0;
    std::array<Tokens, 3> tokens;  // by Search
    std::optional<Span> date;      // what was told before, and once it has ended, meanwhile
    std::optional<Timestamp> issued;
  };
  [[nodiscard]] Passage begin_passage() const;
  void end_passage(Passage& passage) const;
  void repeat(const Passage& passage);

  void message(std::string_view control_id, std::string_view system, std::string_view sent);
  Resources take();

 private:
  struct Facts {
    Type type = Type::observation;
    std::string_view id, version, patient, status;
    std::optional<Span> date;
    std::optional<Timestamp> issued;
    std::size_t json = 0, json_end = 0;
    std::size_t references = 0, references_end = 0;
    std::array<Tokens, 3> tokens;  // by Search
  };
  void name_version();
  void meta();

  std::unique_ptr<Resources::Storage> storage_;
  const Context& context_;
  std::unordered_map<std::uint64_t, std::uint64_t> taken_;  // of a name that came again: how often
  const std::string prefix_;
  Json json_;
  Facts facts_;
  std::vector<Facts> all_;
  std::string_view profile_;
};

}  // namespace resultsync::fhir
