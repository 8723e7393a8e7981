// How a model does with ever fewer of its heads.
#pragma once

#include <weft/seq2seq/lab/tables.h>
#include <weft/seq2seq/metrics/metric.h>
#include <weft/seq2seq/tasks/corpus.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <string>
#include <vector>

namespace weft {

struct PruningCurve {
  struct Point {
    int64_t kept;
    double value;  ///< of the metric
  };
  std::string order;  ///< "importance": the least important head goes first; or "random"
  std::string metric;
  std::vector<Point> points;
};

/// Translates `text` with heads masked (nn/inspect/head_importance.h), all places together, at
/// about `points` numbers of them, and scores the translations. `study` says which heads there are;
/// none if the model's attention is no MultiheadAttention.
std::vector<PruningCurve> prune(const Study& study, const HeadTable& heads,
                                const Vocabulary& vocabulary, const ParallelText& text,
                                const Metric& metric, int64_t points = 8);

}  // namespace weft
