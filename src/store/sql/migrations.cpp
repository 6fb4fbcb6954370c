#include "store/sql/migrations.hpp"

#include <array>

namespace resultsync::store::sql {
namespace {

// The files themselves, embedded.
constexpr char kViewsUp[] = {
#embed "../sqlite/migrations/0001_views.up.sql"
    , 0};
constexpr char kViewsDown[] = {
#embed "../sqlite/migrations/0001_views.down.sql"
    , 0};
constexpr char kReachUp[] = {
#embed "../sqlite/migrations/0002_reach.up.sql"
    , 0};
constexpr char kReachDown[] = {
#embed "../sqlite/migrations/0002_reach.down.sql"
    , 0};
constexpr char kResultsUp[] = {
#embed "../sqlite/migrations/0003_results.up.sql"
    , 0};
constexpr char kResultsDown[] = {
#embed "../sqlite/migrations/0003_results.down.sql"
    , 0};
constexpr char kAccessUp[] = {
#embed "../sqlite/migrations/0004_access.up.sql"
    , 0};
constexpr char kAccessDown[] = {
#embed "../sqlite/migrations/0004_access.down.sql"
    , 0};
constexpr char kDeliveriesUp[] = {
#embed "../sqlite/migrations/0005_deliveries.up.sql"
    , 0};
constexpr char kDeliveriesDown[] = {
#embed "../sqlite/migrations/0005_deliveries.down.sql"
    , 0};
constexpr char kReadersUp[] = {
#embed "../sqlite/migrations/0006_readers.up.sql"
    , 0};
constexpr char kReadersDown[] = {
#embed "../sqlite/migrations/0006_readers.down.sql"
    , 0};
constexpr char kNetworkUp[] = {
#embed "../sqlite/migrations/0007_network.up.sql"
    , 0};
constexpr char kNetworkDown[] = {
#embed "../sqlite/migrations/0007_network.down.sql"
    , 0};

constexpr char kReviewsUp[] = {
#embed "../sqlite/migrations/0008_reviews.up.sql"
    , 0};
constexpr char kReviewsDown[] = {
#embed "../sqlite/migrations/0008_reviews.down.sql"
    , 0};

constexpr char kSlotsUp[] = {
#embed "../sqlite/migrations/0009_slots.up.sql"
    , 0};
constexpr char kSlotsDown[] = {
#embed "../sqlite/migrations/0009_slots.down.sql"
    , 0};

constexpr char kMissingUp[] = {
#embed "../sqlite/migrations/0010_missing.up.sql"
    , 0};
constexpr char kMissingDown[] = {
#embed "../sqlite/migrations/0010_missing.down.sql"
    , 0};

constexpr char kClinicsUp[] = {
#embed "../sqlite/migrations/0011_clinics.up.sql"
    , 0};
constexpr char kClinicsDown[] = {
#embed "../sqlite/migrations/0011_clinics.down.sql"
    , 0};

constexpr char kUnmatchedUp[] = {
#embed "../sqlite/migrations/0012_unmatched.up.sql"
    , 0};
constexpr char kUnmatchedDown[] = {
#embed "../sqlite/migrations/0012_unmatched.down.sql"
    , 0};

constexpr char kAuditUp[] = {
#embed "../sqlite/migrations/audit_0001.up.sql"
    , 0};
constexpr char kAuditDown[] = {
#embed "../sqlite/migrations/audit_0001.down.sql"
    , 0};

constexpr std::array kViews{Migration{kViewsUp, kViewsDown},           Migration{kReachUp, kReachDown},
                            Migration{kResultsUp, kResultsDown},       Migration{kAccessUp, kAccessDown},
                            Migration{kDeliveriesUp, kDeliveriesDown}, Migration{kReadersUp, kReadersDown},
                            Migration{kNetworkUp, kNetworkDown},       Migration{kReviewsUp, kReviewsDown},
                            Migration{kSlotsUp, kSlotsDown},           Migration{kMissingUp, kMissingDown},
                            Migration{kClinicsUp, kClinicsDown},       Migration{kUnmatchedUp, kUnmatchedDown}};

constexpr std::array kAudit{Migration{kAuditUp, kAuditDown}};

}  // namespace

std::span<const Migration> migrations(Tables tables) {
  if (tables == Tables::kAudit) return kAudit;
  return kViews;
}

}  // namespace resultsync::store::sql
