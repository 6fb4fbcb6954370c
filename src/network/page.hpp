// A page for a person on the public listener: plain, readable, without anything from elsewhere.
#pragma once

#include <string>
#include <vector>

#include "http/message.hpp"

namespace resultsync::network {

struct Page {
  int status = 200;
  std::string title;
  std::vector<std::string> paragraphs;
  std::string button = {};  // posts to the page's own address; empty: none
};
http::Response render(const Page& page);

// The headers of every answer to a browser: nothing is stored, framed, sniffed or told to others.
http::Response secured(http::Response response);

}  // namespace resultsync::network
