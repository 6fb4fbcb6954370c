#include "api/fhir/search.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>

#include "api/fhir/match.hpp"
#include "api/fhir/source.hpp"
#include "base/encoding.hpp"
#include "fhir/terms.hpp"

namespace resultsync::api::fhir_face {
namespace {

using fhir::Resource;
using fhir::Type;
using store::ResultRow;
using store::ResultSearch;

// Where to look. Each is one query of the views; what any of them finds is a candidate.
using Plans = std::vector<ResultSearch>;

const Criterion* criterion_named(const SearchRequest& request, std::string_view name) {
  const auto found = std::ranges::find(request.criteria, name, &Criterion::name);
  return found == request.criteria.end() ? nullptr : &*found;
}

// Where a resource of that id stands: its prefix names an ordered test, or a patient.
void plan_id(Plans& plans, const ResultSearch& common, const std::string& id, store::ViewsSnapshot& snapshot) {
  ResultSearch search = common;
  const std::string prefix(fhir::prefix_of(id));
  if (prefix.empty()) return;
  if (auto patient = snapshot.results().patient_named(prefix)) {
    search.patient = std::move(*patient);
  } else {
    search.test_prefix = prefix;
  }
  plans.push_back(std::move(search));
}

constexpr std::string_view kNetworkSystem = "urn:resultsync:";

// The network's ids are columns of the views; all other identifiers stand in the index of terms.
void plan_identifier(Plans& plans, const ResultSearch& common, const TokenValue& token, const Service& service) {
  const bool is_network = token.system && token.system->starts_with(kNetworkSystem);
  if (!is_network) {
    ResultSearch search = common;
    search.identifier = service.context.sync.apply_options().index.key.identifier(token.code);
    plans.push_back(std::move(search));
  }
  if (token.system && !is_network) return;
  for (const SourceId& source : service.context.sources) {
    ResultSearch search = common;
    search.patient = {source, PatientId(token.code)};
    plans.push_back(std::move(search));
  }
  ResultSearch by_order = common;
  by_order.order = OrderId(token.code);
  plans.push_back(std::move(by_order));
  ResultSearch by_test = common;
  by_test.test = OrderedTestId(token.code);
  plans.push_back(std::move(by_test));
}

// Of these types every identifier that is matched is in the index (sync/result_names.hpp), or the network's.
bool has_indexed_identifiers(Type type) {
  return type == Type::diagnostic_report || type == Type::observation || type == Type::service_request ||
         type == Type::specimen || type == Type::patient;
}

bool has_code(const TokenValue& token) {
  return !token.code.empty();
}

// The narrowest of what is asked for. Nothing: there can be no match.
Plans plans_of(const Service& service, store::ViewsSnapshot& snapshot, const SearchRequest& request,
               const ResultSearch& common) {
  Plans plans;
  if (const auto* ids = criterion_named(request, "_id")) {
    for (const TokenValue& id : ids->tokens) plan_id(plans, common, id.code, snapshot);
    return plans;
  }
  // Whatever a resource refers to stands in the same ordered test, but for the patient, who has many.
  const Criterion* narrowest = nullptr;
  for (const Criterion& criterion : request.criteria) {
    if (criterion.kind != Kind::reference) continue;
    const bool is_patient = criterion.name == "patient" || criterion.name == "subject";
    if (narrowest == nullptr || !is_patient) narrowest = &criterion;
  }
  if (narrowest != nullptr) {
    for (const ReferenceValue& value : narrowest->references) plan_id(plans, common, value.id, snapshot);
    return plans;
  }
  const auto* identifiers = criterion_named(request, "identifier");
  if (identifiers != nullptr && has_indexed_identifiers(request.type) &&
      std::ranges::all_of(identifiers->tokens, has_code)) {
    for (const TokenValue& token : identifiers->tokens) plan_identifier(plans, common, token, service);
    return plans;
  }
  const auto* codes = criterion_named(request, "code");
  if (codes == nullptr) codes = criterion_named(request, "type");
  if (codes != nullptr && std::ranges::all_of(codes->tokens, has_code)) {
    for (const TokenValue& token : codes->tokens) {
      ResultSearch search = common;
      search.code = service.context.sync.apply_options().index.key.code(token.code);
      plans.push_back(std::move(search));
    }
    return plans;
  }
  plans.push_back(common);
  return plans;
}

constexpr Timestamp kEarliest{std::numeric_limits<std::int64_t>::min()};
constexpr Timestamp kLatest{std::numeric_limits<std::int64_t>::max()};

// The widest span in which something can stand that satisfies the criterion.
fhir::Span reach_of(const Criterion& criterion) {
  using Prefix = DateValue::Prefix;
  fhir::Span whole{kLatest, kEarliest};
  for (const DateValue& date : criterion.dates) {
    fhir::Span one{kEarliest, kLatest};
    if (date.prefix == Prefix::eq) one = date.span;
    if (date.prefix == Prefix::gt || date.prefix == Prefix::ge) one.from = date.span.from;
    if (date.prefix == Prefix::lt || date.prefix == Prefix::le) one.to = date.span.to;
    whole.from = std::min(whole.from, one.from);
    whole.to = std::max(whole.to, one.to);
  }
  return whole;
}

ResultSearch common_search(const SearchRequest& request, const store::Sight& sight) {
  ResultSearch common;
  common.sight = sight;
  common.newest_of_patient = request.type == Type::patient;
  const bool observed = request.type == Type::observation || request.type == Type::diagnostic_report;
  store::TakenSpan taken{kEarliest, kLatest};
  for (const Criterion& criterion : request.criteria) {
    if (criterion.name == "_lastUpdated") {
      const fhir::Span span = reach_of(criterion);
      common.changed_from = std::max(common.changed_from.value_or(kEarliest), span.from);
      common.changed_to = std::min(common.changed_to.value_or(kLatest), span.to);
    }
    if (criterion.name == "date" && observed) {
      const fhir::Span span = reach_of(criterion);
      taken = {std::max(taken.from, span.from), std::min(taken.to, span.to)};
      common.taken = taken;
    }
  }
  return common;
}

// Candidates, the one whose first result came last first.
std::vector<ResultRow> candidates(store::ViewsSnapshot& snapshot, const Plans& plans, store::TestKey before,
                                  std::size_t limit) {
  std::vector<ResultRow> rows;
  for (const ResultSearch& search : plans) {
    // An empty span of time finds nothing, and would stand for no span at all.
    if (search.taken && search.taken->from >= search.taken->to) continue;
    std::ranges::move(snapshot.results().search(search, before, limit), std::back_inserter(rows));
  }
  std::ranges::sort(rows, std::ranges::greater{}, &ResultRow::key);
  rows.erase(std::ranges::unique(rows, {}, &ResultRow::key).begin(), rows.end());
  if (rows.size() > limit) rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(limit), rows.end());
  return rows;
}

// The entries of a Bundle, as far as they are written.
class Entries {
 public:
  explicit Entries(const Place& place) : base_(place.base()) {}

