#include "api/stream.hpp"

#include <gtest/gtest.h>

#include "api/test_house.hpp"
#include "http/framing.hpp"
#include "http/testing/raw_client.hpp"

namespace resultsync::api {
namespace {

struct SseEvent {
  std::string id, type, data;
  bool comment = false;
};

// A client of server-sent events that goes by the letter of the standard.
class SseClient {
 public:
  SseClient(const House& house, const std::string& target, const std::string& last_event_id = {})
      : client_(house.server_->port()) {
    std::string request =
        "GET " + target + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + std::string(kTestKey) + "\r\n";
    if (!last_event_id.empty()) request += "Last-Event-ID: " + last_event_id + "\r\n";
    client_.send(request + "\r\n");
    const auto head = client_.read_response();
    EXPECT_TRUE(head.has_value());
    if (!head) return;
    status = head->status;
    body = head->body;
    is_stream = head->has("Content-Type: text/event-stream\r\n");
  }
  // The next event; comments are passed by unless they are asked for. Nothing at the end.
  std::optional<SseEvent> next(bool comments = false) {
    SseEvent event;
    while (const auto line = read_line()) {
      if (line->empty()) {
        if (!event.id.empty()) last_id = event.id;
        if (!event.data.empty() || (comments && event.comment)) return event;
        event = {};
      } else if (line->starts_with("id: ")) {
        event.id = line->substr(4);
      } else if (line->starts_with("event: ")) {
        event.type = line->substr(7);
      } else if (line->starts_with("data: ")) {
        event.data += line->substr(6);
      } else if (line->starts_with(":")) {
        event.comment = true;
      }
    }
    return std::nullopt;
  }
  // "evt_1 result", or what else came.
  std::string told() {
    const auto event = next();
    if (!event) return "the end";
    const Json json(event->data);
    return json.at("/event_id") == "absent" ? event->type + " " + event->data
                                            : json.text("/event_id") + " " + event->type;
  }

  int status = 0;
  std::string body;
  bool is_stream = false;
  std::string last_id;

 private:
  std::optional<std::string> read_line() {
    while (text_.find('\n') == std::string::npos) {
      if (ended_) return std::nullopt;
      std::string wire = client_.read_exactly(1);
      if (wire.empty()) ended_ = true;
      std::string_view rest = wire;
      while (!rest.empty()) {
        const auto step = chunks_.next(rest);
        if (!step) {
          ADD_FAILURE() << step.error().text();
          return std::nullopt;
        }
        text_.append(step->data);
        rest.remove_prefix(step->consumed);
        if (step->done) ended_ = true;
        if (step->consumed == 0) break;
      }
    }
    const std::size_t end = text_.find('\n');
    std::string line = text_.substr(0, end);
    text_.erase(0, end + 1);
    return line;
  }

