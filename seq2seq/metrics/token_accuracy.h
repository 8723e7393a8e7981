// The share of words that stand at their place:
//   sum_i |{t : h_it = r_it}| / sum_i max(|h_i|, |r_i|),
// so that words too many count against a translation as words too few do.
#pragma once

#include <span>
#include <string>

namespace weft {

/// In per cent; 100 where no sentence has a word. Throws if there are no sentences, or not as many
/// of both.
double token_accuracy(std::span<const std::string> hypotheses,
                      std::span<const std::string> references);

}  // namespace weft
