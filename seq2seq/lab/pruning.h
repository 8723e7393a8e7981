// How a model does with ever fewer of its heads.
#pragma once

#include <weft/seq2seq/lab/tables.h>
#include <weft/seq2seq/text/batching.h>

#include <span>
#include <string>
#include <vector>

namespace weft {

struct PruningCurve {
  struct Point {
    int64_t kept;
    double value;
  };
  std::string order;   ///< "importance": the least important head goes first; or "random"
  std::string metric;  ///< what the values are
  std::vector<Point> points;
};

/// The mean log-probability, in nats, of a target token of `pairs` (one batch) with heads masked
/// (nn/inspect/head_importance.h), all places together, at about `points` numbers of them. `study`
/// says which heads there are; nothing if the model's attention is no MultiheadAttention.
std::vector<PruningCurve> prune(const Study& study, const HeadTable& heads,
                                std::span<const Pair> pairs, int64_t points = 8);

}  // namespace weft