  http::testing::RawClient client_;
  http::ChunkDecoder chunks_;
  std::string text_;
  bool ended_ = false;
};

TEST(Stream, shows_what_is_there_and_then_what_comes) {
  House house;
  house.connect("anna");
  house.receive({.id = "evt_1"});
  SseClient client(house, "/v1/stream?practitioner=anna");
  EXPECT_EQ(client.status, 200);
  EXPECT_TRUE(client.is_stream);
  EXPECT_EQ(client.told(), "evt_1 result");
  house.receive({.id = "evt_2", .created_at = "2024-06-13T21:00:00Z", .result = "B"});
  EXPECT_EQ(client.told(), "evt_2 result");
  EXPECT_EQ(client.last_id, Json(house.get("/v1/feed?practitioner=anna").body).text("/next")) << "a cursor of the feed";
}

TEST(Stream, items_are_those_of_the_feed) {
  House house;
  house.connect("anna");
  house.receive({});
  SseClient client(house, "/v1/stream?practitioner=anna");
  const auto event = client.next();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(Json(event->data).at(""), Json(house.get("/v1/feed?practitioner=anna").body).at("/items/0"));
}

TEST(Stream, goes_on_after_the_last_event_id_also_against_the_url) {
  House house;
  house.connect("anna");
  for (int i = 1; i <= 3; ++i) {
    house.receive({.id = "evt_" + std::to_string(i),
                   .created_at = "2024-06-13T20:0" + std::to_string(i) + ":00Z",
                   .result = std::to_string(i)});
  }
  SseClient first(house, "/v1/stream?practitioner=anna");
  EXPECT_EQ(first.told(), "evt_1 result");
  const std::string after_one = first.last_id;
  EXPECT_EQ(first.told(), "evt_2 result");
  SseClient second(house, "/v1/stream?practitioner=anna&after=" + after_one, first.last_id);
  EXPECT_EQ(second.told(), "evt_3 result");
  SseClient third(house, "/v1/stream?practitioner=anna&after=" + after_one);
  EXPECT_EQ(third.told(), "evt_2 result");
  SseClient now(house, "/v1/stream?practitioner=anna&from=now");
  house.receive({.id = "evt_4", .created_at = "2024-06-13T21:00:00Z", .result = "4"});
  EXPECT_EQ(now.told(), "evt_4 result");
}

TEST(Stream, several_practitioners_each_go_on_where_they_were) {
  House house;
  house.connect("anna", "cli_1");
  house.connect("ben", "cli_2");
  house.receive({.id = "evt_1", .order = "ord_1", .clinic = "cli_1"});
  house.receive({.id = "evt_2", .order = "ord_2", .clinic = "cli_2"});
  SseClient client(house, "/v1/stream?practitioner=anna&practitioner=ben&practitioner=anna");
  std::set<std::string> told{client.told()};
  const std::string after_one = client.last_id;
  told.insert(client.told());
  EXPECT_EQ(told, (std::set<std::string>{"evt_1 result", "evt_2 result"}));

  SseClient again(house, "/v1/stream?practitioner=anna&practitioner=ben", after_one);
  const std::string other = again.told();
  EXPECT_TRUE(told.contains(other));
  house.receive(
      {.id = "evt_3", .created_at = "2024-06-14T20:00:00Z", .order = "ord_1", .result = "C", .clinic = "cli_1"});
  EXPECT_EQ(again.told(), "evt_3 result");
  SseClient last(house, "/v1/stream?practitioner=anna&practitioner=ben", again.last_id);
  house.receive(
      {.id = "evt_4", .created_at = "2024-06-15T20:00:00Z", .order = "ord_2", .result = "D", .clinic = "cli_2"});
  EXPECT_EQ(last.told(), "evt_4 result");
}

TEST(Stream, a_filter_passes_items_by_and_keeps_the_place) {
  House house;
  house.connect("anna");
  house.receive({.id = "evt_1", .created_at = "2024-06-13T20:00:00Z", .result = "A"});
  house.receive({.id = "evt_0", .created_at = "2024-06-13T19:00:00Z", .result = "Z"});  // late: not current
  house.receive({.id = "evt_2", .created_at = "2024-06-13T21:00:00Z", .result = "B"});
  SseClient current(house, "/v1/stream?practitioner=anna&current=true");
  EXPECT_EQ(current.told(), "evt_1 result");
  EXPECT_EQ(current.told(), "evt_2 result");
  SseClient orders(house, "/v1/stream?practitioner=anna&type=order&from=start");
  house.receive(
      {.id = "evt_3", .created_at = "2024-06-13T22:00:00Z", .test = "ordts_2", .result = "", .status = "Completed"});
  EXPECT_EQ(orders.told(), "evt_3 order");
}

TEST(Stream, what_cannot_go_on_is_told_before_it_begins) {
  House house;
  house.connect("anna");
  house.connect("ben");
  house.receive({});
  const std::string next = Json(house.get("/v1/feed?practitioner=anna").body).text("/next");
  const auto said = [&](const std::string& target, const std::string& last_event_id = {}) {
    SseClient client(house, target, last_event_id);
    EXPECT_FALSE(client.is_stream);
    return std::to_string(client.status) + " " + Json(client.body).text("/type").substr(23);
  };
  EXPECT_EQ(said("/v1/stream?practitioner=nobody"), "404 unknown_practitioner");
  EXPECT_EQ(said("/v1/stream?practitioner=anna&practitioner=nobody"), "404 unknown_practitioner");
  EXPECT_EQ(said("/v1/stream"), "400 bad_parameter");
  EXPECT_EQ(said("/v1/stream?practitioner="), "400 bad_parameter");
  EXPECT_EQ(said("/v1/stream?practitioner=anna&type=x"), "400 bad_parameter");
  EXPECT_EQ(said("/v1/stream?practitioner=anna&from=x"), "400 bad_parameter");
  EXPECT_EQ(said("/v1/stream?practitioner=anna&after=x"), "400 bad_cursor");
  EXPECT_EQ(said("/v1/stream?practitioner=anna", "x"), "400 bad_cursor");
  EXPECT_EQ(said("/v1/stream?practitioner=ben", next), "410 cursor_gone");
  EXPECT_EQ(said("/v1/stream?practitioner=anna&practitioner=ben", next), "410 cursor_gone");
  const std::string beyond = next.substr(0, next.rfind('.')) + ".99";
  EXPECT_EQ(said("/v1/stream?practitioner=anna", beyond), "410 cursor_gone");
  std::string many = "/v1/stream?practitioner=anna";
  for (std::size_t i = 0; i < kStreamPractitionersMax; ++i) many += "&practitioner=p" + std::to_string(i);
  EXPECT_EQ(said(many), "400 bad_parameter");
}

TEST(Stream, ends_when_its_practitioner_is_disconnected_and_says_so) {
  House house;
  house.connect("anna");
  house.connect("ben");
  SseClient anna(house, "/v1/stream?practitioner=anna");
  SseClient both(house, "/v1/stream?practitioner=anna&practitioner=ben");
  EXPECT_EQ(house.call("DELETE", "/v1/practitioners/anna").status, 204);
  EXPECT_EQ(anna.told(), R"(disconnected {"practitioner":"anna"})");
  EXPECT_EQ(anna.told(), "the end");
  EXPECT_EQ(both.told(), R"(disconnected {"practitioner":"anna"})");
  house.receive({.id = "evt_1"});
  EXPECT_EQ(both.told(), "evt_1 result");
}

TEST(Stream, is_never_silent_for_long) {
  House house({.stream_heartbeat = std::chrono::milliseconds{20}});
  house.connect("anna");
  SseClient client(house, "/v1/stream?practitioner=anna");
  for (int i = 0; i < 4; ++i) {
    const auto event = client.next(true);
    ASSERT_TRUE(event.has_value());
    EXPECT_TRUE(event->comment);
  }
  house.receive({.id = "evt_1"});
  EXPECT_EQ(client.told(), "evt_1 result");
}

TEST(Stream, only_so_many_may_be_open) {
  House house({.streams_max = 1});
  house.connect("anna");
  {
    SseClient one(house, "/v1/stream?practitioner=anna");
    EXPECT_TRUE(one.is_stream);
    SseClient two(house, "/v1/stream?practitioner=anna");
    EXPECT_EQ(two.status, 503);
  }
  // The first has gone: its place is free as soon as the listener has seen it.
  while (true) {
    SseClient three(house, "/v1/stream?practitioner=anna");
    if (three.status == 200) break;
    ASSERT_EQ(three.status, 503);
  }
}

TEST(Stream, ends_in_order_when_the_service_stops) {
  House house;
  house.connect("anna");
  house.receive({.id = "evt_1"});
  SseClient client(house, "/v1/stream?practitioner=anna");
  EXPECT_EQ(client.told(), "evt_1 result");
  house.api_->stop();
  EXPECT_EQ(client.told(), "the end");
}

TEST(Stream, a_slow_reader_gets_everything_once_and_in_order) {
  House house;
  house.connect("anna");
  constexpr int kItems = 400;
  const std::string large(8 * 1024, 'x');
  for (int i = 0; i < kItems; ++i) {
    char time[32];
    std::snprintf(time, sizeof time, "2024-06-13T%02d:%02d:%02dZ", i / 3600, i / 60 % 60, i % 60);
    house.append(body_of({.id = "evt_" + std::to_string(i), .created_at = time, .result = large + std::to_string(i)}));
  }
  house.step_all();
  SseClient client(house, "/v1/stream?practitioner=anna");
  for (int i = 0; i < kItems; ++i) ASSERT_EQ(client.told(), "evt_" + std::to_string(i) + " result");
}

TEST(StreamEvent, data_of_several_lines_stays_one_event) {
  std::string text;
  append_event(text, "7", "result", "{\n  \"a\": 1,\r\n\"b\":\r2}");
  EXPECT_EQ(text, "id: 7\nevent: result\ndata: {\ndata:   \"a\": 1,\ndata: \"b\":\ndata: 2}\n\n");
}

}  // namespace
}  // namespace resultsync::api
