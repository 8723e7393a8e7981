// The word error rate of speech recognition:
//   WER = sum_i edits(h_i, r_i) / sum_i |r_i|,
// edits the least number of words to insert, delete or replace that makes the hypothesis its
// reference (Levenshtein, 1966). Of phonemes set apart by blanks it is the phoneme error rate.
#pragma once

#include <weft/seq2seq/metrics/counts.h>

namespace weft {

/// {edits, words of the reference} of a sentence.
Counts word_error_counts(const std::string& hypothesis, const std::string& reference);

/// From sums of {edits, words of the references}: per cent, above 100 where there are more edits
/// than words. Edits but no word give 100; neither, 0.
double edit_rate(std::span<const double> sums);

/// In per cent. Throws if there are no sentences, or not as many of both.
double word_error_rate(std::span<const std::string> hypotheses,
                       std::span<const std::string> references);

}  // namespace weft
