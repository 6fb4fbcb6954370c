#include "store/network.hpp"

namespace resultsync::store {

std::string_view name_of(orders::LinkedDocument::State state) {
  static constexpr std::string_view kNames[] = {"pending", "fetched", "missing"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view name_of(ConsentState state) {
  static constexpr std::string_view kNames[] = {"connected", "needs_consent", "revoked", "failing"};
  return kNames[static_cast<std::size_t>(state)];
}

orders::LinkedDocuments facts_of(const std::vector<DocumentUse>& uses) {
  orders::LinkedDocuments facts;
  facts.reserve(uses.size());
  for (const DocumentUse& use : uses) facts.push_back({use.test, use.member, use.state, use.document});
  return facts;
}

}  // namespace resultsync::store
