#include "cli/table.hpp"

#include <algorithm>
#include <cassert>

namespace resultsync::cli {
namespace {

std::string padded(std::string_view text, std::size_t width, Column::Side side) {
  const std::string space(width - std::min(width, display_width(text)), ' ');
  return side == Column::Side::kLeft ? std::string(text) + space : space + std::string(text);
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  assert(cells.size() == columns_.size());
  for (std::string& cell : cells) cell = cell.empty() ? "-" : printable(cell);
  rows_.push_back(std::move(cells));
}

void Table::print(const Terminal& terminal) const {
  if (rows_.empty()) {
    terminal.talk() << when_empty_ << '\n';
    return;
  }
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
    widths.push_back(width);
  }
  // The last column is not padded: no line ends in white space.
  const auto line = [&](const auto& cell_of) {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const bool last = i + 1 == columns_.size() && columns_[i].side == Column::Side::kLeft;
      text += last ? std::string(cell_of(i)) : padded(cell_of(i), widths[i], columns_[i].side);
      if (i + 1 < columns_.size()) text += "  ";
    }
    return text;
  };
  terminal.out() << terminal.on_out(Paint::kBold,
                                    line([&](std::size_t i) -> const std::string& { return columns_[i].title; }))
                 << '\n';
  for (const auto& row : rows_) {
    terminal.out() << line([&](std::size_t i) -> const std::string& { return row[i]; }) << '\n';
  }
  terminal.out().flush();
}

void print_facts(const Terminal& terminal, const std::vector<std::pair<std::string, std::string>>& facts) {
  std::size_t width = 0;
  for (const auto& [name, value] : facts) width = std::max(width, display_width(name));
  for (const auto& [name, value] : facts) {
    terminal.out() << terminal.on_out(Paint::kDim, padded(name, width, Column::Side::kLeft)) << "  "
                   << (value.empty() ? "-" : printable(value)) << '\n';
  }
  terminal.out().flush();
}

}  // namespace resultsync::cli
