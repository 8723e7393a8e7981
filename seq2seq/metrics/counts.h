// Scores of a corpus are functions of sums over its sentences: n-grams matched, edits, words. What
// is summed is called counts here.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace weft {

using Counts = std::vector<double>;

/// The sums over i of counts(hypotheses[i], references[i]). Throws if there are no sentences, or
/// not as many of both; `who` begins the message.
template <class Function>
Counts sum_counts(const char* who, std::span<const std::string> hypotheses,
                  std::span<const std::string> references, Function counts);

/// Throws as sum_counts() does.
void check_sentences(const char* who, std::span<const std::string> hypotheses,
                     std::span<const std::string> references);

/// sums += counts, both of one length; empty sums are zeros.
void add_counts(Counts& sums, std::span<const double> counts);

template <class Function>
Counts sum_counts(const char* who, std::span<const std::string> hypotheses,
                  std::span<const std::string> references, Function counts) {
  check_sentences(who, hypotheses, references);
  Counts sums;
  for (size_t i = 0; i < hypotheses.size(); ++i)
    add_counts(sums, counts(hypotheses[i], references[i]));
  return sums;
}

}  // namespace weft
