// /checkout/{order intent}: where a practitioner reviews what is in the cart and submits it.
#include <algorithm>

#include "sandbox/faces.hpp"
#include "sandbox/form.hpp"
#include "sandbox/pages.hpp"

namespace resultsync::sandbox {
namespace {

// Back to the application with what became of the intent; without a return address a page that says it.
Answer back(const World& world, std::size_t index) {
  const OrderIntent& intent = world.intents()[index];
  std::string url = with_parameter(intent.return_url, "order_intent", intent.id);
  if (intent.order) url = with_parameter(std::move(url), "order", world.orders()[*intent.order].id.text());
  if (intent.state == IntentState::kCanceled) url = with_parameter(std::move(url), "canceled", "true");
  return {redirect(303, std::move(url))};
}

}  // namespace

Answer answer_checkout(Network& network, const http::Request& request, std::string_view path) {
  Network::Inside inside = network.enter();
  const auto index = inside->world.intent(path.substr(std::string_view("/checkout/").size()));
  if (!index)
    return {html(404, problem_page("There is no such checkout", "The address may have been copied in part."))};
  OrderIntent& intent = inside->world.edit_intent(*index);
  if (request.method == "GET" || request.method == "HEAD") {
    return {html(200, intent.state == IntentState::kOpen ? checkout_page(inside->world, *index)
                                                         : checkout_done_page(inside->world, *index))};
  }
  if (request.method != "POST") return {html(405, problem_page("This is not possible here", "Open the page instead."))};
  if (intent.state == IntentState::kSubmitted) return back(inside->world, *index);
  const auto form = Form::read(request.body);
  if (!form) return {html(400, problem_page("This form cannot be read", "Go back and try again."))};
  if (form->only("decision") == "cancel") {
    intent.state = IntentState::kCanceled;
    return back(inside->world, *index);
  }
  std::vector<std::size_t> tests;
  for (const std::string& id : form->all("lab_test")) {
    const auto test = World::lab_test(id);
    if (!test) return {html(400, problem_page("There is no such test", "Choose from the list."))};
    if (std::ranges::find(tests, *test) == tests.end()) tests.push_back(*test);
  }
  if (tests.empty()) tests = intent.tests;
  if (tests.empty())
    return {html(400, problem_page("Nothing is in the cart", "Go back and choose at least one test."))};
  intent.tests = tests;
  intent.state = IntentState::kSubmitted;
  World::NewOrder order{
      .practitioner = intent.practitioner, .patient = intent.patient, .tests = tests, .intent = *index};
  World::Told told = inside.told();
  inside->world.place_order(std::move(order), told);
  return back(inside->world, *index);
}

}  // namespace resultsync::sandbox
