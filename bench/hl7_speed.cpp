// How fast messages are read and turned into FHIR, on one core: does one kind of work over and over, and prints one
// JSON object with what was done in how much processor time. hl7.py runs it in turn with the peers.
//
//   hl7_speed WORK [SECONDS] FILE…     work: read, parse, groups, results, fhir; each does what the one before does,
//   and more hl7_speed WORK 0 FILE…             once over, for an instruction count
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "fhir/fhir.hpp"
#include "hl7/groups.hpp"
#include "hl7/reader.hpp"
#include "results/interpret.hpp"

namespace {

using namespace resultsync;

// Every field, repetition, component and subcomponent.
std::size_t visit(const hl7::Message& message) {
  std::size_t bytes = 0;
  for (const hl7::Segment segment : message.segments()) {
    for (std::uint32_t number = 1; number <= segment.field_count(); ++number) {
      for (const hl7::Repetition repetition : segment.field(number).repetitions()) {
        for (const hl7::Component component : repetition.components()) {
          for (const hl7::Subcomponent part : component.subcomponents()) bytes += part.raw().size();
        }
      }
    }
  }
  return bytes;
}

fhir::Context context() {
  fhir::Context context;
  context.id_prefix = "bench";
  return context;
}

std::size_t to_fhir(const hl7::Message& message) {
  const results::Interpretation result = results::interpret(message);
  const fhir::Resources resources = fhir::convert(result, context());
  std::string bundle;
  fhir::write_collection(resources, fhir::kNoServer, bundle);
  return bundle.size();
}

using Work = std::function<std::size_t(const hl7::Message&)>;
const std::map<std::string, Work> kWorks{
    {"read", [](const hl7::Message& message) { return message.segment_count(); }},
    {"parse", visit},
    {"groups", [](const hl7::Message& message) { return hl7::group(message).nodes.size(); }},
    {"results", [](const hl7::Message& message) { return results::interpret(message).reports.size(); }},
    {"fhir", to_fhir},
};

// Processor time of this thread: what others do on the machine meanwhile does not count.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::string bytes_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

int main(int argc, char** argv) {
  const auto work = argc < 4 ? kWorks.end() : kWorks.find(argv[1]);
  if (work == kWorks.end()) {
    std::fprintf(stderr, "usage: hl7_speed read|parse|groups|results|fhir SECONDS FILE...\n");
    return 2;
  }
  const double wanted = std::atof(argv[2]);
  std::vector<std::string> messages;
  for (int i = 3; i < argc; ++i) messages.push_back(bytes_of(argv[i]));

  volatile std::size_t sink = 0;
  std::size_t bytes = 0, count = 0, rounds = 0;
  const auto round = [&] {
    for (const std::string& text : messages) {
      const hl7::Reading reading = hl7::read_in_place(text);
      for (const hl7::Message& message : reading.messages()) sink = sink + work->second(message);
      bytes += text.size();
      ++count;
    }
    ++rounds;
  };
  round();  // warm
  bytes = count = 0;
  const double start = processor_seconds();
  double took = 0;
  do {
    for (int i = 0; i < (wanted > 0 ? 50 : 1); ++i) round();
    took = processor_seconds() - start;
  } while (took < wanted);
  std::printf("{\"work\":\"%s\",\"messages\":%zu,\"bytes\":%zu,\"seconds\":%.6f}\n", argv[1], count, bytes, took);
  return 0;
}
