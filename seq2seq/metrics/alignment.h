// How well attention finds the words that translate each other: the alignment error rate of Och and
// Ney, "A systematic comparison of various statistical alignment models" (CL 2003),
//   AER = 1 - (|A and S| + |A and P|) / (|A| + |S|),
// A the links found, S the sure and P the possible gold links, S a part of P.
#pragma once

#include <weft/seq2seq/pictures/attention_map.h>

#include <compare>
#include <cstdint>
#include <span>
#include <vector>

namespace weft {

/// Positions of words in their sentences, from 0.
struct Link {
  int64_t source = 0, target = 0;
  auto operator<=>(const Link&) const = default;
};

/// Which decoder step speaks for target word t. The decoder reads begin, word 0, word 1, ...: step
/// t produces word t, step t + 1 reads it.
enum class ReadAt : int64_t { kProducingStep = 0, kConsumingStep = 1 };

/// For each of `target_words` target words, its link to the source word with the largest weight,
/// among the first `source_words` columns (end of sentence and padding stand behind them).
/// Throws if the map has too few rows or columns.
std::vector<Link> strongest_links(const AttentionMap& map, int64_t source_words,
                                  int64_t target_words, ReadAt step);

/// Sums over sentences that make up an alignment error rate.
struct AlignmentCounts {
  int64_t found = 0, sure = 0, found_sure = 0, found_possible = 0;

  void add(std::span<const Link> found_links, std::span<const Link> sure_links,
           std::span<const Link> possible_links);
  void add(const AlignmentCounts& more);
  /// In [0, 1]; 0 when there is nothing to find and nothing was found.
  double error_rate() const;
};

/// The error rate of every head over a test set, every gold link being sure.
class AlignmentScores {
 public:
  struct Head {
    int64_t layer = 0, head = 0;
    double error_rate = 1;
  };

  explicit AlignmentScores(ReadAt step) : step_(step) {}

  /// Adds a sentence. Throws if the number of layers or heads changes.
  void add(const AttentionMaps& maps, int64_t source_words, int64_t target_words,
           std::span<const Link> gold);
  /// The head with the lowest rate; the first of equals. Throws before the first sentence.
  Head best() const;
  /// All rates, [layer][head].
  std::vector<std::vector<double>> error_rates() const;

 private:
  ReadAt step_;
  std::vector<std::vector<AlignmentCounts>> counts_;
};

}  // namespace weft
