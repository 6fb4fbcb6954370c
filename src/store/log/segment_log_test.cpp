#include "store/log/segment_log.hpp"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <random>

#include "base/encoding.hpp"
#include "runtime/random.hpp"
#include "store/log/directory.hpp"
#include "store/log/frame_scanner.hpp"
#include "store/log/inspect.hpp"
#include "store/log/payload.hpp"
#include "store/log/test_disks.hpp"

namespace resultsync::store {
namespace {

namespace fs = std::filesystem;

std::string body_of(std::uint64_t number) {
  return "body " + std::to_string(number) + std::string(number % 40, '.');
}

Record record_of(const std::string& body) {
  return {.source = SourceId("rupa"),
          .received_at = {1'700'000'000'000'000},
          .stale = false,
          .headers = {{"signature", "t=1,v1=00"}},
          .body_sha256 = sha256(body),
          .body = body,
          .same_body_as = {}};
}

Result<Sequence> append(EventLog& log, const std::string& body) {
  std::promise<Result<Sequence>> told;
  auto answer = told.get_future();
  log.append(record_of(body), [&told](Result<Sequence> result) { told.set_value(std::move(result)); });
  return answer.get();
}

// In memory where the machine has such a place: these tests make thousands of files, and none is about the machine's
// disk.
fs::path scratch() {
  return fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
}

class SegmentLogTest : public testing::Test {
 protected:
  SegmentLogTest() : data_dir_((scratch() / ("segment_log_" + encode_hex(runtime::random_bytes(6)))).string()) {}
  ~SegmentLogTest() override { fs::remove_all(data_dir_); }

  SegmentLogOptions options(std::uint64_t segment_bytes = 1024 * 1024) const {
    SegmentLogOptions options;
    options.data_dir = data_dir_;
    options.segment_bytes = segment_bytes;
    options.ahead_bytes = 64 * 1024;
    options.free_bytes_min = 0;
    options.space_check_every = std::chrono::milliseconds(20);
    options.idle_mark_after = std::chrono::hours(1);
    return options;
  }
  Result<std::unique_ptr<SegmentLog>> try_open(const SegmentLogOptions& options) {
    return SegmentLog::open(options, master_, clock_, quick_);
  }
  Result<std::unique_ptr<SegmentLog>> try_open() { return try_open(options()); }
  std::unique_ptr<SegmentLog> open(const SegmentLogOptions& options) {
    auto opened = try_open(options);
    if (!opened) {
      ADD_FAILURE() << opened.error().text();
      std::abort();
    }
    return std::move(*opened);
  }
  std::unique_ptr<SegmentLog> open() { return open(options()); }

  // What open() says to the directory as it is.
  std::string outcome() {
    const auto opened = try_open();
    return opened ? "opened" : std::string(opened.error().code);
  }

  std::string log_dir() const { return log::log_directory(data_dir_); }
  std::string segment(std::uint64_t first) const {
    return log::in_directory(log_dir(), log::segment_file_name({first}));
  }
  std::vector<std::string> segment_names() const {
    std::vector<std::string> names;
    for (const auto& name : *runtime::list_directory(log_dir())) {
      if (name.ends_with(".seg")) names.push_back(name);
    }
    return names;
  }

  // The files as they would be after kill -9 just now.
  void save_image() {
    fs::remove_all(data_dir_ + ".image");
    fs::copy(log_dir(), data_dir_ + ".image", fs::copy_options::recursive);
  }
  void restore_image() {
    fs::remove_all(log_dir());
    fs::copy(data_dir_ + ".image", log_dir(), fs::copy_options::recursive);
  }
  void TearDown() override { fs::remove_all(data_dir_ + ".image"); }

  // The bodies are 1 … n, in order, and n is returned; nothing else is ever read.
  static std::uint64_t expect_prefix(const SegmentLog& log) {
    const auto records = log.read({}, {.records_max = 1'000'000, .body_bytes_max = 1'000'000'000});
    EXPECT_TRUE(records) << records.error().text();
    if (!records) return 0;
    EXPECT_EQ(records->size(), log.end().value);
    for (std::size_t i = 0; i < records->size(); ++i) {
      EXPECT_EQ((*records)[i].sequence.value, i + 1);
      EXPECT_EQ((*records)[i].record.body, body_of(i + 1));
    }
    return records->size();
  }

  // Appends body_of(end + 1) … , one after another.
  static void append_next(SegmentLog& log, int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(append(log, body_of(log.end().value + 1)));
  }

  static void change(const std::string& path, std::uint64_t offset, const std::function<void(char&)>& edit) {
    auto file = runtime::File::open_read_write(path);
    auto byte = file->read_at(offset, 1);
    edit(byte->front());
    ASSERT_TRUE(file->write_at(offset, *byte));
  }

  const std::string data_dir_;
  runtime::MasterKey master_{runtime::random_key()};
  runtime::SystemClock clock_;
  log::QuickDisk quick_;
};

// --- the ends of the log after a crash

TEST_F(SegmentLogTest, a_clean_stop_moves_nothing_and_drops_nothing) {
  append_next(*open(), 5);
  EXPECT_EQ(expect_prefix(*open()), 5U);
  EXPECT_EQ(segment_names(), (std::vector<std::string>{"00000000000000000001.seg", "00000000000000000006.seg"}));
}

TEST_F(SegmentLogTest, starting_again_without_records_leaves_one_empty_segment) {
  for (int i = 0; i < 5; ++i) open();
  EXPECT_EQ(segment_names(), (std::vector<std::string>{"00000000000000000001.seg"}));
}

TEST_F(SegmentLogTest, records_that_nothing_says_are_durable_are_rewritten_into_a_new_segment) {
  auto log = open();
  append_next(*log, 5);  // each in a sync of its own, so the 5th says: durable through 4
  save_image();
  log.reset();
  restore_image();
  EXPECT_EQ(expect_prefix(*open()), 5U);
  EXPECT_EQ(segment_names(), (std::vector<std::string>{"00000000000000000001.seg", "00000000000000000005.seg"}));
  const auto lines = log::list_segments(data_dir_);
  EXPECT_EQ((*lines)[0].records, 4U);
  EXPECT_EQ((*lines)[1].records, 1U);
}

TEST_F(SegmentLogTest, a_segment_with_nothing_durable_is_replaced_by_one_of_its_name) {
  auto log = open();
  append_next(*log, 1);
  save_image();
  log.reset();
  restore_image();
  EXPECT_EQ(expect_prefix(*open()), 1U);
  EXPECT_EQ(segment_names().front(), "00000000000000000001.seg");
}

TEST_F(SegmentLogTest, a_frame_that_reappears_after_a_failed_sync_is_made_durable_before_the_log_is_open) {
  log::FailingDisk disk;
  int failures = 0;
  {
    auto settings = options();
    settings.on_failure = [&](const Error& error) {
      ++failures;
      EXPECT_EQ(error.code, "io_error");
    };
    auto log = SegmentLog::open(settings, master_, clock_, disk);
    append_next(**log, 2);
    disk.set_rule([this](const std::string& call, const std::string& path) -> Result<void> {
      if (call == "sync" && path == segment(1)) return fail("io_error", "injected");
      return {};
    });
    EXPECT_EQ(append(**log, body_of(3)).error().code, "store_failed");
    disk.set_rule({});
    EXPECT_EQ(append(**log, body_of(4)).error().code, "store_failed") << "a failed sync is never tried again";
    EXPECT_EQ((*log)->end().value, 2U);
    EXPECT_EQ((*log)->read({}, {})->size(), 2U) << "reading goes on, without what is in doubt";
  }
  EXPECT_EQ(failures, 1);

  std::vector<std::string> calls;
  disk.set_rule([&](const std::string& call, const std::string& path) -> Result<void> {
    if (call != "free_bytes") calls.push_back(call + " " + fs::path(path).filename().string());
    return {};
  });
  auto log = SegmentLog::open(options(), master_, clock_, disk);
  ASSERT_TRUE(log) << log.error().text();
  disk.set_rule({});
  EXPECT_EQ(expect_prefix(**log), 3U);
  // Record 2 was acknowledged, and record 3 says so.
  const std::vector<std::string> expected{"sync_directory " + fs::path(data_dir_).filename().string(),
                                          "create open.tmp",
                                          "write open.tmp",
                                          "write open.tmp",
                                          "sync open.tmp",
                                          "rename 00000000000000000003.seg",
                                          "sync_directory log"};
  calls.resize(expected.size());
  EXPECT_EQ(calls, expected);
}

TEST_F(SegmentLogTest, a_tail_torn_at_any_byte_is_dropped_and_what_is_durable_stays) {
  auto log = open();
  append_next(*log, 4);
  save_image();
  log.reset();
  std::vector<std::uint64_t> offsets;
  std::uint64_t end = 0;
  {
    const auto file = runtime::File::open_read(data_dir_ + ".image/00000000000000000001.seg");
    const auto tail = log::scan_tail(*file, {1});
    offsets = tail->offsets;
    end = tail->end;
  }
  ASSERT_EQ(offsets.size(), 4U);
  for (const bool zeros_follow : {false, true}) {
    for (std::uint64_t cut = offsets[2]; cut <= end; ++cut) {
      restore_image();
      fs::resize_file(segment(1), cut);
      if (zeros_follow) fs::resize_file(segment(1), end + 4096);
      auto opened = try_open();
      ASSERT_TRUE(opened) << "cut at " << cut << ": " << opened.error().text();
      std::uint64_t whole = 2;  // cut inside the third
      if (cut >= offsets[3]) whole = 3;
      if (cut == end) whole = 4;
      // A frame ends with a tag that is not zeros; at most its padding may be cut without loss when zeros follow.
      const std::uint64_t found = expect_prefix(**opened);
      if (zeros_follow) {
        EXPECT_TRUE(found == whole || (found == whole + 1 && (whole == 2 ? offsets[3] : end) - cut < 16)) << cut;
      } else {
        EXPECT_EQ(found, whole) << "cut at " << cut;
      }
    }
  }
}

TEST_F(SegmentLogTest, a_changed_bit_gives_an_error_or_a_shorter_tail_but_never_other_data) {
  auto log = open();
  append_next(*log, 6);
  save_image();
  log.reset();
  const auto file = runtime::File::open_read(data_dir_ + ".image/00000000000000000001.seg");
  const auto tail = log::scan_tail(*file, {1});
  // How much was written ahead of the tail when the image was taken is up to the thread that does it.
  const std::uint64_t end = std::min<std::uint64_t>(tail->end + 64, file->size().value());
  std::mt19937 random(7);
  int refused = 0;
  int shorter = 0;
  for (std::uint64_t offset = 0; offset < end; offset += offset < log::kSegmentHeaderBytes - 8 ? 61 : 1) {
    restore_image();
    change(segment(1), offset, [&](char& byte) { byte = static_cast<char>(byte ^ (1 << (random() % 8))); });
    auto opened = try_open();
    if (!opened) {
      ++refused;
      EXPECT_LT(offset, tail->offsets[5]) << "only damage to what is known to be durable is refused";
      const auto code = opened.error().code;
      EXPECT_TRUE(code == "corrupt_record" || code == "corrupt_segment" || code == "not_a_segment" ||
                  code == "newer_format")
          << code;
      continue;
    }
    const auto found = expect_prefix(**opened);
    EXPECT_GE(found, 5U) << "acknowledged record lost by a changed bit at " << offset;
    if (found < 6) ++shorter;
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(shorter, 50);
}

TEST_F(SegmentLogTest, after_a_clean_stop_damage_to_any_record_is_refused) {
  append_next(*open(), 3);
  save_image();
  const auto file = runtime::File::open_read(segment(1));
  const auto tail = log::scan_tail(*file, {1});
  const std::uint64_t mark_at = tail->end - log::kFrameHeaderBytes;
  for (std::uint64_t offset = log::kSegmentHeaderBytes; offset < mark_at; offset += 5) {
    restore_image();
    fs::remove(segment(4));
    change(segment(1), offset, [](char& byte) { byte = static_cast<char>(byte ^ 4); });
    const auto opened = try_open();
    ASSERT_FALSE(opened) << offset;
    EXPECT_EQ(opened.error().code, "corrupt_record");
    EXPECT_NE(opened.error().message.find("00000000000000000001.seg, offset"), std::string::npos)
        << opened.error().message;
  }
}

TEST_F(SegmentLogTest, an_idle_log_says_that_its_last_record_is_durable) {
  auto settings = options();
  settings.idle_mark_after = std::chrono::milliseconds(1);
  auto log = open(settings);
  append_next(*log, 1);
  const auto file = runtime::File::open_read(segment(1));
  for (int tries = 0; tries < 1000; ++tries) {
    if (log::scan_tail(*file, {1})->durable_through.value == 1) return;
    std::this_thread::yield();
    ::usleep(5000);
  }
  FAIL() << "no mark within 5 s";
}

TEST_F(SegmentLogTest, half_made_files_of_a_killed_start_are_removed) {
  append_next(*open(), 3);
  std::ofstream(log::in_directory(log_dir(), "open.tmp")) << "half a segment";
  std::ofstream(log::in_directory(log_dir(), "spare.tmp"));
  EXPECT_EQ(expect_prefix(*open()), 3U);
  EXPECT_FALSE(fs::exists(log::in_directory(log_dir(), "open.tmp")));
}

// --- power cuts, at every call to the disk

TEST_F(SegmentLogTest, no_acknowledged_record_is_lost_by_power_cuts) {
  int rounds_with_loss = 0;
  for (std::uint32_t seed = 1; seed <= 150; ++seed) {
    fs::remove_all(data_dir_);
    std::mt19937 random(seed);
    std::uint64_t acknowledged = 0;
    for (int lives = 0; lives < 4; ++lives) {
      log::PowerCutDisk disk(static_cast<std::uint32_t>(random()), 3 + static_cast<int>(random() % 40));
      auto settings = options(random() % 2 == 0 ? 2048 + 4096 : 1024 * 1024);
      std::uint64_t sent = 0;
      {
        auto opened = SegmentLog::open(settings, master_, clock_, disk);
        if (opened) {
          auto& log = **opened;
          sent = log.end().value;
          ASSERT_GE(sent, acknowledged) << "seed " << seed << ", life " << lives;
          expect_prefix(log);
          while (!disk.was_cut() && sent < 1000) {
            const std::uint64_t group = 1 + random() % 5;
            std::promise<void> last_told;
            for (std::uint64_t i = 0; i < group; ++i) {
              log.append(record_of(body_of(++sent)), [&, last = i + 1 == group](const Result<Sequence>& result) {
                if (result) acknowledged = std::max(acknowledged, result->value);
                if (last) last_told.set_value();
              });
            }
            last_told.get_future().wait();
          }
          if (sent > acknowledged) ++rounds_with_loss;
        } else {
          EXPECT_TRUE(disk.was_cut()) << opened.error().text();
        }
      }
      if (fs::exists(log_dir())) disk.forget(log_dir());
    }
    auto log = try_open();
    ASSERT_TRUE(log) << "seed " << seed << ": " << log.error().text();
    EXPECT_GE(expect_prefix(**log), acknowledged) << "seed " << seed;
    const auto report = log::verify(data_dir_, master_);
    EXPECT_TRUE(report->sound()) << report->faults.front().error.text();
  }
  EXPECT_GT(rounds_with_loss, 20) << "the cuts should hit work in progress";
}

TEST_F(SegmentLogTest, no_acknowledged_record_is_lost_by_kill_9) {
#if defined(__SANITIZE_THREAD__) || (defined(__has_feature) && __has_feature(thread_sanitizer))
  GTEST_SKIP() << "skipped: fork under the thread sanitizer";
#endif
  std::mt19937 random(11);
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 20; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto opened = SegmentLog::open(options(16 * 1024), master_, clock_);
      if (!opened) ::_exit(3);
      std::uint64_t sent = (*opened)->end().value;
      while (true) {
        (*opened)->append(record_of(body_of(++sent)), [&](const Result<Sequence>& result) {
          if (!result || ::write(pipe[1], &result->value, 8) != 8) ::_exit(4);
        });
        if (sent % 8 == 0) ::usleep(100);
      }
    }
    ::close(pipe[1]);
    // Every other time it has got as far as to acknowledge, however slow the machine; else the kill may hit its start.
    std::uint64_t sequence = 0;
    if (round % 2 == 0 && ::read(pipe[0], &sequence, 8) == 8) acknowledged = std::max(acknowledged, sequence);
    ::usleep(static_cast<useconds_t>(random() % 60'000));
    ::kill(child, SIGKILL);
    while (::read(pipe[0], &sequence, 8) == 8) acknowledged = std::max(acknowledged, sequence);
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
  }
  EXPECT_GE(expect_prefix(*open()), acknowledged);
  EXPECT_GT(acknowledged, 0U);
}

// --- directories that are not as they should be

TEST_F(SegmentLogTest, a_missing_segment_is_noticed_at_the_start) {
  for (int i = 0; i < 3; ++i) append_next(*open(), 2);
  save_image();
  for (const std::uint64_t missing : {1U, 3U}) {
    restore_image();
    fs::remove(segment(missing));
    EXPECT_EQ(outcome(), "missing_segment");
  }
}

TEST_F(SegmentLogTest, foreign_files_and_segments_are_refused) {
  for (int i = 0; i < 2; ++i) append_next(*open(), 2);
  save_image();
  std::ofstream(log::in_directory(log_dir(), "notes.txt")) << "x";
  EXPECT_EQ(outcome(), "foreign_file");
  restore_image();
  fs::rename(segment(3), segment(4));
  EXPECT_EQ(outcome(), "foreign_segment");

  fs::remove_all(data_dir_);
  for (int i = 0; i < 2; ++i) append_next(*open(), 2);  // another log of the same shape
  fs::copy_file(data_dir_ + ".image/00000000000000000003.seg", segment(3), fs::copy_options::overwrite_existing);
  EXPECT_EQ(outcome(), "foreign_segment");
}

TEST_F(SegmentLogTest, a_named_segment_without_its_header_is_damage) {
  append_next(*open(), 2);
  save_image();
  fs::resize_file(segment(1), 0);
  EXPECT_EQ(outcome(), "corrupt_segment");
  fs::resize_file(segment(1), 100'000);  // zeros
  EXPECT_EQ(outcome(), "corrupt_segment");
  restore_image();
  fs::resize_file(segment(1), 1000);
  EXPECT_EQ(outcome(), "corrupt_segment");
  restore_image();
  std::ofstream(segment(1)) << std::string(8192, 'x');
  EXPECT_EQ(outcome(), "not_a_segment");
}

TEST_F(SegmentLogTest, a_newer_format_is_refused_as_such) {
  append_next(*open(), 2);
  change(segment(1), 8, [](char& byte) { byte = 2; });
  EXPECT_EQ(outcome(), "newer_format");
}

TEST_F(SegmentLogTest, the_wrong_master_key_is_refused_and_changes_nothing) {
  auto log = open();
  append_next(*log, 2);
  log.reset();
  const auto names = segment_names();
  const auto right = master_;
  master_ = runtime::MasterKey(runtime::random_key());
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "wrong_master_key");
  EXPECT_NE(opened.error().message.find(right.id()), std::string::npos) << "names the key that is wanted";
  EXPECT_EQ(segment_names(), names);
  master_ = right;
  EXPECT_EQ(expect_prefix(*open()), 2U);
}

TEST_F(SegmentLogTest, two_processes_cannot_write_one_log) {
  const auto log = open();
  EXPECT_EQ(outcome(), "locked");
}

TEST_F(SegmentLogTest, a_directory_that_cannot_be_written_is_refused) {
  if (::geteuid() == 0) GTEST_SKIP() << "skipped: no ordinary user (root may write anywhere)";
  fs::create_directories(data_dir_);
  fs::permissions(data_dir_, fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_EQ(outcome(), "permission_denied");
  fs::permissions(data_dir_, fs::perms::owner_all);
}

TEST_F(SegmentLogTest, no_plain_text_is_on_the_disk) {
  {
    auto log = open();
    ASSERT_TRUE(append(*log, "a very telling body, a very telling body"));
  }
  for (const auto& name : segment_names()) {
    const auto content = runtime::read_file(log::in_directory(log_dir(), name));
    EXPECT_EQ(content->find("telling"), std::string::npos);
    EXPECT_EQ(content->find("signature"), std::string::npos);
  }
}

// --- rotation, limits, refusals

TEST_F(SegmentLogTest, small_segments_are_many_and_read_as_one_log) {
  auto settings = options(4096 + 1024);
  settings.open_segments_max = 2;
  {
    auto log = open(settings);
    append_next(*log, 200);
    EXPECT_GT(segment_names().size(), 20U);
    EXPECT_EQ(expect_prefix(*log), 200U);
    for (std::uint64_t i = 1; i <= 200; ++i)
      EXPECT_EQ(log->at({(i * 77) % 200 + 1})->record.body, body_of((i * 77) % 200 + 1));
  }
  EXPECT_EQ(expect_prefix(*open(settings)), 200U);
}

// How many bytes this process has read so far.
std::uint64_t bytes_read() {
  const std::string text = *runtime::read_file("/proc/self/io");
  return std::stoull(text.substr(text.find("rchar: ") + 7));
}

// Frames of very different sizes, by long stretches: what a guess by the numbers does worst with.
std::string uneven_body_of(std::uint64_t i) {
  std::string text = body_of(i);
  const std::size_t filling = i / 500 % 3 == 0 ? 20'000 : i % 97 == 0 ? 60'000 : 0;
  for (std::uint64_t n = i; text.size() < filling;) text += std::to_string(n = n * 6'364'136'223'846'793'005U + 1);
  return text;
}

// Bytes read for one of many records from all over the log, beyond its body.
std::uint64_t bytes_read_beside_a_body(const SegmentLog& log, std::uint64_t records) {
  constexpr std::uint64_t kLooks = 400;
  const std::uint64_t before = bytes_read();
  std::uint64_t shown = 0;
  for (std::uint64_t i = 1; i <= kLooks; ++i) {
    const std::uint64_t wanted = (i * 7'919) % records + 1;
    const auto found = log.at({wanted});
    if (!found || found->record.body != uneven_body_of(wanted)) {
      ADD_FAILURE() << wanted << (found ? " has another body" : ": " + found.error().text());
      continue;
    }
    shown += found->record.body.size();
  }
  return (bytes_read() - before - shown) / kLooks;
}

TEST_F(SegmentLogTest, one_record_of_a_closed_segment_is_found_by_reading_little_of_it) {
  auto settings = options(std::uint64_t{2} * 1024 * 1024);
  settings.open_segments_max = 1;  // nothing that was seen is remembered
  constexpr std::uint64_t kRecords = 3'000;
  {
    auto log = open(settings);
    for (std::uint64_t i = 1; i <= kRecords; ++i) ASSERT_TRUE(append(*log, uneven_body_of(i)));
  }
  ASSERT_GT(segment_names().size(), 2U);
  const std::uint64_t unknown = bytes_read_beside_a_body(*open(settings), kRecords);
  EXPECT_LT(unknown, 256U * 1024) << "and not the segment";

  settings.open_segments_max = 100;
  const auto log = open(settings);
  bytes_read_beside_a_body(*log, kRecords);
  EXPECT_LT(bytes_read_beside_a_body(*log, kRecords) * 5, unknown * 4) << "what was seen on the way is remembered";
}

TEST_F(SegmentLogTest, many_at_once_are_the_same_as_one_by_one_in_closed_segments_and_the_open_one) {
  auto settings = options(std::uint64_t{2} * 1024 * 1024);
  settings.open_segments_max = 2;
  constexpr std::uint64_t kRecords = 3'000;
  auto log = open(settings);
  for (std::uint64_t i = 1; i <= kRecords; ++i) ASSERT_TRUE(append(*log, uneven_body_of(i)));
  for (const bool reopened : {false, true}) {
    std::vector<Sequence> wanted;
    for (std::uint64_t i = 0; i < 200; ++i) wanted.push_back({kRecords - (i * 1'201) % kRecords});
    wanted.push_back({0});
    wanted.push_back({kRecords + 1});
    const auto found = log->some_of(wanted, 100'000'000);
    ASSERT_EQ(found.size(), 200U) << reopened;
    for (const auto& one : found) EXPECT_EQ(one.record.body, uneven_body_of(one.sequence.value));
    log.reset();
    log = open(settings);
  }
}

TEST_F(SegmentLogTest, a_record_behind_damage_in_a_closed_segment_is_read) {
  auto settings = options(std::uint64_t{4} * 1024 * 1024);
  {
    append_next(*open(settings), 300);
  }
  append_next(*open(settings), 1);  // the first segment is closed
  const auto log = open(settings);
  std::vector<std::uint64_t> places;
  {
    const auto file = *runtime::File::open_read(segment(1));
    log::FrameScanner scanner(file, log::kSegmentHeaderBytes);
    for (auto frame = scanner.next(); frame && frame->state == log::DecodedFrame::State::kWhole;
         frame = scanner.next()) {
      if (frame->header.kind == log::FrameKind::kRecord) places.push_back(scanner.offset());
    }
  }
  ASSERT_GE(places.size(), 300U);
  for (const std::uint64_t damaged : {1U, 10U, 150U, 151U, 299U}) {
    change(segment(1), places[damaged - 1] + 40, [](char& byte) { byte = static_cast<char>(byte ^ 1); });
  }
  for (std::uint64_t i = 1; i <= 300; ++i) {
    const auto found = log->at({i});
    const bool is_damaged = i == 1 || i == 10 || i == 150 || i == 151 || i == 299;
    ASSERT_EQ(found.has_value(), !is_damaged) << i;
    if (is_damaged) {
      EXPECT_EQ(found.error().code, "corrupt_record");
    } else {
      EXPECT_EQ(found->record.body, body_of(i));
    }
  }
}

TEST_F(SegmentLogTest, a_record_larger_than_a_segment_gets_one_of_its_own) {
  auto log = open(options(8192));
  const std::string large = runtime::random_bytes(100'000);
  ASSERT_TRUE(append(*log, "small"));
  ASSERT_TRUE(append(*log, large));
  ASSERT_TRUE(append(*log, "small"));
  EXPECT_EQ(segment_names().size(), 3U);
  EXPECT_EQ(log->at({2})->record.body, large);
}

TEST_F(SegmentLogTest, a_body_at_the_limit_is_kept_and_one_past_it_refused) {
  auto log = open(SegmentLogOptions{.data_dir = data_dir_, .free_bytes_min = 0});
  const std::string random = runtime::random_bytes(log::kBodyBytesMax);
  ASSERT_TRUE(append(*log, random));
  EXPECT_EQ(log->at({1})->record.body, random);
  EXPECT_EQ(append(*log, std::string(log::kBodyBytesMax + 1, 'x')).error().code, "too_large");
}

// Holds the writer in its first sync until told to go on.
class Gate {
 public:
  log::FailingDisk::Rule rule(std::string path) {
    return [this, path = std::move(path)](const std::string& call, const std::string& at) -> Result<void> {
      if (call == "sync" && at == path && !passed_.exchange(true)) {
        reached_.set_value();
        open_.get_future().wait();
      }
      return {};
    };
  }
  void wait_until_reached() { reached_.get_future().wait(); }
  void let_go() { open_.set_value(); }

 private:
  std::atomic<bool> passed_ = false;
  std::promise<void> reached_;
  std::promise<void> open_;
};

class BlockingDisk final : public log::QuickDisk {
 public:
  explicit BlockingDisk(std::string path) : rule_(gate.rule(std::move(path))) {}
  Result<void> sync(const runtime::File& file) override {
    return file.path().ends_with(".seg") && armed ? rule_("sync", file.path()) : Result<void>();
  }
  Gate gate;
  std::atomic<bool> armed = false;

 private:
  log::FailingDisk::Rule rule_;
};

TEST_F(SegmentLogTest, the_queue_is_bounded_by_records) {
  BlockingDisk disk(segment(1));
  auto settings = options(4096);  // no zeros ahead, so that only the writer syncs
  settings.queue_records_max = 3;
  auto log = SegmentLog::open(settings, master_, clock_, disk);
  disk.armed = true;
  std::vector<std::string> told;
  std::promise<void> all;
  const auto note = [&](Result<Sequence> result) {
    told.push_back(result ? std::to_string(result->value) : std::string(result.error().code));
    if (told.size() == 5) all.set_value();
  };
  (*log)->append(record_of(body_of(1)), note);
  disk.gate.wait_until_reached();
  for (int i = 2; i <= 5; ++i) (*log)->append(record_of("waits"), note);
  EXPECT_EQ(told, std::vector<std::string>{"overloaded"}) << "told at once, the others wait";
  EXPECT_EQ((*log)->end().value, 0U) << "nothing is readable before its sync has returned";
  disk.gate.let_go();
  all.get_future().wait();
  EXPECT_EQ(told, (std::vector<std::string>{"overloaded", "1", "2", "3", "4"}));
}

TEST_F(SegmentLogTest, the_queue_is_bounded_by_bytes) {
  BlockingDisk disk(segment(1));
  auto settings = options(4096);
  settings.queue_bytes_max = 10'000;
  auto log = SegmentLog::open(settings, master_, clock_, disk);
  disk.armed = true;
  std::atomic<int> overloaded = 0;
  std::atomic<int> kept = 0;
  const auto note = [&](const Result<Sequence>& result) { ++(result ? kept : overloaded); };
  (*log)->append(record_of("first"), note);
  disk.gate.wait_until_reached();
  (*log)->append(record_of(runtime::random_bytes(20'000)), note);  // the first one to wait is taken whatever its size
  (*log)->append(record_of(runtime::random_bytes(100)), note);
  EXPECT_EQ(overloaded, 1);
  disk.gate.let_go();
  (*log)->close();
  EXPECT_EQ(kept, 2);
}

TEST_F(SegmentLogTest, closing_commits_what_waits_and_then_refuses) {
  auto log = open();
  int kept = 0;
  for (int i = 0; i < 100; ++i) {
    log->append(record_of(body_of(static_cast<std::uint64_t>(i) + 1)),
                [&](const Result<Sequence>& result) { kept += result ? 1 : 0; });
  }
  log->close();
  EXPECT_EQ(kept, 100);
  EXPECT_EQ(append(*log, "late").error().code, "stopped");
  EXPECT_EQ(expect_prefix(*log), 100U) << "reading goes on";
}

TEST_F(SegmentLogTest, any_error_on_the_way_to_the_disk_stops_the_log_once) {
  for (const std::string call : {"write", "sync", "rename", "sync_directory"}) {
    fs::remove_all(data_dir_);
    log::FailingDisk disk;
    int failures = 0;
    auto settings = options(4096 + 300);
    settings.on_failure = [&](const Error&) { ++failures; };
    auto log = SegmentLog::open(settings, master_, clock_, disk);
    append_next(**log, 1);
    disk.set_rule([&](const std::string& asked, const std::string& path) -> Result<void> {
      if (asked == call && path.find("spare") == std::string::npos) return fail("io_error", "injected");
      return {};
    });
    std::vector<std::string> told;
    for (int i = 0; i < 6; ++i) {  // enough for a new segment
      const auto result = append(**log, body_of(static_cast<std::uint64_t>(i) + 2));
      told.push_back(result ? "kept" : std::string(result.error().code));
    }
    EXPECT_EQ(told.back(), "store_failed") << call;
    disk.set_rule({});
    EXPECT_EQ(append(**log, "later").error().code, "store_failed") << call;
    const auto kept = (*log)->end().value;
    log->reset();
    EXPECT_EQ(failures, 1) << call;
    EXPECT_GE(expect_prefix(*open()), kept) << call;
  }
}

TEST_F(SegmentLogTest, little_free_space_is_answered_disk_low_until_there_is_more) {
  log::FailingDisk disk;
  auto settings = options();
  settings.free_bytes_min = 1;
  auto log = SegmentLog::open(settings, master_, clock_, disk);
  append_next(**log, 1);
  disk.set_rule([](const std::string& call, const std::string&) -> Result<void> {
    return call == "free_bytes" ? Result<void>(fail("disk_full", "")) : Result<void>();
  });
  const auto until = [&](const std::string& wanted) {
    for (int i = 0; i < 1000; ++i) {
      const auto result = append(**log, body_of((*log)->end().value + 1));
      if ((result ? "kept" : result.error().code) == wanted) return true;
      ::usleep(5000);
    }
    return false;
  };
  EXPECT_TRUE(until("disk_low"));
  disk.set_rule({});
  EXPECT_TRUE(until("kept"));
}

TEST_F(SegmentLogTest, a_full_disk_while_making_space_refuses_and_recovers) {
  log::FailingDisk disk;
  std::atomic<int> failures = 0;
  auto settings = options(4096 + 600);
  settings.on_failure = [&](const Error&) { ++failures; };
  auto log = SegmentLog::open(settings, master_, clock_, disk);
  append_next(**log, 1);
  // No new file can be made or filled; the present one may be written.
  disk.set_rule([](const std::string& call, const std::string& path) -> Result<void> {
    const bool draft = path.ends_with(".tmp");
    return draft && (call == "create" || call == "write") ? Result<void>(fail("disk_full", "")) : Result<void>();
  });
  std::string told;
  for (int i = 0; i < 2000 && told != "disk_low"; ++i) {
    const auto result = append(**log, body_of((*log)->end().value + 1));
    told = result ? "kept" : std::string(result.error().code);
  }
  EXPECT_EQ(told, "disk_low");
  disk.set_rule({});
  for (int i = 0; i < 1000 && told != "kept"; ++i) {
    const auto result = append(**log, body_of((*log)->end().value + 1));
    told = result ? "kept" : std::string(result.error().code);
    ::usleep(5000);
  }
  EXPECT_EQ(told, "kept");
  EXPECT_EQ(failures, 0);
  expect_prefix(**log);
}

TEST_F(SegmentLogTest, on_a_real_full_disk_nothing_acknowledged_is_lost_and_reading_goes_on) {
  fs::create_directories(data_dir_);
  if (::geteuid() != 0 || ::mount("tmpfs", data_dir_.c_str(), "tmpfs", 0, "size=2m") != 0)
    GTEST_SKIP() << "skipped: no right to mount a tmpfs";
  {
    auto settings = options(256 * 1024);
    auto log = open(settings);
    std::uint64_t kept = 0;
    std::string refusal;
    for (int i = 0; i < 3000 && refusal.empty(); ++i) {
      const auto result = append(*log, runtime::random_bytes(2000));
      result ? static_cast<void>(++kept) : static_cast<void>(refusal = result.error().code);
    }
    // Which of the two meets the full disk first, the thread that makes space ahead or the writer, is up to the
    // scheduler.
    EXPECT_TRUE(refusal == "disk_low" || refusal == "store_failed") << refusal;
    EXPECT_GT(kept, 300U);
    EXPECT_EQ(log->end().value, kept);
    EXPECT_EQ(log->read({}, {.records_max = 10'000, .body_bytes_max = 100'000'000})->size(), kept);
    log->close();
    EXPECT_TRUE(log::verify(data_dir_, master_)->sound());
  }
  ::umount(data_dir_.c_str());
}

// --- looking from outside

TEST_F(SegmentLogTest, verify_reports_every_fault_and_goes_on) {
  auto settings = options(4096 + 2048);
  append_next(*open(settings), 60);
  auto report = log::verify(data_dir_, master_);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->sound()) << report->faults.front().error.text();
  std::uint64_t records = 0;
  for (const auto& one : report->segments) records += one.records;
  EXPECT_EQ(records, 60U);

  const auto names = segment_names();
  ASSERT_GT(names.size(), 3U);
  for (const std::size_t i : {std::size_t{0}, std::size_t{2}}) {
    const auto path = log::in_directory(log_dir(), names[i]);
    change(path, 4096 + 40, [](char& byte) { byte = static_cast<char>(byte ^ 1); });
  }
  report = log::verify(data_dir_, master_);
  ASSERT_EQ(report->faults.size(), 2U);
  EXPECT_EQ(report->faults[0].first.value, 1U);
  EXPECT_EQ(report->faults[0].last.value, 1U);
  EXPECT_EQ(report->faults[0].offset, 4096U);
  EXPECT_EQ(report->faults[1].error.code, "corrupt_record");
  records = 0;
  for (const auto& one : report->segments) records += one.records;
  EXPECT_EQ(records, 58U);

  // The log still opens (closed segments are not read), gives what is whole, and names what is not.
  const auto log = open(settings);
  EXPECT_EQ(log->at({1}).error().code, "corrupt_record");
  EXPECT_EQ(log->at({2})->record.body, body_of(2));
  EXPECT_EQ(log->read({}, {}).error().code, "corrupt_record");
}

TEST_F(SegmentLogTest, verify_finds_a_body_that_is_not_its_digest) {
  auto log = open();
  Record wrong = record_of("right");
  wrong.body = "wrong";
  std::promise<void> told;
  log->append(wrong, [&](const Result<Sequence>&) { told.set_value(); });
  told.get_future().wait();
  log->close();
  const auto report = log::verify(data_dir_, master_);
  ASSERT_EQ(report->faults.size(), 1U);
  EXPECT_EQ(report->faults[0].error.code, "wrong_digest");
}

TEST_F(SegmentLogTest, a_running_log_can_be_looked_at) {
  auto log = open(options(32 * 1024));
  std::atomic<bool> done = false;
  const std::jthread writer([&] {
    while (!done && log->end().value < 5000) ASSERT_TRUE(append(*log, body_of(log->end().value + 1)));
  });
  while (log->end().value < 5000) {
    const Sequence committed = log->end();
    const auto report = log::verify(data_dir_, master_);
    EXPECT_TRUE(report);
    EXPECT_TRUE(report->sound()) << report->faults.front().error.text();
    std::uint64_t next = 1;
    const auto visited =
        log::visit_records(data_dir_, master_, {1}, {1'000'000}, [&](Sequence sequence, const Result<Record>& record) {
          EXPECT_EQ(sequence.value, next++);
          EXPECT_TRUE(record && record->body == body_of(sequence.value));
          return true;
        });
    EXPECT_TRUE(visited) << visited.error().text();
    EXPECT_GT(next, committed.value);
    const auto lines = log::list_segments(data_dir_);
    EXPECT_TRUE(lines) << lines.error().text();
  }
  done = true;
}

TEST_F(SegmentLogTest, a_tombstone_is_answered_erased_and_its_neighbours_are_read) {
  // As an erasure would write it: the segment anew, under the same name.
  append_next(*open(), 3);
  auto segments = log::survey_directory(log_dir());
  auto& header = (*segments)[0].header;
  const auto key = log::make_segment_key(header, master_);
  log::FrameSealer sealer(key);
  std::string content = log::encode_segment_header(header);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    const bool erased = i == 2;
    const auto payload = erased ? log::encode_tombstone({sha256(body_of(2)), "asked for by the patient"})
                                : *log::encode_payload(record_of(body_of(i)));
    sealer.append({.kind = erased ? log::FrameKind::kTombstone : log::FrameKind::kRecord,
                   .codec = log::Codec::kNone,
                   .sequence = {i},
                   .durable_through = {i - 1}},
                  payload, content);
  }
  ASSERT_TRUE(runtime::write_file_durably(segment(1), content));
  const auto log = open();
  EXPECT_EQ(log->at({1})->record.body, body_of(1));
  EXPECT_EQ(log->at({2}).error().code, "erased");
  EXPECT_EQ(log->at({2}).error().cause, "asked for by the patient");
  EXPECT_EQ(log->read({1}, {}).error().code, "erased");
  EXPECT_EQ(log->read({}, {})->size(), 1U) << "what is before it is given first";
  EXPECT_EQ(log->read({2}, {})->size(), 1U);
  const auto report = log::verify(data_dir_, master_);
  EXPECT_TRUE(report->sound());
  EXPECT_EQ(report->segments[0].erased, 1U);
}

}  // namespace
}  // namespace resultsync::store
