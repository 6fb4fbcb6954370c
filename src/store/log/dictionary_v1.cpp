#include "store/log/codec.hpp"

namespace resultsync::store::log {
namespace {

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc23-extensions"
constexpr char kDictionaryV1[] = {
#embed "dictionary_v1.zdict"
};
#pragma clang diagnostic pop

}  // namespace

std::string_view dictionary_v1() {
  return {kDictionaryV1, sizeof(kDictionaryV1)};
}

}  // namespace resultsync::store::log
