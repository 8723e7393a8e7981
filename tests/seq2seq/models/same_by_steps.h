// What every model must be: the same written step by step as taught all at once.
#pragma once

#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/seq2seq/models/seq2seq_model.h>
#include <weft/seq2seq/text/vocabulary.h>
#include <weft/tests/catch.h>

/// Checks that the mean of log-probabilities by next_log_probs() is minus loss(), with a source
/// padded and rows kept in another order on the way. The model must be in eval mode.
inline void check_same_by_steps(weft::Seq2SeqModel& model, double tolerance) {
  using namespace weft;
  const NoGrad no_grad;
  const std::vector<Ids> sources{{4, 5, 6, 7, kEnd}, {8, kEnd}};
  const std::vector<Ids> targets{{kBegin, 5, 6, 7, kEnd}, {kBegin, 9, 4, 10, kEnd}};
  const double loss = model.loss(pad_ids(sources), pad_ids(targets), 0).item();
  const auto decoding = model.start(pad_ids(sources));
  Ids order{0, 1};
  double sum = 0;
  for (size_t t = 0; t < 4; ++t) {
    Ids ids;
    for (const int64_t row : order) ids.push_back(targets[static_cast<size_t>(row)][t]);
    const Tensor found = decoding->next_log_probs(from_vector(ids, {2, 1}));
    for (int64_t i = 0; i < 2; ++i)
      sum += found.at({i, targets[static_cast<size_t>(order[static_cast<size_t>(i)])][t + 1]});
    if (t % 2) continue;
    decoding->keep({1, 0});
    std::swap(order[0], order[1]);
  }
  CHECK(-sum / 8 == Approx(loss).epsilon(tolerance));
}
