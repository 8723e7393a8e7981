// Batches: sentences of like length together, at most so many tokens in one, padding included.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace weft {

using Ids = std::vector<int64_t>;

/// A pair of sentences as the model sees them, specials included.
struct Pair {
  Ids source, target;
};

/// Positions of the sentences that go together.
using Batch = std::vector<int64_t>;

struct TrainingBatches {
  std::vector<Batch> batches;
  int64_t skipped = 0;  ///< pairs longer than the whole budget, in no batch
};

/// The batches of one epoch, in order: (longest side) x (sentences) <= max_tokens in each. Which
/// sentences meet, and the order of batches, depend on (seed, epoch) alone, so that (epoch, batch
/// number) is a place to go on from.
TrainingBatches training_batches(std::span<const Pair> pairs, int64_t max_tokens, uint64_t seed,
                                 int64_t epoch);

/// The same of some pairs, by their places, each as often as its place is there. Throws if one is
/// out of range.
TrainingBatches training_batches(std::span<const Pair> pairs, std::vector<int64_t> places,
                                 int64_t max_tokens, uint64_t seed, int64_t epoch);

/// Batches of all sentences, short ones first; a sentence longer than the budget is a batch by
/// itself.
std::vector<Batch> inference_batches(std::span<const Ids> sentences, int64_t max_tokens);

/// A rectangle of ids, row after row, filled up with kPad.
struct PaddedIds {
  int64_t rows = 0, columns = 0;
  std::vector<int64_t> ids;      ///< rows x columns
  std::vector<int64_t> lengths;  ///< of each row without padding
};

PaddedIds pad_ids(std::span<const Ids> sentences);

/// These rows, in this order; a row may be taken twice. Throws if there is none of that number.
PaddedIds select_rows(const PaddedIds& ids, const Ids& rows);

/// The sources or the targets of a batch: `side` is &Pair::source or &Pair::target.
PaddedIds pad_ids(std::span<const Pair> pairs, const Batch& batch, Ids Pair::*side);

}  // namespace weft
