#include "store/log/new_segment.hpp"

#include "store/log/directory.hpp"

namespace resultsync::store::log {

SegmentPlan plan_segment(const LogId& log_id, Sequence first, Sequence previous_first, Timestamp created_at,
                         const runtime::MasterKey& master) {
  SegmentHeader header{.log_id = log_id,
                       .first = first,
                       .previous_first = previous_first,
                       .created_at = created_at,
                       .key_id = {},
                       .wrap_nonce = {},
                       .wrapped_key = {}};
  SegmentKey key = make_segment_key(header, master);
  return {header, std::move(key)};
}

Result<runtime::File> publish_segment(Disk& disk, runtime::File draft, const std::string& directory, Sequence first) {
  if (auto synced = disk.sync(draft); !synced) return forward_error(std::move(synced));
  const std::string path = in_directory(directory, segment_file_name(first));
  if (auto named = disk.rename(draft.path(), path); !named) return forward_error(std::move(named));
  if (auto synced = disk.sync_directory(directory); !synced) return forward_error(std::move(synced));
  return runtime::File::open_read_write(path);
}

}  // namespace resultsync::store::log
