// /oauth/…: the consent page and the token endpoint.
#include <fmt/format.h>

#include "base/encoding.hpp"
#include "sandbox/faces.hpp"
#include "sandbox/form.hpp"
#include "sandbox/numbers.hpp"
#include "sandbox/pages.hpp"

namespace resultsync::sandbox {
namespace {

// From the query of GET and the form of POST alike.
template <class Read>
AuthorizationRequest authorization_request(Read read) {
  return {.client_id = read("client_id"),
          .redirect_uri = read("redirect_uri"),
          .response_type = read("response_type"),
          .scope = read("scope"),
          .state = read("state"),
          .code_challenge = read("code_challenge"),
          .code_challenge_method = read("code_challenge_method")};
}

Answer back(const AuthorizationRequest& request, std::string_view name, std::string_view value,
            std::string_view description = {}) {
  std::string url = with_parameter(request.redirect_uri, name, value);
  if (!description.empty()) url = with_parameter(std::move(url), "error_description", description);
  if (!request.state.empty()) url = with_parameter(std::move(url), "state", request.state);
  return {redirect(302, std::move(url))};
}

Answer authorize(Network& network, const http::Request& request) {
  const bool decides = request.method == "POST";
  const auto form = Form::read(decides ? std::string_view(request.body) : std::string_view());
  if (!form) return {html(400, problem_page("This form cannot be read", "Go back to the application and try again."))};
  const AuthorizationRequest asked = authorization_request(
      [&](std::string_view name) { return decides ? form->only(name) : request.query(name).value_or(""); });
  const Network::Inside inside = network.enter();
  if (const auto known = inside->oauth.check_client(asked); !known)
    return {html(400, problem_page("This application cannot be connected", known.error().message))};
  if (const auto right = inside->oauth.check_request(asked); !right)
    return back(asked, "error", right.error().code, right.error().message);
  if (!decides) return {html(200, consent_page(inside->world, asked))};
  if (form->only("decision") != "accept")
    return back(asked, "error", "access_denied", "The practitioner did not give consent.");
  const auto practitioner = inside->world.practitioner(form->only("practitioner"));
  if (!practitioner) return {html(400, problem_page("Nobody signed in", "Choose one of the practitioners."))};
  const auto code = inside->oauth.accept(asked, *practitioner, network.real_now());
  if (!code) return back(asked, "error", code.error().code, code.error().message);
  return back(asked, "code", *code);
}

http::Response oauth_error(int status, std::string_view code, std::string_view description) {
  JsonWriter json;
  json.begin_object().member("error", code).member("error_description", description).end_object();
  http::Response response = json_answer(status, json.take());
  response.set_header("Cache-Control", "no-store");
  if (status == 401) response.set_header("WWW-Authenticate", "Basic realm=\"rupa-sandbox\"");
  return response;
}

// RFC 6749 §2.3.1: by Basic (its parts form-encoded) or in the body, not both.
bool is_client(const OAuth& oauth, const http::Request& request, const Form& form) {
  const auto header = request.headers.only("Authorization");
  if (!header)
    return !form.only("client_id").empty() && oauth.is_client(form.only("client_id"), form.only("client_secret"));
  if (form.has("client_secret") || !header->starts_with("Basic ")) return false;
  const auto pair = decode_base64(header->substr(6));
  const std::size_t colon = pair ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos) return false;
  const auto parts = Form::read("id=" + pair->substr(0, colon) + "&secret=" + pair->substr(colon + 1));
  return parts && oauth.is_client(parts->only("id"), parts->only("secret"));
}

// In which dress a network's token endpoint takes its parameters.
std::string_view media_of(const Network& network) {
  return network.options().kind == NetworkKind::kFullscript ? "application/json" : "application/x-www-form-urlencoded";
}
std::optional<Form> read_form(const Network& network, const http::Request& request) {
  if (!request.headers.only("Content-Type").value_or("").starts_with(media_of(network))) return std::nullopt;
  return network.options().kind == NetworkKind::kFullscript ? Form::read_json(request.body) : Form::read(request.body);
}

void write_tokens(JsonWriter& json, const TokenAnswer& tokens) {
  json.member("access_token", tokens.access_token).member("token_type", "Bearer");
  json.member("expires_in", tokens.expires_in).member("refresh_token", tokens.refresh_token);
  json.member("scope", tokens.scope);
}

// Whose tokens they are. The grant is found by its access token, which is new.
std::string fullscript_tokens(const Network& network, const Network::Inside& inside, const TokenAnswer& tokens) {
  const auto grant = inside->oauth.bearer(tokens.access_token, network.real_now());
  JsonWriter json;
  json.begin_object().key("oauth").begin_object();
  write_tokens(json, tokens);
  json.member("created_at", format_timestamp(network.real_now())).key("resource_owner").begin_object();
  json.member("id", grant ? inside->world.practitioners()[grant->practitioner].id.text() : "");
  json.member("type", "Practitioner").end_object().end_object();
  return json.end_object().take();
}

Answer token(Network& network, const http::Request& request) {
  const bool is_fullscript = network.options().kind == NetworkKind::kFullscript;
  const auto form = read_form(network, request);
  if (!form) return {oauth_error(400, "invalid_request", fmt::format("The body has to be {}.", media_of(network)))};
  Network::Inside inside = network.enter();
  if (drawn(inside->switches.token_failing, network.options().world.seed, "token",
            fmt::format("{}", ++inside->api_requests["token"])))
    return {oauth_error(503, "temporarily_unavailable", "Try again later.").set_header("Retry-After", "1")};
  if (!is_client(inside->oauth, request, *form))
    return {oauth_error(401, "invalid_client", "The application's id or secret is wrong.")};
  const std::string grant_type = form->only("grant_type");
  const Timestamp now = network.real_now();
  if (is_fullscript && form->only("redirect_uri").empty())
    return {oauth_error(400, "invalid_request", "redirect_uri is missing.")};
  Result<TokenAnswer> tokens = fail("unsupported_grant_type", "grant_type is authorization_code or refresh_token.");
  if (grant_type == "authorization_code") {
    tokens = form->only("code").empty() ? fail("invalid_request", "code is missing.")
                                        : inside->oauth.exchange(form->only("code"), form->only("redirect_uri"),
                                                                 form->only("code_verifier"), now);
  } else if (grant_type == "refresh_token") {
    tokens = form->only("refresh_token").empty() ? fail("invalid_request", "refresh_token is missing.")
                                                 : inside->oauth.refresh(form->only("refresh_token"), now);
  }
  if (!tokens) return {oauth_error(400, tokens.error().code, tokens.error().message)};
  if (grant_type == "authorization_code") {
    const Grant& grant = inside->oauth.grants().back();
    inside->ever_connected.insert(inside->world.practitioners()[grant.practitioner].clinic);
  }
  JsonWriter json;
  json.begin_object();
  write_tokens(json, *tokens);
  json.end_object();
  http::Response response = json_answer(200, is_fullscript ? fullscript_tokens(network, inside, *tokens) : json.take());
  response.set_header("Cache-Control", "no-store").set_header("Pragma", "no-cache");
  return {std::move(response)};
}

Answer revoke(Network& network, const http::Request& request) {
  const auto form = read_form(network, request);
  if (!form) return {oauth_error(400, "invalid_request", "The body cannot be read.")};
  const Network::Inside inside = network.enter();
  if (!is_client(inside->oauth, request, *form))
    return {oauth_error(401, "invalid_client", "The application's id or secret is wrong.")};
  inside->oauth.revoke(form->only("token"));
  if (network.options().kind == NetworkKind::kFullscript) return {json_answer(200, "{}")};
  return {http::Response{.status = 200, .content_type = ""}};
}

}  // namespace

Answer answer_oauth(Network& network, const http::Request& request, std::string_view path) {
  const bool get = request.method == "GET" || request.method == "HEAD";
  const bool post = request.method == "POST";
  if (path == "/oauth/authorize" && (get || post)) return authorize(network, request);
  if (path == "/oauth/token" && post) return token(network, request);
  if ((path == "/oauth/revoke_token" || path == "/oauth/revoke") && post) return revoke(network, request);
  if (path == "/oauth/authorize" || path == "/oauth/token" || path == "/oauth/revoke_token" ||
      path == "/oauth/revoke") {
    http::Response response = oauth_error(405, "invalid_request", "This method is not allowed.");
    response.set_header("Allow", path == "/oauth/authorize" ? "GET, POST" : "POST");
    return {std::move(response)};
  }
  return {oauth_error(404, "invalid_request", "Not found.")};
}

}  // namespace resultsync::sandbox
