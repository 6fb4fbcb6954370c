// How fast messages are read: lines, segments and fields indexed, escapes checked, every field, repetition, component
// and subcomponent visited. Prints one line a run and the median.
//
//   hl7_parse [file.hl7 ...]      without a file: a made-up report of 25 segments, 16 of them OBX
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/json_writer.hpp"
#include "hl7/groups.hpp"
#include "hl7/json.hpp"
#include "hl7/reader.hpp"

namespace {

using namespace resultsync;

std::string made_up_report() {
  std::string text =
      "MSH|^~\\&|LAB^2.16.840.1.113883.3.72.5^ISO|FACILITY^12D3456789^CLIA|APP^1.2.3^ISO|CLINIC^1.2.4^ISO|"
      "20240102030405+0000||"
      "ORU^R01^ORU_R01|MSG000001|P|2.5.1|||NE|AL|USA|UNICODE UTF-8\r"
      "SFT|Example Software^L^^^^EX&1.2.3.4&ISO^XX^^^1|1.2|System|9876||20240101\r"
      "PID|1||100200300^^^LAB&1.2.3&ISO^MR~900800700^^^SSA&1.2.5&ISO^SS||Example^Pat^Q^^^^L||19700101|F||2106-3^White^"
      "HL70005|"
      "1 Example Street^^Sampletown^OR^97000^USA^H||^PRN^PH^^1^555^5550100|||S\r"
      "PV1|1|O|4E^234^A^Example Hospital&1.2.6&ISO|R||||||||||||||||||||||||||||||||||||||||20240101\r"
      "ORC|RE|23456^EHR^1.2.7^ISO|9700123^LAB^1.2.8^ISO|||||||||1234^Doctor^Example^^^Dr^^^NPI&1.2.9&ISO^L^^^NPI\r"
      "OBR|1|23456^EHR^1.2.7^ISO|9700123^LAB^1.2.8^ISO|24323-8^Comprehensive metabolic "
      "panel^LN^CMP^CMP^L|||20240101080000|||||||||"
      "1234^Doctor^Example^^^Dr^^^NPI&1.2.9&ISO^L^^^NPI||||||20240102||CH|F\r"
      "NTE|1|L|Fasting sample.\\.br\\Reported by Example Lab \\T\\ Partners\r";
  for (int i = 1; i <= 16; ++i) {
    text +=
        "OBX|" + std::to_string(i) + "|NM|2345-7^Glucose [Mass/volume] in Serum or Plasma^LN^GLU^Glucose^L||" +
        std::to_string(60 + i * 3) +
        "|mg/dL^milligram per deciliter^UCUM|70-99|N|||F|||20240101080000|12D3456789^Example Lab^CLIA||CHEM^Chemistry "
        "analyser^L||20240101120000||||Example Lab^L^^^^CLIA&2.16.840.1.113883.4.7&ISO^XX^^^12D3456789|1 Lab "
        "Road^^Sampletown^OR^97000^USA^B\r";
  }
  text +=
      "SPM|1|100&EHR&1.2.7&ISO^200&LAB&1.2.8&ISO||119364003^Serum "
      "specimen^SCT^SER^Serum^HL70487|||||||||||||20240101080000\r";
  return text;
}

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

std::size_t visit_fields(const hl7::Message& message) {
  std::size_t bytes = 0;
  for (const hl7::Segment segment : message.segments()) {
    for (std::uint32_t number = 1; number <= segment.field_count(); ++number)
      bytes += segment.field(number).raw().size();
  }
  return bytes;
}

// Processor time of this thread: what others do on the machine meanwhile does not count.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

template <class Work>
void measure(const char* name, const std::vector<std::string>& messages, Work work) {
  constexpr int kRuns = 7;
  constexpr double kSeconds = 0.3;
  struct Speed {
    double megabytes, messages;
  };
  std::vector<Speed> speeds;
  volatile std::size_t sink = 0;
  for (int run = 0; run < kRuns; ++run) {
    std::size_t bytes = 0;
    std::size_t count = 0;
    const double start = processor_seconds();
    double took = 0;
    while (took < kSeconds) {
      for (int round = 0; round < 20; ++round) {
        for (const std::string& message : messages) {
          sink = sink + work(message);
          bytes += message.size();
          ++count;
        }
      }
      took = processor_seconds() - start;
    }
    speeds.push_back({static_cast<double>(bytes) / took / 1e6, static_cast<double>(count) / took});
  }
  std::ranges::sort(speeds, {}, &Speed::megabytes);
  std::printf("%-28s %6.0f MB/s median (%.0f to %.0f) %9.0f messages/s\n", name, speeds[kRuns / 2].megabytes,
              speeds.front().megabytes, speeds.back().megabytes, speeds[kRuns / 2].messages);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> messages;
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    messages.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (messages.empty()) messages.push_back(made_up_report());
  std::size_t total = 0;
  for (const std::string& message : messages) total += message.size();
  std::printf("%zu messages, %zu bytes\n", messages.size(), total);

  measure("read", messages, [](const std::string& text) { return hl7::read_in_place(text).messages().size(); });
  measure("read, every field", messages, [](const std::string& text) {
    const hl7::Reading reading = hl7::read_in_place(text);
    return visit_fields(reading.messages().front());
  });
  measure("read, every subcomponent", messages, [](const std::string& text) {
    const hl7::Reading reading = hl7::read_in_place(text);
    return visit(reading.messages().front());
  });
  measure("read, every part, groups", messages, [](const std::string& text) {
    const hl7::Reading reading = hl7::read_in_place(text);
    return visit(reading.messages().front()) + hl7::group(reading.messages().front()).nodes.size();
  });
  measure("read, groups, JSON", messages, [](const std::string& text) {
    const hl7::Reading reading = hl7::read_in_place(text);
    JsonWriter json;
    hl7::write_json(reading.messages().front(), json);
    return json.text().size();
  });
}