  bool add(const Resource& resource, std::string_view mode) {
    if (!there_.insert(std::string(fhir::type_name(resource.type)) + "/" + std::string(resource.id)).second)
      return false;
    begin();
    json_ += R"({"fullUrl":)";
    append_json_string(json_,
                       base_ + "/" + std::string(fhir::type_name(resource.type)) + "/" + std::string(resource.id));
    json_ += R"(,"resource":)";
    json_ += resource.json;
    json_ += R"(,"search":{"mode":")";
    json_ += mode;
    json_ += R"("}})";
    return true;
  }
  void add_outcome(const std::vector<Issue>& issues) {
    begin();
    json_ += R"({"resource":)" + outcome_json(issues) + R"(,"search":{"mode":"outcome"}})";
  }
  [[nodiscard]] const std::string& json() const { return json_; }

 private:
  void begin() {
    if (!json_.empty()) json_ += ',';
  }
  const std::string base_;
  std::string json_;
  std::set<std::string> there_;
};

bool is_included(const Include& include, const Resource& from, const fhir::Reference& reference) {
  if (include.from != from.type) return false;
  if (include.parameter != "*" && include.parameter != reference.parameter) return false;
  return !include.to || *include.to == reference.type;
}

class Search {
 public:
  Search(Service& service, const SearchRequest& request, const Place& place, store::Sight sight)
      : service_(service),
        request_(request),
        place_(place),
        sight_(sight),
        bodies_(service.context.log),
        matches_(place),
        included_(place) {}

