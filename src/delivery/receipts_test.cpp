#include "delivery/receipts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace resultsync::delivery {
namespace {

class ReceiptsTest : public ::testing::Test {
 protected:
  ReceiptsTest() : path_(::testing::TempDir() + "receipts_test") { std::filesystem::remove(path_); }
  ~ReceiptsTest() override { std::filesystem::remove(path_); }

  static Receipt receipt(std::int64_t key) { return {store::DeliveryKey{key}, -key, 3, 200, Timestamp{17 * key}, 900}; }
  [[nodiscard]] std::vector<std::int64_t> left() const {
    std::vector<std::int64_t> keys;
    for (const Receipt& receipt : Receipts::open(path_, 4).value()->left()) keys.push_back(receipt.key.value);
    std::ranges::sort(keys);
    return keys;
  }

  const std::string path_;
};

TEST_F(ReceiptsTest, what_was_noted_is_left) {
  const auto receipts = Receipts::open(path_, 4).value();
  EXPECT_TRUE(receipts->left().empty());
  receipts->note(receipt(1));
  receipts->note(receipt(2));
  const auto again = Receipts::open(path_, 4).value();
  EXPECT_EQ(again->left(), (std::vector<Receipt>{receipt(1), receipt(2)}));
}

TEST_F(ReceiptsTest, the_newest_take_the_place_of_the_oldest) {
  const auto receipts = Receipts::open(path_, 4).value();
  for (std::int64_t key = 1; key <= 6; ++key) receipts->note(receipt(key));
  EXPECT_EQ(left(), (std::vector<std::int64_t>{3, 4, 5, 6}));
}

TEST_F(ReceiptsTest, a_torn_note_is_none) {
  const auto receipts = Receipts::open(path_, 4).value();
  for (std::int64_t key = 1; key <= 3; ++key) receipts->note(receipt(key));
  const auto size = std::filesystem::file_size(path_);
  const auto file = runtime::File::open_read_write(path_).value();
  ASSERT_TRUE(file.write_at(size / 3 + 9, "?").has_value());
  EXPECT_EQ(left(), (std::vector<std::int64_t>{1, 3}));
  std::filesystem::resize_file(path_, size - 1);
  EXPECT_EQ(left(), (std::vector<std::int64_t>{1}));
}

TEST_F(ReceiptsTest, a_file_that_cannot_be_opened_is_an_error) {
  EXPECT_FALSE(Receipts::open(path_ + "/nowhere/file", 4).has_value());
}

}  // namespace
}  // namespace resultsync::delivery
