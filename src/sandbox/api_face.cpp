// The JSON:API resources: who asks, what they may see, pages, compound documents.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>

#include "base/encoding.hpp"
#include "sandbox/api_error.hpp"
#include "sandbox/api_guard.hpp"
#include "sandbox/faces.hpp"
#include "sandbox/form.hpp"
#include "sandbox/intent_body.hpp"
#include "sandbox/numbers.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::int64_t kPageSize = 25;
constexpr std::int64_t kPageSizeMax = 100;
constexpr std::size_t kPatientsMax = 100'000;  // in the world, and as many intents; beyond: 503
constexpr std::string_view kMedia = "application/vnd.api+json";

// Which resource. `second` is the index of an ordered test in its order.
enum class Kind { kPractitioner, kClinic, kPatient, kLabCompany, kLabTest, kOrder, kOrderedTest, kOrderIntent };
struct Ref {
  Kind kind;
  std::size_t first = 0, second = 0;
  auto operator<=>(const Ref&) const = default;
};

// One request on its way: who asks, and the moment that it sees.
class Call {
 public:
  Call(Network& network, const http::Request& request, Network::Inside& inside, const Grant& grant)
      : network_(network), request_(request), inside_(inside), world_(inside->world), grant_(grant) {
    clinic_ = world_.practitioners()[grant.practitioner].clinic;
  }

  http::Response answer(std::string_view path) {
    // "/orders/ord_1" → "orders", "ord_1"
    const std::size_t slash = path.find('/', 1);
    const std::string_view collection = path.substr(1, slash == std::string_view::npos ? slash : slash - 1);
    const std::string_view id = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
    if (id.contains('/')) return not_found();
    const bool get = request_.method == "GET" || request_.method == "HEAD";
    const bool writes = request_.method == "POST" || request_.method == "PATCH";
    if (writes && !grant_.scope.contains("write"))
      return error_answer({403, "permission_denied", "You do not have permission to perform this action."});

    const bool one = !id.empty();
    if (collection == "practitioners") return get ? (one ? practitioner(id) : practitioners()) : not_allowed("GET");
    if (collection == "clinics") return get ? clinics(id) : not_allowed("GET");
    if (collection == "lab-companies") return get ? lab_companies_at(id) : not_allowed("GET");
    if (collection == "lab-tests") return get ? lab_tests_at(id) : not_allowed("GET");
    if (collection == "orders") return get ? (one ? order(id) : orders()) : not_allowed("GET");
    if (collection == "ordered-tests" && one) return get ? ordered_test(id) : not_allowed("GET");
    if (collection == "patients") {
      if (get) return one ? patient(id) : patients();
      if (request_.method == "POST" && !one) return make_patient();
      if (request_.method == "PATCH" && one) return change_patient(id);
      return not_allowed(one ? "GET, PATCH" : "GET, POST");
    }
    if (collection == "order-intents") {
      if (get) return one ? order_intent(id) : order_intents();
      if (request_.method == "POST" && !one) return make_intent();
      if (request_.method == "PATCH" && one) return change_intent(id);
      return not_allowed(one ? "GET, PATCH" : "GET, POST");
    }
    return not_found();
  }

 private:
  static http::Response not_found() { return error_answer({404, "not_found", "Not found."}); }
  http::Response not_allowed(std::string methods) const {
    http::Response response =
        error_answer({405, "method_not_allowed", fmt::format("Method \"{}\" not allowed.", request_.method)});
    response.set_header("Allow", std::move(methods));
    return response;
  }

