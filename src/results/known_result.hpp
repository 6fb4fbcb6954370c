// What is known of an ordered test after several of its files: each is merged into what stood before it. Labs send a
// report whole or in parts, so a file alone is not what is known:
//
//   file 1   sodium 140 F, potassium 6.6 P      sodium 140 F, potassium 6.6 P
//   file 2   potassium 6.6 F                    sodium 140 F, potassium 6.6 F
//   file 3   sodium 141 C                       sodium 141 C, potassium 6.6 F    against file 2 sodium would be new
//
// The files are given in S2 order, so what is known is a function of the set of events, whatever order they arrived in
// (S1).
#pragma once

#include "results/result_file.hpp"

namespace resultsync::results {

class KnownResult {
 public:
  // A file that is absent takes all back: the network withdrew the result. After a link, or something else than HL7,
  // nothing is known, until the next HL7 begins anew.
  void take(ResultFile file);
  // The same for an event whose body cannot be read any more.
  void take_unreadable() { content_.reset(); }

  // Null where it is not known. Reports stand in the order in which they came first; header and account are of the last
  // file. Documents are those that an observation still speaks of.
  [[nodiscard]] const Interpretation* content() const { return content_ ? &*content_ : nullptr; }

 private:
  std::optional<Interpretation> content_ = Interpretation{};
};

// `newer` put into what was known: reports go together as in compare(), and are merged as merge() of two reports says;
// what `newer` does not speak of stands.
Interpretation merge(const Interpretation& known, Interpretation newer);

}  // namespace resultsync::results
