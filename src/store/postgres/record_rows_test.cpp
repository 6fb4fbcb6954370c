#include "store/postgres/record_rows.hpp"

#include <endian.h>
#include <gtest/gtest.h>

#include <cstring>

#include "runtime/clock.hpp"
#include "runtime/random.hpp"
#include "store/log/new_segment.hpp"
#include "store/log/payload.hpp"
#include "store/log/segment_reader.hpp"

namespace resultsync::store::postgres {
namespace {

Record record_of(const std::string& body) {
  return {.source = SourceId("rupa"),
          .received_at = {1},
          .stale = false,
          .headers = {},
          .body_sha256 = sha256(body),
          .body = body,
          .same_body_as = {}};
}

// The elements of an array in PostgreSQL's binary form (array_recv): after 20 bytes of head, lengths and bytes.
std::vector<std::string> elements(std::string_view array) {
  std::vector<std::string> found;
  for (array.remove_prefix(20); !array.empty();) {
    std::uint32_t length = 0;
    std::memcpy(&length, array.data(), sizeof length);
    length = be32toh(length);
    found.emplace_back(array.substr(sizeof length, length));
    array.remove_prefix(sizeof length + length);
  }
  return found;
}

std::int64_t number_in(const std::string& element) {
  std::uint64_t number = 0;
  std::memcpy(&number, element.data(), sizeof number);
  return static_cast<std::int64_t>(be64toh(number));
}

class RecordRows : public testing::Test {
 protected:
  static constexpr std::int64_t kAfter = 41;

  std::vector<StoredRow> rows_of(const std::vector<std::string>& bodies, RowSealer::Form form) {
    AppendQueue queue(10'000, std::size_t{1} << 30);
    for (const std::string& body : bodies) {
      EventLog::Committed committed = [](const Result<Sequence>&) {};
      EXPECT_TRUE(queue.add(*log::encode_payload(record_of(body)), committed));
    }
    RowSealer sealer(sealer_, kAfter, form);
    const Blocks blocks = queue.take(std::size_t{1} << 30);
    for (const auto& block : blocks) sealer.add(*block);
    SealedRows sealed = sealer.finish();
    const auto numbers = elements(sealed.numbers.bytes());
    const auto records = elements(sealed.records.bytes());
    const auto frames = elements(sealed.frames.bytes());
    std::vector<StoredRow> rows;
    for (std::size_t i = 0; i < numbers.size(); ++i)
      rows.push_back({number_in(numbers[i]), number_in(records[i]), frames[i]});
    return rows;
  }
  Result<OpenedRow> open(const StoredRow& row) {
    log::FrameOpener opener(plan_.key);
    return OpenedRow::open(opener, row, "stream 1");
  }

  const runtime::MasterKey master_{runtime::random_key()};
  const runtime::SystemClock clock_;
  const log::SegmentPlan plan_ = log::plan_segment(log::LogId{}, Sequence{1}, {}, clock_.now(), master_);
  log::FrameSealer sealer_{plan_.key};
};

TEST_F(RecordRows, every_record_is_in_one_row_and_comes_back) {
  std::vector<std::string> bodies;
  for (std::size_t i = 0; i < 100; ++i) bodies.push_back(std::to_string(i) + runtime::random_bytes(i % 9 * 500));
  bodies[50] = runtime::random_bytes(100'000);
  bodies[51] = std::string(100'000, 'x');
  for (const auto form : {RowSealer::Form::kOfBlocks, RowSealer::Form::kOfRecords}) {
    const auto rows = rows_of(bodies, form);
    std::int64_t next = kAfter + 1;
    for (const StoredRow& row : rows) {
      ASSERT_EQ(row.first, next);
      if (form == RowSealer::Form::kOfRecords) EXPECT_EQ(row.records, 1);
      const auto opened = open(row);
      ASSERT_TRUE(opened) << opened.error().text();
      EXPECT_FALSE(opened->holds(next - 1));
      for (; next < row.first + row.records; ++next) {
        ASSERT_TRUE(opened->holds(next));
        EXPECT_EQ(*opened->record(next), record_of(bodies[static_cast<std::size_t>(next - kAfter - 1)]));
      }
      EXPECT_FALSE(opened->holds(next));
      EXPECT_EQ(opened->record(next).error().code, "corrupt_record");
    }
    EXPECT_EQ(next, kAfter + 1 + static_cast<std::int64_t>(bodies.size()));
    if (form == RowSealer::Form::kOfBlocks) EXPECT_LT(rows.size(), bodies.size() / 4);
  }
}

TEST_F(RecordRows, a_row_that_was_changed_is_damaged) {
  const std::vector<StoredRow> rows = rows_of({"one", "two", "three"}, RowSealer::Form::kOfBlocks);
  ASSERT_EQ(rows.size(), 1U);
  const StoredRow& whole = rows.front();
  ASSERT_TRUE(open(whole));
  for (std::size_t bit = 0; bit < whole.frame.size() * 8; ++bit) {
    StoredRow row = whole;
    row.frame[bit / 8] = static_cast<char>(row.frame[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_EQ(open(row).error().code, "corrupt_record") << bit;
  }
  for (std::size_t cut = 0; cut < whole.frame.size(); ++cut)
    ASSERT_EQ(open({whole.first, whole.records, whole.frame.substr(0, cut)}).error().code, "corrupt_record") << cut;
  for (const std::int64_t records : {0, 1, 2, 4})
    EXPECT_EQ(open({whole.first, records, whole.frame}).error().code, "corrupt_record") << records;
  EXPECT_EQ(open({whole.first + 1, whole.records, whole.frame}).error().code, "corrupt_record") << "another place";
}

TEST_F(RecordRows, a_block_is_no_frame_of_a_segment_file) {
  const StoredRow row = rows_of({"one", "two"}, RowSealer::Form::kOfBlocks).front();
  log::FrameOpener opener(plan_.key);
  EXPECT_EQ(log::open_record(opener, log::decode_frame(row.frame), "a file", 0).error().code, "corrupt_record");
}

}  // namespace
}  // namespace resultsync::store::postgres