  // Reads.
  http::Response practitioner(std::string_view id) {
    if (id == "me") return single({Kind::kPractitioner, grant_.practitioner});
    const auto index = world_.practitioner(id);
    if (!index || world_.practitioners()[*index].clinic != clinic_) return not_found();
    return single({Kind::kPractitioner, *index});
  }
  http::Response practitioners() {
    std::vector<Ref> all;
    for (std::size_t i = 0; i < world_.practitioners().size(); ++i) {
      if (world_.practitioners()[i].clinic == clinic_) all.push_back({Kind::kPractitioner, i});
    }
    return list(all);
  }
  http::Response clinics(std::string_view id) {
    if (id.empty()) return list({{Kind::kClinic, clinic_}});
    return world_.clinic(id) == clinic_ ? single({Kind::kClinic, clinic_}) : not_found();
  }
  http::Response lab_companies_at(std::string_view id) {
    if (!id.empty()) {
      const auto index = World::lab_company(id);
      return index ? single({Kind::kLabCompany, *index}) : not_found();
    }
    std::vector<Ref> all;
    for (std::size_t i = 0; i < lab_companies().size(); ++i) all.push_back({Kind::kLabCompany, i});
    return list(all);
  }
  http::Response lab_tests_at(std::string_view id) {
    if (!id.empty()) {
      const auto index = World::lab_test(id);
      return index ? single({Kind::kLabTest, *index}) : not_found();
    }
    const auto company = request_.query("filter[lab_company]");
    const std::string words = lower(request_.query("filter[search]").value_or(""));
    std::vector<Ref> all;
    for (std::size_t i = 0; i < lab_tests().size(); ++i) {
      if (company && World::lab_company(*company) != lab_tests()[i].company) continue;
      if (!words.empty() && !lower(lab_tests()[i].name).contains(words)) continue;
      all.push_back({Kind::kLabTest, i});
    }
    return list(all);
  }
  http::Response orders() {
    const auto of_patient = request_.query("filter[patient]"), status = request_.query("filter[status]"),
               of_intent = request_.query("filter[order_intent]");
    const std::string sort = request_.query("sort").value_or("date_submitted");
    if (sort != "date_submitted" && sort != "-date_submitted")
      return error_answer({.detail = fmt::format("invalid sort parameter: {}", sort), .parameter = "sort"});
    std::vector<Ref> all;
    for (std::size_t i = 0; i < world_.orders().size(); ++i) {
      const Order& one = world_.orders()[i];
      if (world_.clinic_of(one) != clinic_) continue;
      if (of_patient && world_.patients()[one.patient].person.id != *of_patient) continue;
      if (status && status_text(one.state) != *status) continue;
      if (of_intent && (!one.intent || world_.intents()[*one.intent].id != *of_intent)) continue;
      all.push_back({Kind::kOrder, i});
    }
    std::ranges::sort(all, {}, [&](const Ref& ref) { return std::pair(world_.orders()[ref.first].submitted, ref); });
    if (sort.starts_with('-')) std::ranges::reverse(all);
    return list(all);
  }
  http::Response order(std::string_view id) {
    const auto index = world_.order(id);
    if (!index || world_.clinic_of(world_.orders()[*index]) != clinic_) return not_found();
    return single({Kind::kOrder, *index});
  }
  http::Response ordered_test(std::string_view id) {
    const auto place = world_.ordered_test(id);
    if (!place || world_.clinic_of(world_.orders()[place->order]) != clinic_) return not_found();
    return single({Kind::kOrderedTest, place->order, place->test});
  }
  [[nodiscard]] bool is_ours(const Patient& one) const {
    return world_.practitioners()[one.practitioner].clinic == clinic_;
  }
  http::Response patients() {
    const auto email = request_.query("filter[email]"), first = request_.query("filter[first_name]"),
               last = request_.query("filter[last_name]"), birthday = request_.query("filter[birthday]");
    std::vector<Ref> all;
    for (std::size_t i = 0; i < world_.patients().size(); ++i) {
      const Patient& one = world_.patients()[i];
      if (!is_ours(one) || (email && lower(*email) != lower(one.email)) ||
          (first && lower(*first) != lower(one.person.first_name)) ||
          (last && lower(*last) != lower(one.person.last_name)) || (birthday && *birthday != one.person.birthday))
        continue;
      all.push_back({Kind::kPatient, i});
    }
    return list(all);
  }
  http::Response patient(std::string_view id) {
    const auto index = world_.patient(id);
    return index && is_ours(world_.patients()[*index]) ? single({Kind::kPatient, *index}) : not_found();
  }
  http::Response order_intents() {
    std::vector<Ref> all;
    for (std::size_t i = 0; i < world_.intents().size(); ++i) {
      if (world_.practitioners()[world_.intents()[i].practitioner].clinic == clinic_)
        all.push_back({Kind::kOrderIntent, i});
    }
    return list(all);
  }
  [[nodiscard]] std::optional<std::size_t> intent_at(std::string_view id) const {
    const auto index = world_.intent(id);
    if (!index || world_.practitioners()[world_.intents()[*index].practitioner].clinic != clinic_) return std::nullopt;
    return index;
  }
  http::Response order_intent(std::string_view id) {
    const auto index = intent_at(id);
    return index ? single({Kind::kOrderIntent, *index}) : not_found();
  }

