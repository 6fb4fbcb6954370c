// A segment's own key: made with the segment, wrapped by the master key in its header, used for its frames only.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "runtime/keys.hpp"
#include "runtime/sealing.hpp"
#include "store/log/format.hpp"

namespace resultsync::store::log {

struct SegmentKey {
  LogId log_id;
  Secret<runtime::Key256> key;
};

// Fills in the header's key fields with a fresh, wrapped key, and returns the key. Call it last: the wrapping is bound
// to the other fields.
SegmentKey make_segment_key(SegmentHeader& header, const runtime::MasterKey& master);

// Errors: `wrong_master_key`; `corrupt_segment` (the right master key, but the seal does not fit).
Result<SegmentKey> unwrap_segment_key(const SegmentHeader& header, const runtime::MasterKey& master);

// Appends the sealed frame to `out`. Not thread-safe.
class FrameSealer {
 public:
  explicit FrameSealer(const SegmentKey& key) : log_id_(key.log_id), sealer_(key.key) {}
  void append(const FrameHeader& header, std::string_view encoded_payload, std::string& out);

 private:
  LogId log_id_;
  runtime::Sealer sealer_;
  std::string sealed_;  // kept for its memory
};

// Opens frames of one segment. Not thread-safe.
class FrameOpener {
 public:
  explicit FrameOpener(const SegmentKey& key) : log_id_(key.log_id), unsealer_(key.key) {}
  // The payload, decompressed. Errors: `bad_seal`, `bad_compression`.
  Result<std::string> payload(const DecodedFrame& frame);
  // The payload as it was sealed, still compressed.
  Result<std::string> encoded_payload(const DecodedFrame& frame);

 private:
  LogId log_id_;
  runtime::Unsealer unsealer_;
};

// What sealing and framing make of an encoded payload of this length.
std::size_t sealed_frame_bytes(std::size_t encoded_payload_bytes);

}  // namespace resultsync::store::log
