// A page for a person on the public listener: plain, readable, without anything from elsewhere.
#pragma once

#include <string>
#include <vector>

#include "http/message.hpp"

namespace resultsync::network {

// What a page is about, shown by a sign and a colour beside what its title says.
enum class Mood {
  kAsk,      // there is something to do here
  kDone,     // it is done
  kStopped,  // nothing was done, and that is fine
  kTrouble,  // nothing was done, and something is to be done elsewhere
};

struct Page {
  int status = 200;
  Mood mood = Mood::kTrouble;
  std::string title;
  std::vector<std::string> paragraphs;
  std::string button = {};  // posts to the page's own address; empty: none
};
http::Response render(const Page& page);

// The headers of every answer to a browser: nothing is stored, framed, sniffed or told to others.
http::Response secured(http::Response response);

}  // namespace resultsync::network