  // Writes.
  [[nodiscard]] std::optional<BodyForm> body_form() const {
    const std::string type(request_.headers.only("Content-Type").value_or(""));
    if (type.starts_with(kMedia)) return BodyForm::kJsonApi;
    if (type.starts_with("application/json")) return BodyForm::kFlat;
    return std::nullopt;
  }
  http::Response unsupported() const {
    return error_answer(
        {415, "unsupported_media_type",
         fmt::format("Unsupported media type \"{}\" in request.", request_.headers.only("Content-Type").value_or(""))});
  }
  [[nodiscard]] std::optional<std::size_t> patient_by_email(const std::string& email) const {
    for (std::size_t i = 0; i < world_.patients().size(); ++i) {
      if (is_ours(world_.patients()[i]) && lower(world_.patients()[i].email) == lower(email)) return i;
    }
    return std::nullopt;
  }
  static void apply(const PatientBody& body, Patient& patient) {
    const auto set = [](std::string& member, const std::optional<std::string>& value) {
      if (value) member = *value;
    };
    set(patient.email, body.email);
    set(patient.person.first_name, body.first_name);
    set(patient.person.last_name, body.last_name);
    set(patient.person.phone, body.phone);
    set(patient.person.birthday, body.birthday);
    set(patient.person.gender, body.gender);
    set(patient.person.address.street_1, body.street);
    set(patient.person.address.city, body.city);
    set(patient.person.address.state, body.state);
    set(patient.person.address.zip, body.zipcode);
  }
  std::size_t add_patient(const PatientBody& body) {
    Patient patient;
    patient.practitioner = grant_.practitioner;
    apply(body, patient);
    return inside_->world.add_patient(std::move(patient));
  }
  static http::Response too_many() { return error_answer({503, "error", "The sandbox is full; restart it."}); }

  http::Response make_patient() {
    if (body_form() != BodyForm::kJsonApi) return unsupported();
    const auto read = read_patient(request_.body, Completeness::kWhole);
    if (!read.errors.empty()) return error_answer(read.errors);
    if (patient_by_email(*read.body.email))
      return error_answer({409, "conflict", "A patient with this email exists.", "/data/attributes/email"});
    if (world_.patients().size() >= kPatientsMax) return too_many();
    return created({Kind::kPatient, add_patient(read.body)}, "patients");
  }
  http::Response change_patient(std::string_view id) {
    if (body_form() != BodyForm::kJsonApi) return unsupported();
    const auto index = world_.patient(id);
    if (!index || !is_ours(world_.patients()[*index])) return not_found();
    const auto read = read_patient(request_.body, Completeness::kPatch);
    if (!read.errors.empty()) return error_answer(read.errors);
    if (read.body.email && patient_by_email(*read.body.email).value_or(*index) != *index)
      return error_answer({409, "conflict", "A patient with this email exists.", "/data/attributes/email"});
    apply(read.body, inside_->world.edit_patient(*index));
    return single({Kind::kPatient, *index});
  }

