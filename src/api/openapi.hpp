// The description of this API: openapi.yaml of the source tree as JSON, put into the program when it is built
// (embed_openapi.py).
#pragma once

#include <string_view>

namespace resultsync::api {

std::string_view openapi_json();

}  // namespace resultsync::api
