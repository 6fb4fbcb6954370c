// The pages that people see. Plain HTML that works without a script; every text from outside is escaped here.
#pragma once

#include <string>
#include <string_view>

#include "sandbox/network.hpp"
#include "sandbox/oauth.hpp"

namespace resultsync::sandbox {

std::string escaped_html(std::string_view text);

// `wide`: the control page.
enum class PageWidth { kNarrow, kWide };
std::string page(std::string_view title, std::string_view body, PageWidth width = PageWidth::kNarrow);
std::string problem_page(std::string_view title, std::string_view text);

std::string consent_page(const World& world, const AuthorizationRequest& request);
std::string checkout_page(const World& world, std::size_t intent);
std::string checkout_done_page(const World& world, std::size_t intent);
std::string control_page(Network& network);

}  // namespace resultsync::sandbox
