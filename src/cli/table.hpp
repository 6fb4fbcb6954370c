// Lists for people: columns aligned, nothing cut off, and a word on what to do where there is nothing to show.
#pragma once

#include <string>
#include <vector>

#include "cli/terminal.hpp"

namespace resultsync::cli {

struct Column {
  enum class Side { kLeft, kRight };
  std::string title;
  Side side = Side::kLeft;
};

class Table {
 public:
  // `when_empty` is what is said, on stderr, in place of a table without rows.
  Table(std::vector<Column> columns, std::string when_empty)
      : columns_(std::move(columns)), when_empty_(std::move(when_empty)) {}

  // As many cells as there are columns. Cells are made printable; an empty one stands as `-`.
  void add(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  void print(const Terminal& terminal) const;

 private:
  std::vector<Column> columns_;
  std::string when_empty_;
  std::vector<std::vector<std::string>> rows_;
};

// One thing as lines of "name  value".
void print_facts(const Terminal& terminal, const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace resultsync::cli
