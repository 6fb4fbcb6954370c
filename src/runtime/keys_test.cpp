#include "runtime/keys.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "base/encoding.hpp"
#include "runtime/file.hpp"
#include "runtime/random.hpp"
#include "runtime/sealing.hpp"

namespace resultsync::runtime {
namespace {

class Keys : public testing::Test {
 protected:
  Keys() : directory_((std::filesystem::temp_directory_path() / ("keys_" + encode_hex(random_bytes(6)))).string()) {
    std::filesystem::create_directories(directory_);
  }
  ~Keys() override { std::filesystem::remove_all(directory_); }
  void write(const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path()) << text;
    ::chmod(path().c_str(), mode);
  }
  std::string path() const { return directory_ + "/master.key"; }
  const std::string directory_;
};

TEST_F(Keys, a_key_is_made_at_the_first_start_and_is_the_same_ever_after) {
  const auto made = MasterKey::load_or_create(path());
  ASSERT_TRUE(made) << made.error().text();
  const auto again = MasterKey::load_or_create(path());
  ASSERT_TRUE(again);
  EXPECT_EQ(made->key().reveal(), again->key().reveal());
  EXPECT_EQ(made->id().size(), 8U);
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(list_directory(directory_)->size(), 1U) << "no draft is left behind";
}

TEST_F(Keys, first_starts_at_once_end_with_one_key) {
  std::vector<std::string> ids(8);
  {
    std::vector<std::jthread> starts;
    for (auto& id : ids) starts.emplace_back([&] { id = MasterKey::load_or_create(path())->id(); });
  }
  for (const auto& id : ids) EXPECT_EQ(id, ids.front());
}

TEST_F(Keys, the_id_is_of_the_digest_of_the_raw_key) {
  write("0000000000000000000000000000000000000000000000000000000000000000\n");
  EXPECT_EQ(MasterKey::load(path())->id(), "66687aad");  // SHA-256 of 32 zero bytes begins so
}

TEST_F(Keys, a_file_that_others_may_read_is_refused_with_the_cure) {
  for (const mode_t mode : {0640U, 0604U, 0620U, 0644U}) {
    write(std::string(64, 'a'), mode);
    const auto key = MasterKey::load(path());
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, "key_file_exposed");
    EXPECT_NE(key.error().cause.find("chmod 600"), std::string::npos);
  }
}

TEST_F(Keys, anything_but_64_digits_is_refused_and_never_shown) {
  for (const std::string& text :
       {std::string(), std::string(63, 'a'), std::string(66, 'a'), std::string(64, 'g'), "x" + std::string(64, 'a')}) {
    write(text);
    const auto key = MasterKey::load_or_create(path());
    ASSERT_FALSE(key) << text.size();
    EXPECT_EQ(key.error().code, "bad_key_file");
    EXPECT_EQ(key.error().text().find("aaaa"), std::string::npos);
  }
  EXPECT_EQ(MasterKey::load(directory_ + "/none").error().code, "not_found");
}

// NIST GCM test vector: AES-256, 96-bit nonce, with associated data (McGrew and Viega, "The Galois/Counter Mode", test
// case 16).
TEST(Sealing, gives_what_the_standard_says) {
  Key256 key{};
  const std::string raw = *decode_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(raw[i]);
  SealNonce nonce{};
  const std::string raw_nonce = *decode_hex("cafebabefacedbaddecaf888");
  for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::uint8_t>(raw_nonce[i]);
  const std::string text = *decode_hex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba637b39");
  const std::string associated = *decode_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  std::string sealed = "before";
  Sealer(Secret<Key256>(key)).seal(nonce, associated, text, sealed);
  EXPECT_EQ(encode_hex(sealed.substr(6)),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393"
            "ba7a0abcc9f662"
            "76fc6ece0f4e1768cddf8853bb2d551b");
  Unsealer unsealer{Secret<Key256>(key)};
  EXPECT_EQ(*unsealer.open(nonce, associated, sealed.substr(6)), text);
}

TEST(Sealing, any_change_is_noticed_and_the_kept_state_still_works_after_it) {
  const auto key = random_key();
  Sealer sealer(key);
  Unsealer unsealer(key);
  const SealNonce nonce{1};
  std::string sealed;
  sealer.seal(nonce, "beside", "the text", sealed);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(unsealer.open(nonce, "beside", changed).error().code, "bad_seal");
    EXPECT_EQ(unsealer.open(nonce, "beside", sealed.substr(0, i)).error().code, "bad_seal");
  }
  EXPECT_EQ(unsealer.open(SealNonce{2}, "beside", sealed).error().code, "bad_seal");
  EXPECT_EQ(unsealer.open(nonce, "Beside", sealed).error().code, "bad_seal");
  EXPECT_EQ(Unsealer(random_key()).open(nonce, "beside", sealed).error().code, "bad_seal");
  EXPECT_EQ(*unsealer.open(nonce, "beside", sealed), "the text");
}

TEST(Sealing, an_empty_text_has_a_seal_too) {
  const auto key = random_key();
  std::string sealed;
  Sealer(key).seal({}, "", "", sealed);
  EXPECT_EQ(sealed.size(), kSealTagBytes);
  EXPECT_EQ(*Unsealer(key).open({}, "", sealed), "");
}

}  // namespace
}  // namespace resultsync::runtime
