#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/activation_checkpoint.h>
#include <weft/seq2seq/models/objective.h>
#include <weft/seq2seq/text/vocabulary.h>

namespace weft {
namespace {

constexpr int64_t kRowsAtOnce = 480;  // some megabytes of logits

// Positions of the ids that are predicted, in the flattened target but its first column.
Tensor predicted_rows(const PaddedIds& target) {
  Ids rows;
  for (int64_t row = 0; row < target.rows; ++row)
    for (int64_t t = 1; t < target.lengths[static_cast<size_t>(row)]; ++t)
      rows.push_back(row * (target.columns - 1) + t - 1);
  return from_vector(rows, {std::ssize(rows)});
}

// Both divergences together: sum (p - q) (log p - log q), over rows and ids.
Tensor divergences(const Tensor& p_logits, const Tensor& q_logits) {
  const Tensor log_p = log_softmax(p_logits, -1), log_q = log_softmax(q_logits, -1);
  return sum((exp(log_p) - exp(log_q)) * (log_p - log_q));
}

// Of one pass, which does not see all words.
Prediction predict(Seq2SeqModel& model, const PaddedIds& source, const PaddedIds& target,
                   double word_dropout, Generator& generator) {
  if (word_dropout == 0) return model.predict(source, target);
  const PaddedIds seen = with_unknowns(source, word_dropout, generator);
  return model.predict(seen, with_unknowns(target, word_dropout, generator));
}

}  // namespace

Tensor disagreement(const Prediction& p, const Prediction& q, const PaddedIds& target) {
  const Tensor rows = predicted_rows(target);  // [N]
  const auto chosen = [&](const Tensor& hidden) {
    return split(index_select(reshape(hidden, {-1, hidden.size(-1)}), 0, rows), kRowsAtOnce, 0);
  };
  const Tensors ps = chosen(p.hidden), qs = chosen(q.hidden);
  const auto of_block = [weight = p.weight, bias = p.bias](const Tensors& hidden) {
    return Tensors{divergences(linear(hidden[0], weight, bias), linear(hidden[1], weight, bias))};
  };
  Tensor total = scalar(0, p.hidden.dtype());
  for (size_t i = 0; i < ps.size(); ++i) total = total + checkpoint(of_block, {ps[i], qs[i]})[0];
  return total / static_cast<double>(rows.numel());
}

PaddedIds with_unknowns(PaddedIds ids, double share, Generator& generator) {
  for (int64_t& id : ids.ids)
    if (id >= kSpecials && generator.uniform() < share) id = kUnknown;
  return ids;
}

Tensor objective(Seq2SeqModel& model, const PaddedIds& source, const PaddedIds& target,
                 const ObjectiveOptions& o, Generator generator) {
  if (o.r_drop == 0 && o.word_dropout == 0) return model.loss(source, target, o.label_smoothing);
  const Prediction p = predict(model, source, target, o.word_dropout, generator);
  const Tensor loss = loss_of(p, target, o.label_smoothing);
  if (o.r_drop == 0) return loss;
  const Prediction q = predict(model, source, target, o.word_dropout, generator);
  return 0.5 * (loss + loss_of(q, target, o.label_smoothing)) +
         0.25 * o.r_drop * disagreement(p, q, target);
}

double add_gradients(Seq2SeqModel& model, std::span<const Pair> pairs, const Batch& batch,
                     int64_t tokens, const ObjectiveOptions& options, const Generator& generator) {
  const double share =
      static_cast<double>(predicted_tokens(pairs, batch)) / static_cast<double>(tokens);
  const Tensor loss = objective(model, pad_ids(pairs, batch, &Pair::source),
                                pad_ids(pairs, batch, &Pair::target), options, generator);
  (loss * share).backward();
  return loss.item() * share;
}

}  // namespace weft
