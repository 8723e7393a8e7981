// Translation edit rate (Snover et al., AMTA 2006): as the word error rate, with a fourth edit that
// moves a run of words to another place. The fewest edits are not searched for (that is NP-hard):
// as long as one move saves edits, the one that saves most is made. Which moves are tried, and in
// which order, is Tercom's choice as sacreBLEU made it, so that scores equal sacreBLEU's with one
// reference and its defaults: lower case, words as they stand.
#pragma once

#include <weft/seq2seq/metrics/counts.h>

namespace weft {

/// {edits, words of the reference} of a sentence. Throws if one has more than kMostWords
/// (word_error_rate.h).
Counts ter_counts(const std::string& hypothesis, const std::string& reference);

/// In per cent, above 100 where there are more edits than words; of references without words 100 if
/// there are edits, else 0. Throws if there are no sentences, or not as many of both, or one is
/// too long.
double ter(std::span<const std::string> hypotheses, std::span<const std::string> references);

}  // namespace weft
