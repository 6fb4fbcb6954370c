// Prints what the segment log does on this machine: events a second by batch, bytes and time per event by codec, start
// and random reads.
//
//   ninja event_log_figures && tests/conformance/event_log_figures [records, default 1000000] [directory]
//
// Events have the shape of order.new_result, about 3 KB, with random ids, names and values; a figure for the engine,
// not for the network.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <random>

#include "base/encoding.hpp"
#include "runtime/random.hpp"
#include "store/log/crc32c.hpp"
#include "store/log/payload.hpp"
#include "store/log/segment_log.hpp"

namespace resultsync::store {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Events {
 public:
  Record next() {
    std::string tests;
    std::string references;
    const int count = 3 + static_cast<int>(random_() % 4);
    for (int i = 0; i < count; ++i) {
      const std::string id = letters(7);
      references += fmt::format(R"({}{{"id":"ordts_{}","type":"ordered_test"}})", i == 0 ? "" : ",", id);
      tests += fmt::format(
          R"({{"attributes":{{"date_results_received_from_lab":"2024-06-{:02}T13:28:50.{}-07:00","requisition":null,"results_hl7":"https://labs.example.com/r/{}.hl7?e={}&s={}","results_pdf":"https://labs.example.com/r/{}.pdf?e={}&s={}"}},"id":"ordts_{}","relationships":{{"lab_test":{{"data":{{"id":"labts_{}","type":"lab_test"}}}}}},"type":"ordered_test"}},)",
          random_() % 28 + 1, digits(6), letters(20), digits(10), letters(32), letters(20), digits(10), letters(32), id,
          letters(7));
    }
    const std::string practitioner = letters(7);
    std::string body = fmt::format(
        R"({{"created_at":"2024-06-{:02}T{:02}:00:00-08:00","data":{{"object":{{"attributes":{{"date_canceled":null,"date_completed":null,"date_paid":null,"date_submitted":"2024-06-13T13:28:50.{}-07:00","notes_to_patient":null,"payer":"patient","status":"In Progress","total_price":{}}},"id":"ord_{}","relationships":{{"line_items":{{"data":[],"meta":{{"count":0}}}},"ordered_tests":{{"data":[{}],"meta":{{"count":{}}}}},"patient":{{"data":{{"id":"pat_{}","type":"patient"}}}},"patients_practitioner":{{"data":{{"id":"pra_{}","type":"practitioner"}}}},"signing_practitioner":{{"data":{{"id":"pra_{}","type":"practitioner"}}}},"order_intent":{{"data":{{"id":"ordin_{}","type":"order_intent"}}}}}},"type":"order"}},"included":[{}{{"attributes":{{"address":{{"city":"{}","state":"AR","street_1":"{} {} Street","street_2":null,"zip":"{}"}},"first_name":"{}","last_name":"{}","phone":"+1202555{}","titled_full_name":"{}","verification_status":{{"email":true}}}},"id":"pra_{}","relationships":{{"clinic":{{"data":{{"id":"cli_{}","type":"clinic"}}}}}},"type":"practitioner"}}]}},"id":"evt_{}","type":"order.new_result"}})",
        random_() % 28 + 1, random_() % 24, digits(6), digits(5), letters(7), references, count, letters(7),
        practitioner, practitioner, letters(7), tests, letters(9), digits(3), letters(8), digits(5), letters(6),
        letters(7), digits(4), letters(12), practitioner, letters(7), letters(7));
    return {.source = SourceId("rupa"),
            .received_at = {static_cast<std::int64_t>(random_())},
            .stale = false,
            .headers = {{"content-type", "application/json"},
                        {"webhook-signature", "t=" + digits(10) + ",v1=" + encode_hex(letters(32))}},
            .body_sha256 = sha256(body),
            .body = std::move(body),
            .same_body_as = {}};
  }

 private:
  std::string some(std::string_view of, std::size_t count) {
    std::string text;
    while (text.size() < count) text += of[random_() % of.size()];
    return text;
  }
  std::string letters(std::size_t count) {
    return some("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", count);
  }
  std::string digits(std::size_t count) { return some("0123456789", count); }
  std::mt19937_64 random_{42};
};

// Of this thread: other work on the machine does not count.
double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}
double cpu_since(double start) {
  return cpu_seconds() - start;
}

