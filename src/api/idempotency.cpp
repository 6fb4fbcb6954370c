#include "api/idempotency.hpp"

#include <algorithm>

#include "runtime/random.hpp"
#include "runtime/sealing.hpp"

namespace resultsync::api {
namespace {

constexpr std::size_t kKeyBytesMax = 255;
constexpr std::size_t kNonceBytes = sizeof(runtime::SealNonce);

bool is_fit(std::string_view key) {
  return !key.empty() && key.size() <= kKeyBytesMax &&
         std::ranges::all_of(key, [](char c) { return c > 0x20 && c < 0x7F; });
}

// "name: value" lines, an empty one, the body; the content type first.
std::string text_of(const http::Response& response) {
  std::string text = response.content_type + "\n";
  for (const http::Header& header : response.headers) text += header.name + ": " + header.value + "\n";
  return text + "\n" + response.body;
}

http::Response response_of(int status, std::string_view text) {
  http::Response response;
  response.status = status;
  const auto line = [&] {
    const auto end = text.find('\n');
    const std::string_view taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
  };
  response.content_type = line();
  for (auto header = line(); !header.empty(); header = line()) {
    const auto colon = header.find(": ");
    response.set_header(std::string(header.substr(0, colon)), std::string(header.substr(colon + 2)));
  }
  response.body = text;
  response.set_header("Idempotency-Replayed", "true");
  return response;
}

Secret<runtime::Key256> key_of(const runtime::MasterKey& master, const IdempotentWrite& write) {
  return master.derived("idempotency v1\n" + write.caller + "\n" + write.key);
}

runtime::SealNonce nonce_in(std::string_view bytes) {
  runtime::SealNonce nonce{};
  std::ranges::transform(bytes.substr(0, kNonceBytes), nonce.begin(),
                         [](char byte) { return static_cast<std::uint8_t>(byte); });
  return nonce;
}

}  // namespace

Checked<std::optional<IdempotentWrite>> idempotent_write(const Route& route, const Call& call,
                                                         std::string_view target) {
  if ((route.method != "POST" && route.method != "PUT") || call.headers.count("Idempotency-Key") == 0)
    return std::optional<IdempotentWrite>{};
  const auto key = call.headers.only("Idempotency-Key");
  if (!key || !is_fit(*key)) {
    return std::unexpected(
        bad_parameter("Idempotency-Key", "must stand once, and be 1 to 255 printable characters without spaces"));
  }
  const std::string asked = std::string(route.method) + " " + std::string(target) + "\n" + call.body;
  return std::optional(IdempotentWrite{call.caller.name, std::string(*key), sha256(asked)});
}

std::variant<std::monostate, http::Response, Problem> Idempotency::claim(store::ViewsTransaction& transaction,
                                                                         const IdempotentWrite& write,
                                                                         Timestamp now) const {
  transaction.access().forget_idempotency_before({now.microseconds - kIdempotencyMicroseconds});
  const Sha256 name = sha256(write.key);
  const auto row = transaction.read().access().idempotency(write.caller, name);
  if (row && row->request != write.request) {
    return Problem{.status = 422,
                   .code = "idempotency_key_reused",
                   .title = "This Idempotency-Key was used for another request. Take a new one for each write."};
  }
  if (row && row->status == 0 && now.microseconds - row->started_at.microseconds < kInProgressMicroseconds) {
    return Problem{.status = 409,
                   .code = "in_progress",
                   .title = "The same write is being done just now. Ask again for its answer shortly.",
                   .retry_after_seconds = 1};
  }
  if (row && row->status != 0 && row->answer.size() > kNonceBytes) {
    runtime::Unsealer unsealer(key_of(master_, write));
    const std::string_view sealed = row->answer;
    const auto text = unsealer.open(nonce_in(sealed), write.caller, sealed.substr(kNonceBytes));
    if (text) return response_of(row->status, *text);
    return store_failed(text.error());
  }
  transaction.access().save_idempotency({write.caller, name, write.request, now, 0, {}});
  return std::monostate{};
}

void Idempotency::keep(store::ViewsTransaction& transaction, const IdempotentWrite& write,
                       const http::Response& response, Timestamp now) const {
  const Sha256 name = sha256(write.key);
  if (response.status >= 500) return transaction.access().forget_idempotency(write.caller, name);
  std::string sealed = runtime::random_bytes(kNonceBytes);
  runtime::Sealer sealer(key_of(master_, write));
  sealer.seal(nonce_in(sealed), write.caller, text_of(response), sealed);
  transaction.access().save_idempotency({write.caller, name, write.request, now, response.status, std::move(sealed)});
}

}  // namespace resultsync::api
