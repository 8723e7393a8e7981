#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/seq2seq/models/seq2seq_model.h>

namespace weft {
namespace {

AttentionMap to_map(const Tensor& weights) {  // [Tq, Tk]
  return {weights.size(0), weights.size(1), weights.to_vector<double>()};
}

}  // namespace

Tensor to_tensor(const PaddedIds& ids) { return from_vector(ids.ids, {ids.rows, ids.columns}); }

AttentionMaps cross_attention(Seq2SeqModel& model, const Ids& source, const Ids& target) {
  const NoGrad no_grad;
  const AttentionTrace trace = model.trace(pad_ids({&source, 1}), pad_ids({&target, 1}));
  AttentionMaps maps;
  for (const Tensor& layer : trace.cross) {  // [1, H, Tq, Tk]
    std::vector<AttentionMap>& heads = maps.emplace_back();
    for (int64_t h = 0; h < layer.size(1); ++h)
      heads.push_back(to_map(select(select(layer, 0, 0), 0, h)));
  }
  return maps;
}

int64_t predicted_tokens(std::span<const Pair> pairs, const Batch& batch) {
  int64_t count = 0;
  for (const int64_t i : batch) count += std::ssize(pairs[static_cast<size_t>(i)].target) - 1;
  return count;
}

double add_gradients(Seq2SeqModel& model, std::span<const Pair> pairs, const Batch& batch,
                     int64_t tokens, double label_smoothing) {
  const double share =
      static_cast<double>(predicted_tokens(pairs, batch)) / static_cast<double>(tokens);
  const Tensor loss = model.loss(pad_ids(pairs, batch, &Pair::source),
                                 pad_ids(pairs, batch, &Pair::target), label_smoothing);
  (loss * share).backward();
  return loss.item() * share;
}

}  // namespace weft
