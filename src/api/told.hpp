// A version that was told without its documents is always shown so, also after they came and were told as another
// version (decision 0022).
#pragma once

#include <memory>
#include <vector>

#include "api/bodies.hpp"
#include "base/json_writer.hpp"
#include "store/network.hpp"

namespace resultsync::api {

// Of the versions of one order that lack documents, those that this version of this test lacks.
std::vector<store::ToldMissing> missing_of(const std::vector<store::ToldMissing>& of_order, const OrderedTestId& test,
                                           int version);

// The body of the event as it was told: `document:missing` for each that the version lacks.
std::shared_ptr<const Body> body_as_told(std::shared_ptr<const Body> body,
                                         const std::vector<store::ToldMissing>& missing);

// Into an open object: `documents_missing`, only where the version lacks any.
void write_missing(JsonWriter& json, const std::vector<store::ToldMissing>& missing);

}  // namespace resultsync::api
