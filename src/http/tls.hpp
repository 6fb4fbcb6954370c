// TLS for both sides, on OpenSSL. Inside http/ only: its types are Asio's.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "base/result.hpp"

namespace resultsync::http {

using TlsContext = boost::asio::ssl::context;

// Verifies servers against the bundle in `ca_file`, or the system's store if it is empty; TLS 1.2 and later. Errors:
// `bad_ca_file`.
Result<std::shared_ptr<TlsContext>> client_tls(const std::string& ca_file);

// Shows the certificate (with its chain) to clients; HTTP/1.1 is all it agrees to (ALPN). Errors: `bad_certificate`,
// with what is wrong: a file that cannot be read, a key of another certificate.
Result<std::shared_ptr<TlsContext>> server_tls(const std::string& certificate_file, const std::string& key_file);

// Has the handshake on `tls` name `host` (SNI) and accept a certificate for it only; an IP address is looked for among
// the certificate's IP addresses.
void expect_host(SSL* tls, const std::string& host);

// What a person can do something about: "the certificate has expired", "is for another name", "is signed by nobody we
// know".
Error tls_error(SSL* tls, const std::string& host, const boost::system::error_code& error);

}  // namespace resultsync::http
