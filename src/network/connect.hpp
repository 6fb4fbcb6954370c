// Connecting a practitioner: a one-use link, the network's consent page, the callback, and what follows from it.
//
//   POST …/connect-link ─▶ {public}/connect/TOKEN ─▶ page with a button ─▶ network's consent page
//        ─▶ {public}/oauth/callback ─▶ tokens ─▶ Practitioner endpoint ─▶ Connection ─▶ back-fill
//
// The link is worth 15 minutes and one use, so nobody can bind a clinic of theirs to someone else's practitioner; a
// look at it (a preview in a chat, say) is no use. The `state` that comes back is good once, and only in the browser
// that left: a cookie holds the other half of what is stored. Links, states and cookies stand in the store as digests.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "http/message.hpp"
#include "network/api_client.hpp"
#include "network/documents.hpp"
#include "runtime/threads.hpp"

namespace resultsync::network {

// Blocks, but for handle(). Thread-safe.
class Connect {
 public:
  Connect(const World& world, Tokens& tokens, ApiClient& api, std::function<void()> run_added);
  ~Connect();

  // Where browsers reach the public listener; known once it listens.
  void set_public_url(std::string url);

  struct Link {
    std::string url;
    Timestamp expires_at;
  };
  // Errors: `no_api` (the source has no API or no client id), and those of the store.
  Result<Link> make_link(const SourceId& source, const AppPractitionerId& practitioner);

  // Whether a path of the public listener is ours.
  [[nodiscard]] static bool is_ours(std::string_view path);
  // Answers it with a page for a person, from a thread of its own. Never blocks.
  void handle(http::Request request, http::Responder respond);
  void stop();

 private:
  http::Response answer(const http::Request& request);
  http::Response show_link(const std::string& token);
  http::Response use_link(const http::Request& request, const std::string& token);
  // What became of a consent: the page that says so, and what the audit log says of it.
  struct Outcome {
    http::Response page;
    std::string audited;      // "200", "403 access_denied"
    std::string clinic = {};  // that was connected
  };
  http::Response callback(const http::Request& request);
  Outcome end_visit(const store::ConnectLink& link, const http::Request& request);
  [[nodiscard]] std::optional<store::ConnectLink> link_of_visit(const std::string& state,
                                                                const std::string& cookie) const;
  Result<bool> finish_link(const Sha256& state);
  Result<std::string> conclude(const store::ConnectLink& link, const std::string& code);

  const World& world_;
  Tokens& tokens_;
  ApiClient& api_;
  [[nodiscard]] std::string public_url() const;

  const std::function<void()> run_added_;
  mutable std::mutex mutex_;
  std::string public_url_;  // guarded by mutex_
  std::unique_ptr<runtime::Workers> workers_;
};

}  // namespace resultsync::network