void codecs(const std::vector<Record>& events) {
  std::vector<std::string> payloads;
  std::size_t body_bytes = 0;
  for (const auto& event : events) {
    payloads.push_back(*log::encode_payload(event));
    body_bytes += event.body.size();
  }
  const auto count = static_cast<double>(events.size());
  fmt::print("body: {:.0f} bytes\n", static_cast<double>(body_bytes) / count);
  for (const auto codec : {log::Codec::kNone, log::Codec::kZstd, log::Codec::kZstdDictionary1}) {
    std::size_t bytes = 0;
    std::vector<log::Encoded> all;
    all.reserve(payloads.size());
    const double start = cpu_seconds();
    for (const auto& payload : payloads) all.push_back(log::compress_with(codec, payload));
    const double packed = cpu_since(start);
    const double opening = cpu_seconds();
    for (const auto& one : all) {
      bytes += log::sealed_frame_bytes(one.bytes.size());
      if (!log::decompress(one.codec, one.bytes)) std::abort();
    }
    const double unpacked = cpu_since(opening);
    log::SegmentHeader header;
    const runtime::MasterKey master(runtime::random_key());
    const auto key = log::make_segment_key(header, master);
    log::FrameSealer sealer(key);
    std::string out;
    const double sealing = cpu_seconds();
    std::uint64_t sequence = 0;
    for (const auto& one : all) {
      out.clear();
      sealer.append({.sequence = {++sequence}, .durable_through = {}}, one.bytes, out);
    }
    fmt::print(
        "codec {}: {:.0f} bytes an event in its frame; compress {:.1f} us, decompress {:.1f} us, seal and frame {:.2f} "
        "us\n",
        static_cast<int>(codec), static_cast<double>(bytes) / count, packed / count * 1e6, unpacked / count * 1e6,
        cpu_since(sealing) / count * 1e6);
  }
  const std::string block = runtime::random_bytes(1024 * 1024);
  const double start = cpu_seconds();
  std::uint32_t sum = 0;
  for (int i = 0; i < 1000; ++i) sum = log::crc32c(block, sum);
  fmt::print("crc32c: {:.1f} GB/s ({})\n", 1.048576 / cpu_since(start), sum % 10);
}

// `in_flight` appends wait at any time, as connections that wait for their answers would.
void appends(SegmentLog& log, const std::vector<Record>& events, std::size_t in_flight, std::size_t total) {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t waiting = 0;
  std::vector<double> latencies;
  latencies.reserve(total);
  const auto start = Clock::now();
  for (std::size_t i = 0; i < total; ++i) {
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return waiting < in_flight; });
      ++waiting;
    }
    log.append(events[i % events.size()], [&, sent = Clock::now()](const Result<Sequence>& result) {
      if (!result) std::abort();
      const std::lock_guard lock(mutex);
      latencies.push_back(seconds_since(sent));
      --waiting;
      changed.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return waiting == 0; });
  const double rate = static_cast<double>(total) / seconds_since(start);
  std::ranges::sort(latencies);
  fmt::print("{:4} in flight: {:7.0f} events/s, p50 {:.2f} ms, p99 {:.2f} ms\n", in_flight, rate,
             latencies[total / 2] * 1e3, latencies[total * 99 / 100] * 1e3);
}

int run(std::size_t records, const std::string& parent) {
  Events source;
  std::vector<Record> events;
  for (int i = 0; i < 20'000; ++i) events.push_back(source.next());
  codecs(events);

  SegmentLogOptions options;
  options.data_dir = parent + "/figures_" + encode_hex(runtime::random_bytes(6));
  const runtime::MasterKey master(runtime::random_key());
  const runtime::SystemClock clock;
  std::size_t batches = 0;
  std::size_t batched = 0;
  options.on_batch = [&](const SegmentLogOptions::Commit& commit) {
    ++batches;
    batched += commit.records;
  };
  const auto open = [&] {
    const auto start = Clock::now();
    auto log = SegmentLog::open(options, master, clock);
    fmt::print("open: {:.1f} ms\n", seconds_since(start) * 1e3);
    return std::move(*log);
  };
  {
    auto log = open();
    for (const auto& [in_flight, total] :
         {std::pair<std::size_t, std::size_t>{1, 3000}, {8, 20'000}, {64, 100'000}, {512, 200'000}}) {
      batches = batched = 0;
      appends(*log, events, in_flight, total);
      fmt::print("     {:.1f} events a sync\n", static_cast<double>(batched) / static_cast<double>(batches));
    }
    if (log->end().value < records) appends(*log, events, 4096, records - log->end().value);
  }
  const auto log = open();
  const auto end = log->end().value;
  const auto reading = Clock::now();
  const double reading_cpu = cpu_seconds();
  Sequence at;
  while (at.value < end) at = log->read(at, {})->back().sequence;
  fmt::print("read all {}: {:.2f} us a record, {:.2f} us of them CPU\n", end,
             seconds_since(reading) / static_cast<double>(end) * 1e6,
             cpu_since(reading_cpu) / static_cast<double>(end) * 1e6);
  std::mt19937_64 random(1);
  std::vector<double> each;
  for (int i = 0; i < 50'000; ++i) {
    const Sequence wanted{random() % end + 1};
    const auto start = Clock::now();
    if (!log->at(wanted)) std::abort();
    each.push_back(seconds_since(start));
  }
  std::ranges::sort(each);
  fmt::print("at(): p50 {:.1f} us, p99 {:.1f} us\n", each[each.size() / 2] * 1e6, each[each.size() * 99 / 100] * 1e6);
  std::filesystem::remove_all(options.data_dir);
  return 0;
}

}  // namespace
}  // namespace resultsync::store

int main(int argc, char** argv) {
  return resultsync::store::run(argc > 1 ? std::stoul(argv[1]) : 1'000'000,
                                argc > 2 ? argv[2] : std::filesystem::temp_directory_path().string());
}