  // What the ids of an intent's body stand for; errors are appended.
  void resolve(const IntentBody& body, OrderIntent& intent, std::vector<ApiError>& errors) {
    if (body.patient) {
      const auto index = world_.patient(*body.patient);
      if (index && is_ours(world_.patients()[*index])) {
        intent.patient = *index;
      } else {
        errors.push_back({.detail = fmt::format("Invalid pk \"{}\" - object does not exist.", *body.patient),
                          .pointer = "/data/relationships/patient"});
      }
    }
    if (body.lab_tests) intent.tests.clear();
    for (const std::string& id : body.lab_tests.value_or(std::vector<std::string>())) {
      const auto test = World::lab_test(id);
      if (!test) {
        errors.push_back({.detail = fmt::format("Invalid pk \"{}\" - object does not exist.", id),
                          .pointer = "/data/relationships/lab_tests"});
      } else if (std::ranges::find(intent.tests, *test) == intent.tests.end()) {
        intent.tests.push_back(*test);
      }
    }
    if (body.return_url) intent.return_url = *body.return_url;
    if (body.metadata) intent.metadata = *body.metadata;
  }
  http::Response make_intent() {
    const auto form = body_form();
    if (!form) return unsupported();
    const auto read = read_intent(request_.body, *form, Completeness::kWhole);
    std::vector<ApiError> errors = read.errors;
    OrderIntent intent;
    intent.practitioner = grant_.practitioner;
    resolve(read.body, intent, errors);
    if (!errors.empty()) return error_answer(errors);
    if (world_.intents().size() >= kPatientsMax || world_.patients().size() >= kPatientsMax) return too_many();
    if (!read.body.patient) {
      const auto known = patient_by_email(*read.body.patient_data->email);
      intent.patient = known ? *known : add_patient(*read.body.patient_data);
    }
    const std::size_t index = inside_->world.add_intent(std::move(intent));
    if (*form == BodyForm::kJsonApi) return created({Kind::kOrderIntent, index}, "order-intents");
    const std::string& id = world_.intents()[index].id;
    const std::string checkout = network_.base() + "/checkout/" + id;
    JsonWriter json;
    json.begin_object().member("id", id).member("redirect_url", checkout).member("checkout_url", checkout).end_object();
    return json_answer(201, json.take());
  }
  http::Response change_intent(std::string_view id) {
    if (body_form() != BodyForm::kJsonApi) return unsupported();
    const auto index = intent_at(id);
    if (!index) return not_found();
    if (world_.intents()[*index].state != IntentState::kOpen)
      return error_answer({409, "conflict", "The order intent was submitted."});
    const auto read = read_intent(request_.body, BodyForm::kJsonApi, Completeness::kPatch);
    std::vector<ApiError> errors = read.errors;
    OrderIntent intent = world_.intents()[*index];
    resolve(read.body, intent, errors);
    if (!errors.empty()) return error_answer(errors);
    inside_->world.edit_intent(*index) = std::move(intent);
    return single({Kind::kOrderIntent, *index});
  }

