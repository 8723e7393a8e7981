// Tables over many sentences, filled one study at a time.
#pragma once

#include <weft/seq2seq/lab/measure.h>
#include <weft/seq2seq/metrics/alignment.h>

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weft {

struct SentenceTables;

/// How well the strongest source token of each target token matches gold links, all of them sure.
class AgreementTable {
 public:
  struct Row {
    std::string measure;
    std::optional<int64_t> layer, head;  ///< from 0; none: all layers, the mean over heads
    ReadAt step;
    AlignmentCounts counts;
  };
  /// `gold` links the words of source and target; every token is a word.
  void add(const Study& study, std::span<const Measured> taken, std::span<const Link> gold);
  /// Adds a table of the sentences that follow.
  void add(const AgreementTable& next);
  const std::vector<Row>& rows() const { return rows_; }

 private:
  friend SentenceTables;
  AlignmentCounts& counts(const std::string& measure, std::optional<int64_t> layer,
                          std::optional<int64_t> head, ReadAt step);
  std::vector<Row> rows_;
};

/// Whether a measure, made one number for each source token, names the tokens that the score rests
/// on. Maps are averaged over heads and summed over rows.
class FaithfulnessTable {
 public:
  enum Number {
    kComprehensiveness,
    kSufficiency,
    kSoftComprehensiveness,
    kSoftSufficiency,
    kAopc,
    kNormalizedAopc,
    kShapley,
    kNumbers
  };
  static constexpr const char* kNames[kNumbers] = {
      "comprehensiveness",  "sufficiency", "soft_comprehensiveness",
      "soft_sufficiency",   "aopc",        "naopc",
      "shapley_correlation"};
  struct Row {
    std::string measure;
    std::optional<int64_t> layer;  ///< from 0; none: all layers
    std::array<double, kNumbers> sums{};
    std::array<int64_t, kNumbers> counts{};

    /// NaN if no sentence has one.
    double mean(Number n) const { return sums[n] / static_cast<double>(counts[n]); }
  };
  /// Goes through all subsets of the source: for 2 to kMostShapleyUnits units, others are left out.
  /// Comprehensiveness and sufficiency are those of the first third of the tokens, the soft ones of
  /// as many on average.
  void add(const Study& study, std::span<const Measured> taken);
  /// Adds a table of the sentences that follow.
  void add(const FaithfulnessTable& next);
  const std::vector<Row>& rows() const { return rows_; }

 private:
  friend SentenceTables;
  struct Game;
  Row& row(const std::string& measure, std::optional<int64_t> layer);
  void add_row(const std::string& measure, std::optional<int64_t> layer, const Tensor& values,
               const Game& game);
  std::vector<Row> rows_;
};

/// What each head does, a mean over sentences: how much the score changes without it (to first
/// order; nn/inspect/head_importance.h), and how far it looks (nn/inspect/spread.h).
class HeadTable {
 public:
  enum Number { kImportance, kEntropy, kDistance, kNumbers };
  static constexpr const char* kNames[kNumbers] = {"importance", "entropy", "distance"};
  using Layers = std::vector<std::vector<double>>;  ///< [layer][head]

  void add(const Study& study);
  /// Adds a table of the sentences that follow, of the same model.
  void add(const HeadTable& next);
  /// Of the places that the model has.
  std::vector<Place> places() const;
  Layers average(Place place, Number number) const;

 private:
  friend SentenceTables;
  std::map<Place, std::array<Layers, kNumbers>> sums_;
  int64_t studies_ = 0;
};

/// A source token's number by each layer of maps [H, Tt, Ts]: the sum over rows of the mean over
/// heads -> [Ts].
Tensor by_source_token(const Tensor& map);

}  // namespace weft