  Checked<http::Response> run(const Call& call) {
    std::size_t left = walks_all() ? kTestsCountedMax : kTestsMax;
    // Most pages are full after as many ordered tests as they have entries.
    std::size_t stretch = walks_all() ? left : std::min(left, static_cast<std::size_t>(request_.count));
    store::TestKey before = request_.cursor ? store::TestKey{request_.cursor->test + 1} : store::kNewestTest;
    while (true) {
      const auto rows = load(before, stretch);
      if (!rows) return std::unexpected(rows.error());
      left -= stretch;
      // A full page ends here: whether more match is for the next one to say.
      if (!take_all(*rows, call) || !next_ || left == 0 || (!walks_all() && is_full())) break;
      before = store::TestKey{next_->test + 1};
      next_.reset();
      stretch = std::min(left, kStretch);
    }
    if (auto problem = include_patients_results(call)) return std::unexpected(std::move(*problem));
    return respond();
  }

 private:
  static constexpr std::size_t kStretch = 128;  // of ordered tests, once the first were not enough

  [[nodiscard]] bool walks_all() const { return request_.count_only || request_.has_personal; }

  // So many ordered tests, or what is left of them; `next_` says whether there are more.
  Checked<std::vector<Planned>> load(store::TestKey before, std::size_t limit) {
    const auto snapshot = service_.context.views.snapshot();
    const auto plans = plans_of(service_, *snapshot, request_, common_search(request_, sight_));
    auto rows = candidates(*snapshot, plans, before, limit + 1);
    if (rows.size() > limit) {
      next_ = Cursor{rows.back().key.value, 0, 0};
      rows.pop_back();
    }
    auto planned = plan(*snapshot, std::move(rows));
    if (const auto ok = snapshot->status(); !ok) return std::unexpected(store_failed(ok.error()));
    return planned;
  }

