#include <weft/autograd/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/nn/init.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <cmath>

namespace weft {
namespace {

TransformerOptions transformer_options(const ModelConfig& c) {
  TransformerOptions o{.layer = {.d_model = c.d_model, .nhead = c.heads}};
  o.layer.dim_feedforward = c.ffn;
  o.layer.dropout = c.dropout;
  o.layer.attention_dropout = c.attention_dropout;
  o.layer.activation_dropout = c.activation_dropout;
  o.layer.batch_first = true;
  o.num_encoder_layers = o.num_decoder_layers = static_cast<int>(c.layers);
  return o;
}

Tensor to_tensor(const PaddedIds& ids) { return from_vector(ids.ids, {ids.rows, ids.columns}); }

AttentionMap to_map(const Tensor& weights) {  // [Tq, Tk]
  return {weights.size(0), weights.size(1), weights.to_vector<double>()};
}

}  // namespace

void Decoding::keep(const Ids& rows) {
  const Tensor index = from_vector(rows, {static_cast<int64_t>(rows.size())});
  memory_ = index_select(memory_, 0, index);
  state_.reorder(index);
  std::vector<int64_t> lengths;
  for (int64_t row : rows) lengths.push_back(lengths_[static_cast<size_t>(row)]);
  lengths_ = std::move(lengths);
}

TranslationModel::TranslationModel(const ModelConfig& config, Generator generator)
    : d_model_(config.d_model),
      embedding_(
          child<weft::Embedding>("embedding", config.vocabulary, config.d_model, generator, kPad)),
      positions_(child<weft::SinusoidalPositions>("positions", /*batch_first=*/true)),
      dropout_(child<weft::Dropout>("dropout", config.dropout, generator)),
      transformer_(
          child<weft::Transformer>("transformer", transformer_options(config), generator)) {
  // The matrix is also the output layer: deviation 1 / sqrt(D) keeps first logits near 0.
  init::normal(embedding_.weight, 0, 1 / std::sqrt(static_cast<double>(d_model_)), generator);
  init::zeros(select(embedding_.weight.detach(), 0, kPad));
}

Tensor TranslationModel::embed(const Tensor& ids, int64_t first_position) {
  const double scale = std::sqrt(static_cast<double>(d_model_));
  return dropout_(positions_(embedding_(ids) * scale, first_position));  // [B, T, D]
}

Tensor TranslationModel::encode(const PaddedIds& source, AttentionTrace* trace) {
  return transformer_.encoder(embed(to_tensor(source), 0),
                              Mask::padding(source.lengths, source.columns), trace);
}

Tensor TranslationModel::forward(const PaddedIds& source, const PaddedIds& target,
                                 AttentionTrace* trace) {
  const Tensor memory = encode(source, trace);  // [B, Ts, D]
  const Tensor ids = slice(to_tensor(target), 1, 0, -1);
  const DecoderCall call{Mask::causal(), Mask::padding(source.lengths, source.columns), trace};
  return transformer_.decoder(embed(ids, 0), memory, call);
}

Tensor TranslationModel::loss(const PaddedIds& source, const PaddedIds& target,
                              double label_smoothing) {
  const Tensor next = slice(to_tensor(target), 1, 1);
  return linear_cross_entropy((*this)(source, target), embedding_.weight, {}, next,
                              {.ignore_index = kPad, .label_smoothing = label_smoothing});
}

Decoding TranslationModel::start(const PaddedIds& source) {
  Decoding d;
  d.memory_ = encode(source);
  d.lengths_ = source.lengths;
  return d;
}

Tensor TranslationModel::next_log_probs(Decoding& d, const Tensor& ids) {
  const DecoderCall call{{}, Mask::padding(d.lengths_, d.memory_.size(1))};
  const Tensor hidden =
      transformer_.decoder(embed(ids, d.position_++), d.memory_, call, &d.state_);  // [rows, 1, D]
  return log_softmax(linear(select(hidden, 1, 0), embedding_.weight), -1);
}

AttentionMaps TranslationModel::cross_attention(const Ids& source, const Ids& target) {
  const NoGrad no_grad;
  AttentionTrace trace;
  (*this)(pad_ids({&source, 1}), pad_ids({&target, 1}), &trace);
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

BatchLoss accumulate_gradients(TranslationModel& model, std::span<const Pair> pairs,
                               std::span<const Batch> batches, double label_smoothing) {
  BatchLoss all;
  for (const Batch& batch : batches) all.tokens += predicted_tokens(pairs, batch);
  for (const Batch& batch : batches) {
    const double share =
        static_cast<double>(predicted_tokens(pairs, batch)) / static_cast<double>(all.tokens);
    const Tensor loss = model.loss(pad_ids(pairs, batch, &Pair::source),
                                   pad_ids(pairs, batch, &Pair::target), label_smoothing);
    (loss * share).backward();
    all.mean += loss.item() * share;
  }
  return all;
}

}  // namespace weft
