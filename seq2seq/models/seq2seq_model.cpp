#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/models/seq2seq_model.h>
#include <weft/seq2seq/text/vocabulary.h>

namespace weft {
namespace {

AttentionMap to_map(const Tensor& weights) {  // [Tq, Tk]
  return {weights.size(0), weights.size(1), weights.to_vector<double>()};
}

}  // namespace

Prediction Seq2SeqModel::predict(const PaddedIds&, const PaddedIds&) {
  fail(
      "predict: the model does not say how it predicts; R-Drop and word dropout need a model with "
      "Seq2SeqModel::predict()");
}

Tensor Seq2SeqModel::loss(const PaddedIds& source, const PaddedIds& target,
                          double label_smoothing) {
  return loss_of(predict(source, target), target, label_smoothing);
}

Tensor loss_of(const Prediction& predicted, const PaddedIds& target, double label_smoothing) {
  return linear_cross_entropy(predicted.hidden, predicted.weight, predicted.bias, next_ids(target),
                              {.ignore_index = kPad, .label_smoothing = label_smoothing});
}

Tensor next_ids(const PaddedIds& target) { return slice(to_tensor(target), 1, 1); }

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

}  // namespace weft
