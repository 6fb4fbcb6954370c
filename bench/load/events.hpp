// Signed events of the network's shape, as many as wanted, none like another, made while the load runs.
//
// An event costs the generator about a microsecond: the requests of each clinic are laid out once, everything that
// makes an event unique stands near the end of its body, and the hash of what stands before is kept from one event to
// the next. Only the end is stamped and hashed anew. (JSON members have no order, so what differs may stand last.)
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/evp.h>

namespace resultsync::bench {

struct EventSource {
  std::string tag = "bench";  // at most 8 letters and digits; events of different tags are different events
  std::string secret;
  std::string header = "Rupa-Signature";
  std::string target = "/webhook";
  std::string host = "127.0.0.1";
  unsigned clinics = 1;  // events go to cli_bench00000, cli_bench00001 … in turn
};

enum class Signature { kValid, kForged };

class EventFactory {
 public:
  static constexpr std::uint64_t kNumbersMax = 10'000'000'000;  // ten digits in every id

  explicit EventFactory(EventSource source);

  // Replaces `request` with the whole HTTP request of event `number`, signed at `unix_seconds`. The body is a function
  // of tag and number alone, so the same number again is a duplicate to the byte.
  void write_request(std::uint64_t number, Signature signature, std::int64_t unix_seconds, std::string& request);

  // "evt_bench0000000042"
  [[nodiscard]] std::string event_id(std::uint64_t number) const;

 private:
  struct DigestFree {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  using Digest = std::unique_ptr<EVP_MD_CTX, DigestFree>;

  // Where in a request something is to be written.
  struct Stamp {
    enum class What { kNumber, kTimeOfDay } what;
    std::size_t offset;
  };

  struct Template {
    std::string request;
    std::size_t time_offset = 0;  // of the ten digits of `t=`
    std::size_t mac_offset = 0;   // of the 64 digits of `v1=`
    std::size_t body_offset = 0;
    std::size_t tail_offset = 0;  // nothing before it differs between the events of this template
    std::vector<Stamp> stamps;
    Digest hashed_until_tail;      // HMAC's inner hash over "<t>." and the body up to the tail
    std::int64_t hashed_for = -1;  // the t of it
  };

  Template make_template(unsigned index) const;
  void sign(Template& layout, Signature signature, std::int64_t unix_seconds, std::string& request);

  EventSource source_;
  Digest inner_key_;  // HMAC's two hashes with the key's block taken in (RFC 2104 §2)
  Digest outer_key_;
  Digest scratch_;
  std::vector<Template> templates_;
};

}  // namespace resultsync::bench
