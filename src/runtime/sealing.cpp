#include "runtime/sealing.hpp"

#include <openssl/evp.h>

#include <climits>
#include <cstdlib>

namespace resultsync::runtime {
namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text, std::size_t at) {
  return reinterpret_cast<unsigned char*>(text.data() + at);
}

// OpenSSL fails here only when memory is gone or the build lacks AES: nothing safe could follow.
void must(int openssl_result) {
  if (openssl_result != 1) std::abort();
}

int int_size(std::size_t size) {
  if (size > INT_MAX) std::abort();
  return static_cast<int>(size);
}

// Fetched once: an implicit fetch at each use costs OpenSSL 3 more than the cipher.
const EVP_CIPHER* cipher() {
  static EVP_CIPHER* const fetched = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  if (fetched == nullptr) std::abort();
  return fetched;
}

CipherContext new_context() {
  CipherContext context(EVP_CIPHER_CTX_new());
  if (!context) std::abort();
  return context;
}

}  // namespace

void CipherContextDelete::operator()(evp_cipher_ctx_st* context) const {
  EVP_CIPHER_CTX_free(context);
}

Sealer::Sealer(const Secret<Key256>& key) : context_(new_context()) {
  must(EVP_EncryptInit_ex2(context_.get(), cipher(), key.reveal().data(), nullptr, nullptr));
}

void Sealer::seal(const SealNonce& nonce, std::string_view associated, std::string_view text, std::string& out) {
  auto* context = context_.get();
  const std::size_t start = out.size();
  out.resize(start + text.size() + kSealTagBytes);
  int written = 0;
  must(EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr));
  must(EVP_EncryptUpdate(context, nullptr, &written, bytes_of(associated), int_size(associated.size())));
  must(EVP_EncryptUpdate(context, bytes_of(out, start), &written, bytes_of(text), int_size(text.size())));
  must(EVP_EncryptFinal_ex(context, bytes_of(out, start + text.size()), &written));
  must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kSealTagBytes),
                           bytes_of(out, start + text.size())));
}

Unsealer::Unsealer(const Secret<Key256>& key) : context_(new_context()) {
  must(EVP_DecryptInit_ex2(context_.get(), cipher(), key.reveal().data(), nullptr, nullptr));
}

Result<std::string> Unsealer::open(const SealNonce& nonce, std::string_view associated, std::string_view sealed) {
  if (sealed.size() < kSealTagBytes) return fail("bad_seal", "the sealed bytes are too short to hold a seal");
  const std::string_view hidden = sealed.substr(0, sealed.size() - kSealTagBytes);
  std::string tag(sealed.substr(hidden.size()));
  std::string text(hidden.size(), '\0');
  auto* context = context_.get();
  int written = 0;
  must(EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr));
  must(EVP_DecryptUpdate(context, nullptr, &written, bytes_of(associated), int_size(associated.size())));
  must(EVP_DecryptUpdate(context, bytes_of(text, 0), &written, bytes_of(hidden), int_size(hidden.size())));
  must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kSealTagBytes), tag.data()));
  unsigned char nothing_follows[16];
  if (EVP_DecryptFinal_ex(context, nothing_follows, &written) != 1) {
    return fail("bad_seal", "the seal does not fit: another key, or the bytes were changed");
  }
  return text;
}

}  // namespace resultsync::runtime
