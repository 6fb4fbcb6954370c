// Other networks' bodies: whatever comes, the common form is JSON, is the same every time, and gives an event.
// The first line of the input is a JSON pointer of a `generic` source; the rest is a body, or an answer of an API.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "orders/decode.hpp"
#include "orders/json_body.hpp"
#include "vendors/common_form.hpp"
#include "vendors/fullscript.hpp"
#include "vendors/network.hpp"

namespace {

using namespace resultsync;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void read_body(const vendors::Source& source, std::string_view body) {
  const std::string form = vendors::in_common_form(source, "msg_1", body);
  require(form == vendors::in_common_form(source, "msg_1", body), "a body has one common form");
  const orders::JsonBody before(body);
  if (before.root() && before.root()->is_object())
    require(orders::JsonBody(form).root().has_value(), "the common form of an object is JSON");
  const orders::Event event = orders::decode_event(form, sha256(body));
  require(!event.key.id.empty(), "every body is an event with an id");
  require(!event.order || !event.order->id.empty(), "an order has an id");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(input.find('\n'), input.size());
  const std::string pointer(input.substr(0, line));
  const std::string_view body = input.substr(std::min(line + 1, input.size()));

  vendors::Source source;
  source.vendor = "fullscript";
  read_body(source, body);
  const orders::JsonBody answer(vendors::fullscript_orders(orders::JsonBody(body)));
  require(answer.root() && answer.root()->is_object(), "every answer gives a document");

  if (!vendors::check_pointer(pointer)) return 0;
  source.vendor = "generic";
  for (const vendors::NamedPointer& named : vendors::pointer_names()) source.pointers.*named.member = pointer;
  read_body(source, body);
  source.pointers.tests = "/tests";
  read_body(source, body);
  for (const auto& one : vendors::explain_pointers(source, body)) require(!one.name.empty(), "each finding has a name");
  return 0;
}