  // Documents.
  static std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
  }

  void write(JsonWriter& json, const Ref& ref) {
    switch (ref.kind) {
      case Kind::kPractitioner:
        return write_practitioner(json, world_, ref.first);
      case Kind::kClinic:
        return write_clinic(json, world_, ref.first);
      case Kind::kPatient:
        return write_patient(json, world_, ref.first);
      case Kind::kLabCompany:
        return write_lab_company(json, ref.first);
      case Kind::kLabTest:
        return write_lab_test(json, ref.first);
      case Kind::kOrder:
        return write_order(json, world_, ref.first);
      case Kind::kOrderedTest:
        return write_ordered_test(json, world_, {ref.first, ref.second}, network_.forms(inside_));
      case Kind::kOrderIntent:
        return write_order_intent(json, world_, ref.first, network_.base());
    }
  }

  // Where a relationship leads from a resource; nothing if it has none of that name.
  [[nodiscard]] std::optional<std::vector<Ref>> follow(const Ref& from, std::string_view name) const {
    std::vector<Ref> to;
    switch (from.kind) {
      case Kind::kPractitioner:
        if (name == "clinic") return std::vector{Ref{Kind::kClinic, world_.practitioners()[from.first].clinic}};
        return std::nullopt;
      case Kind::kClinic:
        if (name != "practitioners") return std::nullopt;
        for (std::size_t i = 0; i < world_.practitioners().size(); ++i) {
          if (world_.practitioners()[i].clinic == from.first) to.push_back({Kind::kPractitioner, i});
        }
        return to;
      case Kind::kPatient: {
        const std::size_t practitioner = world_.patients()[from.first].practitioner;
        if (name == "practitioner") return std::vector{Ref{Kind::kPractitioner, practitioner}};
        if (name == "clinic") return std::vector{Ref{Kind::kClinic, world_.practitioners()[practitioner].clinic}};
        return std::nullopt;
      }
      case Kind::kLabCompany:
        return std::nullopt;
      case Kind::kLabTest:
        if (name == "lab_company") return std::vector{Ref{Kind::kLabCompany, lab_tests()[from.first].company}};
        return std::nullopt;
      case Kind::kOrderedTest:
        if (name != "lab_test") return std::nullopt;
        return std::vector{Ref{Kind::kLabTest, world_.orders()[from.first].tests[from.second].test}};
      case Kind::kOrder: {
        const Order& order = world_.orders()[from.first];
        if (name == "patient") return std::vector{Ref{Kind::kPatient, order.patient}};
        if (name == "patients_practitioner") return std::vector{Ref{Kind::kPractitioner, order.practitioner}};
        if (name == "signing_practitioner") return std::vector{Ref{Kind::kPractitioner, order.signer}};
        if (name == "order_intent") {
          if (order.intent) to.push_back({Kind::kOrderIntent, *order.intent});
          return to;
        }
        if (name != "ordered_tests") return std::nullopt;
        for (std::size_t i = 0; i < order.tests.size(); ++i) to.push_back({Kind::kOrderedTest, from.first, i});
        return to;
      }
      case Kind::kOrderIntent: {
        const OrderIntent& intent = world_.intents()[from.first];
        if (name == "patient") return std::vector{Ref{Kind::kPatient, intent.patient}};
        if (name == "practitioner") return std::vector{Ref{Kind::kPractitioner, intent.practitioner}};
        if (name == "order") {
          if (intent.order) to.push_back({Kind::kOrder, *intent.order});
          return to;
        }
        if (name != "lab_tests") return std::nullopt;
        for (const std::size_t test : intent.tests) to.push_back({Kind::kLabTest, test});
        return to;
      }
    }
    return std::nullopt;
  }

  // Whether a path of relationships exists from this kind of resource at all, whatever one of them has.
  static bool path_exists(Kind kind, std::string_view path) {
    struct Edge {
      Kind from;
      std::string_view name;
      Kind to;
    };
    static constexpr Edge kEdges[] = {{Kind::kPractitioner, "clinic", Kind::kClinic},
                                      {Kind::kClinic, "practitioners", Kind::kPractitioner},
                                      {Kind::kPatient, "clinic", Kind::kClinic},
                                      {Kind::kPatient, "practitioner", Kind::kPractitioner},
                                      {Kind::kLabTest, "lab_company", Kind::kLabCompany},
                                      {Kind::kOrderedTest, "lab_test", Kind::kLabTest},
                                      {Kind::kOrder, "ordered_tests", Kind::kOrderedTest},
                                      {Kind::kOrder, "patient", Kind::kPatient},
                                      {Kind::kOrder, "patients_practitioner", Kind::kPractitioner},
                                      {Kind::kOrder, "signing_practitioner", Kind::kPractitioner},
                                      {Kind::kOrder, "order_intent", Kind::kOrderIntent},
                                      {Kind::kOrderIntent, "patient", Kind::kPatient},
                                      {Kind::kOrderIntent, "practitioner", Kind::kPractitioner},
                                      {Kind::kOrderIntent, "lab_tests", Kind::kLabTest},
                                      {Kind::kOrderIntent, "order", Kind::kOrder}};
    while (true) {
      const std::size_t dot = path.find('.');
      const std::string_view name = path.substr(0, dot);
      const auto* edge =
          std::ranges::find_if(kEdges, [&](const Edge& one) { return one.from == kind && one.name == name; });
      if (edge == std::end(kEdges)) return false;
      if (dot == std::string_view::npos) return true;
      kind = edge->to;
      path.remove_prefix(dot + 1);
    }
  }

  // The paths of `include`; an error if one of them does not exist.
  Result<std::vector<std::string>> paths(Kind kind) const {
    const auto asked = request_.query("include");
    if (!asked) {
      if (kind != Kind::kOrder) return std::vector<std::string>();
      return std::vector<std::string>{"ordered_tests", "patients_practitioner", "signing_practitioner"};
    }
    std::vector<std::string> found;
    std::string_view rest = *asked;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      const std::string_view path = rest.substr(0, comma);
      rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
      if (found.size() >= 20 || !path_exists(kind, path))
        return fail("invalid", fmt::format("This endpoint does not support the include parameter for path {}", path));
      found.emplace_back(path);
    }
    return found;
  }

  void include(const std::vector<Ref>& primary, const std::vector<std::string>& names, JsonWriter& json) {
    std::set<Ref> done(primary.begin(), primary.end());
    std::vector<Ref> order;
    for (const std::string& name : names) {
      std::vector<Ref> at = primary;
      std::string_view rest = name;
      while (!rest.empty()) {
        const std::size_t dot = rest.find('.');
        std::vector<Ref> next;
        for (const Ref& from : at) {
          for (const Ref& to : follow(from, rest.substr(0, dot)).value_or(std::vector<Ref>())) {
            next.push_back(to);
            if (done.insert(to).second) order.push_back(to);
          }
        }
        at = std::move(next);
        rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
      }
    }
    if (names.empty()) return;
    json.key("included").begin_array();
    for (const Ref& ref : order) write(json, ref);
    json.end_array();
  }

  http::Response single(const Ref& ref, int status = 200) {
    const auto names = paths(ref.kind);
    if (!names) return error_answer({.detail = names.error().message, .parameter = "include"});
    JsonWriter json;
    json.begin_object().key("data");
    write(json, ref);
    include({ref}, *names, json);
    json.end_object();
    return {.status = status, .content_type = std::string(kMedia), .body = json.take()};
  }

  http::Response created(const Ref& ref, std::string_view collection) {
    http::Response response = single(ref, 201);
    const std::string id =
        ref.kind == Kind::kPatient ? world_.patients()[ref.first].person.id : world_.intents()[ref.first].id;
    response.set_header("Location", fmt::format("{}/{}/{}", network_.base(), collection, id));
    return response;
  }

  static std::optional<std::int64_t> number(const std::optional<std::string>& text, std::int64_t fallback) {
    if (!text) return fallback;
    std::int64_t value = 0;
    const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (problem != std::errc{} || end != text->data() + text->size() || value < 1) return std::nullopt;
    return value;
  }

  // The address of another page: the same request, with its own page[number].
  [[nodiscard]] std::string page_link(std::int64_t page, std::int64_t size) const {
    std::string query;
    for (const char* name :
         {"filter[patient]", "filter[status]", "filter[order_intent]", "filter[email]", "filter[first_name]",
          "filter[last_name]", "filter[birthday]", "filter[lab_company]", "filter[search]", "include", "sort"}) {
      if (const auto value = request_.query(name))
        query = with_parameter(std::move(query), percent_encoded(name), *value);
    }
    query = with_parameter(std::move(query), percent_encoded("page[number]"), std::to_string(page));
    query = with_parameter(std::move(query), percent_encoded("page[size]"), std::to_string(size));
    std::string path = request_.path;
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return network_.base() + path + query;
  }

  http::Response list(const std::vector<Ref>& all) {
    const auto page = number(request_.query("page[number]"), 1);
    const auto size = number(request_.query("page[size]"), kPageSize);
    const auto count = static_cast<std::int64_t>(all.size());
    const std::int64_t each = std::min(size.value_or(kPageSize), kPageSizeMax);
    const std::int64_t pages = std::max<std::int64_t>((count + each - 1) / each, 1);
    if (!page || !size || *page > pages) return error_answer({404, "not_found", "Invalid page."});
    const Kind kind = all.empty() ? Kind::kLabCompany : all.front().kind;
    const auto names = all.empty() ? Result<std::vector<std::string>>(std::vector<std::string>()) : paths(kind);
    if (!names) return error_answer({.detail = names.error().message, .parameter = "include"});
    const auto from = all.begin() + (*page - 1) * each;
    const std::vector<Ref> shown(from, all.begin() + std::min(count, *page * each));

    JsonWriter json;
    json.begin_object().key("links").begin_object();
    json.member("first", page_link(1, each)).member("last", page_link(pages, each));
    json.member("next", *page < pages ? std::optional(page_link(*page + 1, each)) : std::nullopt);
    json.member("prev", *page > 1 ? std::optional(page_link(*page - 1, each)) : std::nullopt).end_object();
    json.key("data").begin_array();
    for (const Ref& ref : shown) write(json, ref);
    json.end_array();
    include(shown, *names, json);
    json.key("meta").begin_object().key("pagination").begin_object();
    json.member("page", *page).member("pages", pages).member("count", count).end_object().end_object().end_object();
    return {.status = 200, .content_type = std::string(kMedia), .body = json.take()};
  }

  Network& network_;
  const http::Request& request_;
  Network::Inside& inside_;
  const World& world_;
  const Grant grant_;
  std::size_t clinic_ = 0;
};

}  // namespace

Answer answer_api(Network& network, const http::Request& request, std::string_view path) {
  return guarded(network, request, [&](Network::Inside& inside, const Grant& grant) {
    return Call(network, request, inside, grant).answer(path);
  });
}

}  // namespace resultsync::sandbox
