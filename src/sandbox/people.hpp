// Invented names and places. Nobody bears them: people are named after plants and birds, phone numbers and addresses
// are of the ranges kept free for fiction.
#pragma once

#include <array>
#include <string_view>

namespace resultsync::sandbox {

inline constexpr std::array<std::string_view, 16> kWomensNames = {
    "Wren",     "Hazel",  "Laurel", "Ivy",    "Juniper", "Linnet",  "Maple",  "Olive",
    "Rosemary", "Willow", "Clover", "Dahlia", "Fern",    "Heather", "Sorrel", "Zinnia"};
inline constexpr std::array<std::string_view, 12> kMensNames = {"Linden", "Robin", "Jay",   "Teal",   "Brant", "Finch",
                                                                "Ash",    "Basil", "Rowan", "Martin", "Drake", "Aspen"};
inline constexpr std::array<std::string_view, 20> kFamilyNames = {
    "Thistledown",  "Alderwood",     "Bramblecote", "Fernhollow",   "Rowanfield",  "Sedgewater", "Larchmere",
    "Mosswick",     "Birchgrove",    "Cloverdale",  "Reedham",      "Heatherby",   "Oakhanger",  "Plumtree",
    "Quillfeather", "Starling-Moor", "O'Bracken",   "Swallowfield", "Wickersedge", "Yarrowby"};

struct Place {
  std::string_view city, state, zip, time_zone;
  int utc_offset_minutes;  // all year: fiction has no daylight saving
};
inline constexpr std::array<Place, 6> kPlaces = {{{"Fernbury", "CO", "80014", "America/Denver", -420},
                                                  {"Port Thistle", "CA", "94002", "America/Los_Angeles", -480},
                                                  {"East Larch", "NY", "12010", "America/New_York", -300},
                                                  {"Lake Rowan", "WA", "98001", "America/Los_Angeles", -480},
                                                  {"New Alder", "AZ", "85002", "America/Phoenix", -420},
                                                  {"Mossville", "AR", "72002", "America/Chicago", -360}}};
inline constexpr std::array<std::string_view, 8> kStreets = {"Hedgerow Lane", "Millpond Road",  "Acorn Street",
                                                             "Lark Rise",     "Orchard Avenue", "Bluebell Way",
                                                             "Quarry Hill",   "Ferry Street"};
inline constexpr std::array<std::string_view, 6> kClinicKinds = {"Integrative Health", "Functional Medicine",
                                                                 "Natural Medicine",   "Family Wellness",
                                                                 "Women's Health",     "Center for Nutrition"};
struct Profession {
  std::string_view type, title;
};
inline constexpr std::array<Profession, 5> kProfessions = {{{"Naturopathic Doctor", "ND"},
                                                            {"Medical Doctor", "MD"},
                                                            {"Nurse Practitioner", "NP"},
                                                            {"Doctor of Osteopathy", "DO"},
                                                            {"Registered Dietitian", "RD"}}};

}  // namespace resultsync::sandbox