  // False: the page is full.
  bool take_all(const std::vector<Planned>& rows, const Call& call) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      look_ahead(rows, i, &Planned::place, bodies_);
      const std::uint64_t before = total_;
      const bool has_room = take(rows[i]);
      if (total_ > before) call.objects.add("orders", rows[i].row.order.text());
      if (!has_room) return false;
    }
    return true;
  }

  // The matches of one ordered test. False: the page is full.
  bool take(const Planned& planned) {
    const ResultRow& row = planned.row;
    const auto resources = resources_of(planned, place_.origin, bodies_);
    if (!resources) return true;
    // Where the page before ended within this test, and it has not changed since.
    const bool goes_on =
        request_.cursor && request_.cursor->test == row.key.value && request_.cursor->version == row.version;
    std::size_t to_skip = goes_on ? request_.cursor->skip : 0;
    std::size_t seen = 0;
    for (const Resource& resource : *resources) {
      if (!matches(resource, request_, row.changed_at)) continue;
      ++seen;
      if (to_skip > 0) {
        --to_skip;
        continue;
      }
      if (!request_.count_only && is_full()) {
        next_ = Cursor{row.key.value, row.version, seen - 1};
        return false;
      }
      ++total_;
      if (request_.count_only) continue;
      matches_.add(resource, "match");
      along(*resources, resource);
      if (resource.type == Type::patient && !request_.reverse_includes.empty() && !row.patient.empty())
        patients_.push_back({row.source, row.patient});
    }
    return true;
  }

  [[nodiscard]] bool is_full() const {
    return total_ >= static_cast<std::uint64_t>(request_.count) ||
           matches_.json().size() + included_.json().size() > kAnswerBytesMax;
  }

  // What comes along with a match.
  void along(const fhir::Resources& resources, const Resource& match) {
    for (const Include& include : request_.includes) {
      for (const fhir::Reference& reference : match.references) {
        if (!is_included(include, match, reference)) continue;
        if (const Resource* target = resources.find(reference.type, reference.id)) bring(*target);
      }
    }
    for (const Include& include : request_.reverse_includes) {
      for (const Resource& other : resources) bring_if_refers(include, other, match.type, match.id);
    }
  }
  void bring_if_refers(const Include& include, const Resource& other, Type type, std::string_view id) {
    const bool refers = std::ranges::any_of(other.references, [&](const fhir::Reference& reference) {
      return is_included(include, other, reference) && reference.type == type && reference.id == id;
    });
    if (refers) bring(other);
  }
  void bring(const Resource& resource) {
    // What is searched for comes as a match of its own; it would stand twice.
    if (resource.type == request_.type) return;
    if (included_count_ >= kIncludedMax || included_.json().size() > kAnswerBytesMax) {
      left_out_ = true;
      return;
    }
    if (included_.add(resource, "include")) ++included_count_;
  }

  // What refers to a patient stands in all of their ordered tests.
  std::optional<Problem> include_patients_results(const Call& call) {
    for (const auto& [source, patient] : patients_) {
      std::vector<Planned> planned;
      {
        const auto snapshot = service_.context.views.snapshot();
        ResultSearch search;
        search.sight = sight_;
        search.patient = {source, patient};
        planned = plan(*snapshot, snapshot->results().search(search, store::kNewestTest, kTestsMax));
        if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
      }
      const std::string id = store::fhir_prefix_of_patient(source, patient) + ".patient";
      for (std::size_t i = 0; i < planned.size(); ++i) {
        const Planned& one = planned[i];
        if (left_out_) return std::nullopt;
        look_ahead(planned, i, &Planned::place, bodies_);
        const auto resources = resources_of(one, place_.origin, bodies_);
        if (!resources) continue;
        const std::size_t before = included_count_;
        for (const Include& include : request_.reverse_includes) {
          for (const Resource& other : *resources) bring_if_refers(include, other, Type::patient, id);
        }
        if (included_count_ > before) call.objects.add("orders", one.row.order.text());
      }
    }
    return std::nullopt;
  }

  std::string link(const std::optional<Cursor>& cursor) const {
    std::string url = place_.base() + "/" + std::string(fhir::type_name(request_.type));
    char joint = '?';
    const auto add = [&](std::string_view name, std::string_view value) {
      url += joint;
      url += percent_encoded(name) + "=" + percent_encoded(value);
      joint = '&';
    };
    for (const auto& [name, value] : request_.understood) add(name, value);
    if (cursor) add("_cursor", format(*cursor));
    return url;
  }

  Checked<http::Response> respond() {
    std::vector<Issue> issues;
    for (const std::string& name : request_.ignored)
      issues.push_back({"warning", "not-supported", "The parameter " + name + " is not known here and was passed by."});
    if (left_out_)
      issues.push_back({"warning", "incomplete", "More resources would have come along than one answer holds."});
    const bool ends_short = walks_all() && next_.has_value();
    if (ends_short) {
      issues.push_back({"warning", "incomplete",
                        "More would have to be read than one answer may: say more exactly what is looked for."});
      next_.reset();
    }
    std::string out = R"({"resourceType":"Bundle","type":"searchset")";
    if (!request_.cursor && !next_ && !ends_short) out += R"(,"total":)" + std::to_string(total_);
    out += R"(,"link":[{"relation":"self","url":)";
    append_json_string(out, link(request_.cursor));
    if (next_) {
      out += R"(},{"relation":"next","url":)";
      append_json_string(out, link(next_));
    }
    out += "}]";
    Entries outcome(place_);
    if (!issues.empty()) outcome.add_outcome(issues);
    std::string entries;
    for (const std::string* part : {&matches_.json(), &included_.json(), &outcome.json()}) {
      if (part->empty()) continue;
      if (!entries.empty()) entries += ',';
      entries += *part;
    }
    // FHIR has no empty arrays.
    if (!entries.empty()) out += R"(,"entry":[)" + entries + "]";
    out += '}';
    http::Response response;
    response.content_type = "application/fhir+json";
    response.body = std::move(out);
    return response;
  }

  Service& service_;
  const SearchRequest& request_;
  const Place& place_;
  const store::Sight sight_;
  Bodies bodies_;
  Entries matches_, included_;
  std::size_t included_count_ = 0;
  std::uint64_t total_ = 0;
  std::optional<Cursor> next_;
  bool left_out_ = false;
  std::vector<std::pair<SourceId, PatientId>> patients_;
};

}  // namespace

Checked<http::Response> run_search(Service& service, const Call& call, const SearchRequest& request,
                                   const Place& place) {
  const auto sight = [&]() -> Checked<store::Sight> {
    const auto snapshot = service.context.views.snapshot();
    return sight_of(*snapshot, call, request.practitioner);
  }();
  if (!sight) return std::unexpected(sight.error());
  return Search(service, request, place, *sight).run(call);
}

}  // namespace resultsync::api::fhir_face
