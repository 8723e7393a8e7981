#include <weft/autograd/ops.h>
#include <weft/seq2seq/models/objective.h>
#include <weft/seq2seq/text/vocabulary.h>

namespace weft {
namespace {

// Of one pass, which does not see all words.
Prediction predict(Seq2SeqModel& model, const PaddedIds& source, const PaddedIds& target,
                   double word_dropout, Generator& generator) {
  if (word_dropout == 0) return model.predict(source, target);
  const PaddedIds seen = with_unknowns(source, word_dropout, generator);
  return model.predict(seen, with_unknowns(target, word_dropout, generator));
}

}  // namespace

PaddedIds with_unknowns(PaddedIds ids, double share, Generator& generator) {
  for (int64_t& id : ids.ids)
    if (id >= kSpecials && generator.uniform() < share) id = kUnknown;
  return ids;
}

Tensor objective(Seq2SeqModel& model, const PaddedIds& source, const PaddedIds& target,
                 const ObjectiveOptions& o, Generator generator) {
  if (o.r_drop == 0 && o.word_dropout == 0) return model.loss(source, target, o.label_smoothing);
  const Prediction p = predict(model, source, target, o.word_dropout, generator);
  if (o.r_drop == 0) return loss_of(p, target, o.label_smoothing);
  const Prediction q = predict(model, source, target, o.word_dropout, generator);
  return linear_r_drop(p.hidden, q.hidden, p.weight, p.bias, next_ids(target), o.r_drop,
                       {.ignore_index = kPad, .label_smoothing = o.label_smoothing});
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
