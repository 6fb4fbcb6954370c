#include "runtime/signing.hpp"

#include <openssl/evp.h>

namespace resultsync::runtime {
namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

struct ContextDelete {
  void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextDelete>;

}  // namespace

void SigningKey::Delete::operator()(evp_pkey_st* key) const {
  ::EVP_PKEY_free(key);
}

SigningKey::SigningKey(const Secret<Key256>& seed)
    : key_(::EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.reveal().data(), seed.reveal().size())),
      public_key_(32, '\0') {
  std::size_t size = public_key_.size();
  ::EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(public_key_.data()), &size);
}

std::string SigningKey::sign(std::string_view text) const {
  std::string signature(64, '\0');
  std::size_t size = signature.size();
  const Context context(::EVP_MD_CTX_new());
  ::EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get());
  ::EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes_of(text),
                   text.size());
  return signature;
}

bool is_signed(std::string_view public_key, std::string_view text, std::string_view signature) {
  struct KeyDelete {
    void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
  };
  const std::unique_ptr<EVP_PKEY, KeyDelete> key(
      ::EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(public_key), public_key.size()));
  if (!key || signature.size() != 64) return false;
  const Context context(::EVP_MD_CTX_new());
  return ::EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         ::EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text), text.size()) == 1;
}

}  // namespace resultsync::runtime
