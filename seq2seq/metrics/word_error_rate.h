// The word error rate of speech recognition:
//   WER = sum_i edits(h_i, r_i) / sum_i |r_i|,
// edits the least number of words to insert, delete or replace that makes the hypothesis its
// reference (Levenshtein, 1966). Of phonemes set apart by blanks it is the phoneme error rate.
#pragma once

#include <weft/seq2seq/metrics/counts.h>

#include <cstdint>

namespace weft {

/// The words of a line that edits are counted of: of two such lines in 2 s, with moves (ter.h) in
/// 20 s at most. A million of words would take hours.
inline constexpr int64_t kMostWords = 20000;

/// Throws if a line has more words than that.
void check_words(const char* who, int64_t hypothesis, int64_t reference);

/// {edits, words of the reference} of a sentence. Throws if one has more than kMostWords.
Counts word_error_counts(const std::string& hypothesis, const std::string& reference);

/// From sums of {edits, words of the references}: per cent, above 100 where there are more edits
/// than words. Edits but no word give 100; neither, 0.
double edit_rate(std::span<const double> sums);

/// In per cent. Throws if there are no sentences, or not as many of both, or one is too long.
double word_error_rate(std::span<const std::string> hypotheses,
                       std::span<const std::string> references);

}  // namespace weft
