// How a model does with ever fewer of its heads.
#pragma once

#include <weft/seq2seq/lab/share.h>
#include <weft/seq2seq/lab/tables.h>
#include <weft/seq2seq/text/batching.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace weft {

struct Head {
  MultiheadAttention* attention;
  int64_t number;  ///< in its layer
  double importance;
};
/// The heads of all places, with their importance; `study` says where they are. Nothing if the
/// model's attention is no MultiheadAttention.
std::vector<Head> heads_of(const Study& study, const HeadTable& table);

/// The least important first; those that come first stay first among equals.
void sort_by_importance(std::vector<Head>& heads);
void shuffle(std::vector<Head>& heads, Generator& generator);

struct PruningCurve {
  struct Point {
    int64_t kept;
    double value;
  };
  std::string order;   ///< "importance": the least important head goes first; or "random"
  std::string metric;  ///< what the values are
  std::vector<Point> points;
};

/// `value` of the model without the first heads (nn/inspect/head_importance.h), for ever more of
/// them: at about `points` numbers, none and all among them, which may be shared out.
std::vector<PruningCurve::Point> take_out(std::span<const Head> heads, int64_t points,
                                          const std::function<double()>& value,
                                          const ShareOut& share = all_here);

/// What a model is judged by while it loses heads.
struct PruningScore {
  std::string metric;
  std::function<double()> value;
};
/// The mean log-probability, in nats, of a target token of `pairs` (one batch).
PruningScore log_probability(Seq2SeqModel& model, std::span<const Pair> pairs);

/// Which heads go first.
enum class PruningOrder { importance, random };

/// A curve of each score, of the model that `study` is of. Nothing if its attention is no
/// MultiheadAttention.
std::vector<PruningCurve> prune(const Study& study, const HeadTable& table, PruningOrder order,
                                std::span<const PruningScore> scores, int64_t points = 8,
                                const ShareOut& share = all_here);

}  // namespace weft
