// For tests: a certificate authority that lives as long as the value, and what it signs, as PEM files in a folder of
// its own.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "http/server.hpp"

namespace resultsync::http::testing {

class Certificates {
 public:
  Certificates() {
    char path[] = "/tmp/resultsync-tls-XXXXXX";
    folder_ = ::mkdtemp(path);
    ca_key_ = new_key();
    ca_ = sign({.names = "", .serial = 1}, ca_key_.get(), nullptr);
    write_certificate(ca_file(), ca_.get());
  }
  ~Certificates() { std::filesystem::remove_all(folder_); }

  struct Wish {
    std::string names = "DNS:localhost,IP:127.0.0.1,IP:127.0.0.2";  // subjectAltName
    long serial = 2;
    long valid_from_s = -3600;  // from now
    long valid_to_s = 3600;
  };
  // Writes NAME.pem and NAME.key, replacing what is there.
  TlsFiles issue(const std::string& name, const Wish& wish) const {
    const Key key = new_key();
    const Certificate certificate = sign(wish, key.get(), ca_.get());
    const TlsFiles files{folder_ + "/" + name + ".pem", folder_ + "/" + name + ".key"};
    write_certificate(files.certificate, certificate.get());
    const std::unique_ptr<FILE, int (*)(FILE*)> out(std::fopen(files.key.c_str(), "w"), std::fclose);
    EXPECT_EQ(::PEM_write_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
    return files;
  }
  [[nodiscard]] TlsFiles issue(const std::string& name) const { return issue(name, Wish{}); }
  [[nodiscard]] std::string ca_file() const { return folder_ + "/ca.pem"; }
  [[nodiscard]] const std::string& folder() const { return folder_; }

 private:
  using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
  using Certificate = std::unique_ptr<X509, void (*)(X509*)>;

  static Key new_key() { return {::EVP_EC_gen("P-256"), ::EVP_PKEY_free}; }

  Certificate sign(const Wish& wish, EVP_PKEY* key, X509* issuer) const {
    Certificate made(::X509_new(), ::X509_free);
    ::X509_set_version(made.get(), 2);
    ::ASN1_INTEGER_set(::X509_get_serialNumber(made.get()), wish.serial);
    ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), wish.valid_from_s);
    ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), wish.valid_to_s);
    ::X509_set_pubkey(made.get(), key);
    X509_NAME* const subject = ::X509_get_subject_name(made.get());
    const auto* common_name =
        reinterpret_cast<const unsigned char*>(issuer == nullptr ? "test authority" : "test server");
    ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, common_name, -1, -1, 0);
    ::X509_set_issuer_name(made.get(), issuer == nullptr ? subject : ::X509_get_subject_name(issuer));
    const auto extend = [&](int what, const std::string& value) {
      X509V3_CTX context;
      ::X509V3_set_ctx(&context, issuer == nullptr ? made.get() : issuer, made.get(), nullptr, nullptr, 0);
      X509_EXTENSION* const extension = ::X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
      EXPECT_NE(extension, nullptr) << value;
      ::X509_add_ext(made.get(), extension, -1);
      ::X509_EXTENSION_free(extension);
    };
    extend(NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!wish.names.empty()) extend(NID_subject_alt_name, wish.names);
    EXPECT_GT(::X509_sign(made.get(), issuer == nullptr ? key : ca_key_.get(), ::EVP_sha256()), 0);
    return made;
  }

  static void write_certificate(const std::string& path, X509* certificate) {
    const std::unique_ptr<FILE, int (*)(FILE*)> out(std::fopen(path.c_str(), "w"), std::fclose);
    EXPECT_EQ(::PEM_write_X509(out.get(), certificate), 1);
  }

  std::string folder_;
  Key ca_key_{nullptr, ::EVP_PKEY_free};
  Certificate ca_{nullptr, ::X509_free};
};

}  // namespace resultsync::http::testing
