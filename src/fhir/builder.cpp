#include "fhir/builder.hpp"

#include <fmt/format.h>

#include <cstring>

namespace resultsync::fhir {
Builder::Builder(const Context& context, std::size_t json_bytes)
    : storage_(std::make_unique<Resources::Storage>()),
      context_(context),
      prefix_(id_prefix_of(context.id_prefix)),
      json_(storage_->json) {
  storage_->json.room(json_bytes);
  storage_->tokens.reserve(64);
  storage_->references.reserve(128);
  storage_->by_key.reserve(64);
  all_.reserve(32);
}

std::string_view Builder::keep(std::string_view text) {
  if (text.empty()) return {};
  char* copy = static_cast<char*>(storage_->words.allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

std::string_view Builder::new_id(Type type, std::uint64_t hash) {
  for (std::uint64_t nth = 0;; nth = ++taken_[key_of(type, hash)]) {
    const std::uint64_t name = nth == 0 ? hash : NameHash().add(hash).add(nth).value();
    if (!storage_->by_key.try_emplace(key_of(type, name), 0).second) continue;
    const std::size_t size = id_size(prefix_, type);
    char* const id = static_cast<char*>(storage_->words.allocate(size, 1));
    write_id(prefix_, type, name, id);
    return {id, size};
  }
}

void Builder::begin(Type type, std::string_view id) {
  if (!storage_->json.empty()) storage_->json.append("\n");  // between two, so that no comma is set
  facts_ = {};
  facts_.type = type;
  facts_.id = id;
  facts_.json = storage_->json.size();
  facts_.references = storage_->references.size();
  profile_ = {};
  storage_->json.append(R"({"resourceType":")", type_name(type), R"(","id":")", id, "\"");
}

void Builder::meta() {
  json_.object("meta", [&] {
    if (!facts_.version.empty()) json_.literal("versionId", facts_.version);
    if (!context_.last_updated.empty()) json_.code("lastUpdated", context_.last_updated);
    if (!profile_.empty()) json_.array("profile", [&] { json_.literal({}, profile_); });
  });
}

// What a result says of its patient and of other reports may change without a new version of it: what is written
// counts.
void Builder::name_version() {
  if (context_.version == 0) return;
  const std::uint64_t content = NameHash().add(storage_->json.view().substr(facts_.json)).value();
  facts_.version = keep(fmt::format("{}-{:016x}", context_.version, content));
}

void Builder::end() {
  name_version();
  meta();
  storage_->json.append("}");
  facts_.json_end = storage_->json.size();
  facts_.references_end = storage_->references.size();
  all_.push_back(facts_);
}

void Builder::token(Search search, std::string_view system, std::string_view code) {
  if (code.empty()) return;
  std::vector<Token>& all = storage_->tokens;
  Tokens& own = facts_.tokens[static_cast<std::size_t>(search)];
  if (own.begin == own.end) own.begin = all.size();
  all.push_back({system, code});
  own.end = all.size();
}

void Builder::reference(std::string_view key, std::string_view parameter, Type type, std::string_view id,
                        std::string_view display) {
  json_.raw(key, R"({"reference":")", type_name(type), "/", id, "\"");
  if (!display.empty()) json_.string("display", display);
  storage_->json.push('}');
  storage_->references.push_back({parameter, type, id});
}

void Builder::status(std::string_view name) {
  facts_.status = name;
  json_.literal("status", name);
}

Builder::Passage Builder::begin_passage() const {
  Passage passage;
  passage.json = storage_->json.size();
  passage.references = storage_->references.size();
  passage.tokens = facts_.tokens;
  passage.date = facts_.date;
  passage.issued = facts_.issued;
  return passage;
}

void Builder::end_passage(Passage& passage) const {
  passage.json_end = storage_->json.size();
  passage.references_end = storage_->references.size();
  for (std::size_t search = 0; search < passage.tokens.size(); ++search) {
    const Tokens& now = facts_.tokens[search];
    Tokens& told = passage.tokens[search];
    told = {told.begin == told.end ? now.begin : told.end, now.end};
  }
  passage.date = passage.date == facts_.date ? std::nullopt : facts_.date;
  passage.issued = passage.issued == facts_.issued ? std::nullopt : facts_.issued;
}

void Builder::repeat(const Passage& passage) {
  storage_->json.repeat(passage.json, passage.json_end);
  for (std::size_t i = passage.references; i < passage.references_end; ++i) {
    const Reference reference = storage_->references[i];
    storage_->references.push_back(reference);
  }
  for (std::size_t search = 0; search < passage.tokens.size(); ++search) {
    for (std::size_t i = passage.tokens[search].begin; i < passage.tokens[search].end; ++i) {
      const Token told = storage_->tokens[i];
      token(static_cast<Search>(search), told.system, told.code);
    }
  }
  if (passage.date) facts_.date = passage.date;
  if (passage.issued) facts_.issued = passage.issued;
}

void Builder::message(std::string_view control_id, std::string_view system, std::string_view sent) {
  storage_->control_id = keep(control_id);
  storage_->control_system = system;
  storage_->sent = keep(sent);
}

// The lists have stopped growing: now there can be views into them.
Resources Builder::take() {
  Resources::Storage& storage = *storage_;
  storage.resources.reserve(all_.size());
  const std::string_view json = storage.json.view();
  for (const Facts& facts : all_) {
    Resource resource;
    resource.type = facts.type;
    resource.id = facts.id;
    resource.version = facts.version;
    resource.json = json.substr(facts.json, facts.json_end - facts.json);
    resource.patient = facts.patient;
    resource.status = facts.status;
    const auto tokens = [&](Search search) {
      const Tokens& own = facts.tokens[static_cast<std::size_t>(search)];
      return std::span(storage.tokens).subspan(own.begin, own.end - own.begin);
    };
    resource.codes = tokens(Search::code);
    resource.categories = tokens(Search::category);
    resource.identifiers = tokens(Search::identifier);
    resource.references = {storage.references.data() + facts.references, facts.references_end - facts.references};
    resource.date = facts.date;
    resource.issued = facts.issued;
    storage.by_key[key_of(facts.type, facts.id)] = static_cast<std::uint32_t>(storage.resources.size());
    storage.resources.push_back(resource);
  }
  Resources result;
  result.storage_ = std::move(storage_);
  return result;
}

Resources::Resources() : storage_(std::make_unique<Storage>()) {}
Resources::Resources(Resources&&) noexcept = default;
Resources& Resources::operator=(Resources&&) noexcept = default;
Resources::~Resources() = default;

std::span<const Resource> Resources::all() const {
  return storage_->resources;
}

const Resource* Resources::find(Type type, std::string_view id) const {
  const auto found = storage_->by_key.find(key_of(type, id));
  if (found == storage_->by_key.end() || storage_->resources.empty()) return nullptr;
  const Resource& resource = storage_->resources[found->second];
  return resource.type == type && resource.id == id ? &resource : nullptr;
}

}  // namespace resultsync::fhir
