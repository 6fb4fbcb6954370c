#include "http/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "http/address_policy.hpp"

namespace resultsync::http {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr const char* kCiphersTls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

std::string without_dot(const std::string& host) {
  return host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
}

// RFC 7301 §3.2: a client that names only what we do not speak is told so.
int choose_http_1_1(SSL*, const unsigned char** chosen, unsigned char* chosen_length, const unsigned char* offered,
                    unsigned offered_length, void*) {
  static constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* found = nullptr;
  if (::SSL_select_next_proto(&found, chosen_length, kHttp11, sizeof kHttp11, offered, offered_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<std::shared_ptr<TlsContext>> client_tls(const std::string& ca_file) {
  auto context = std::make_shared<TlsContext>(ssl::context::tls_client);
  ::SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  ::SSL_CTX_set_cipher_list(context->native_handle(), kCiphersTls12);
  ::SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  error_code error;
  if (ca_file.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->load_verify_file(ca_file, error);
  }
  if (error) {
    return fail("bad_ca_file",
                ca_file.empty() ? "the system's certificate store cannot be read"
                                : "`" + ca_file + "` is not a PEM bundle of certificates",
                error.message());
  }
  context->set_verify_mode(ssl::verify_peer, error);
  return context;
}

Result<std::shared_ptr<TlsContext>> server_tls(const std::string& certificate_file, const std::string& key_file) {
  auto context = std::make_shared<TlsContext>(ssl::context::tls_server);
  SSL_CTX* const native = context->native_handle();
  ::SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  ::SSL_CTX_set_cipher_list(native, kCiphersTls12);
  ::SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                    SSL_OP_PRIORITIZE_CHACHA);
  ::SSL_CTX_set_mode(native,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);  // tickets do it without memory of ours
  ::SSL_CTX_set_alpn_select_cb(native, choose_http_1_1, nullptr);

  const auto bad = [](const std::string& file, std::string_view what, const error_code& error) {
    return fail("bad_certificate", "`" + file + "` " + std::string(what), error.message());
  };
  error_code error;
  context->use_certificate_chain_file(certificate_file, error);
  if (error) return bad(certificate_file, "is not a PEM file with a certificate and its chain", error);
  context->use_private_key_file(key_file, ssl::context::pem, error);
  if (error) return bad(key_file, "is not the PEM file of the certificate's private key", error);
  if (::SSL_CTX_check_private_key(native) != 1) return bad(key_file, "is not the key of the certificate", error);
  return context;
}

void expect_host(SSL* tls, const std::string& host) {
  const std::string name = without_dot(host);
  if (IpAddress::parse(name)) {
    ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(tls), name.c_str());
    return;  // SNI is for names only (RFC 6066 §3)
  }
  ::SSL_set_tlsext_host_name(tls, name.c_str());
  ::SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  ::SSL_set1_host(tls, name.c_str());
}

Error tls_error(SSL* tls, const std::string& host, const error_code& error) {
  const long verdict = ::SSL_get_verify_result(tls);
  const auto failed = [](std::string cause) {
    return Error{"tls_failed", "there is no secure connection to the server", std::move(cause)};
  };
  switch (verdict) {
    case X509_V_OK:
      break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return failed("the certificate of " + host + " has expired");
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return failed("the certificate of " + host + " is not valid yet");
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return failed("the certificate that " + host + " shows is for another name");
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return failed("the certificate of " + host + " is self-signed and not among the trusted ones");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return failed("the certificate of " + host +
                    " is signed by nobody who is trusted here, or the server leaves out an intermediate certificate");
    default:
      return failed("the certificate of " + host + " is not accepted: " + ::X509_verify_cert_error_string(verdict));
  }
  if (error.category() == boost::asio::error::get_ssl_category()) {
    const int reason = ERR_GET_REASON(static_cast<unsigned long>(error.value()));
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST) {
      return failed(host + " does not speak TLS on this port");
    }
    if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION) {
      return failed(host + " speaks no TLS of version 1.2 or later");
    }
    if (reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE) {
      return failed(host + " refused the handshake: no cipher in common, or it does not know this name");
    }
  }
  return failed(error.message());
}

}  // namespace resultsync::http
