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

}  // namespace

TransformerSeq2Seq::TransformerSeq2Seq(const ModelConfig& config, Generator generator)
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

Tensor TransformerSeq2Seq::embed(const Tensor& ids, int64_t first_position) {
  const double scale = std::sqrt(static_cast<double>(d_model_));
  return dropout_(positions_(embedding_(ids) * scale, first_position));  // [B, T, D]
}

Tensor TransformerSeq2Seq::encode(const PaddedIds& source, AttentionTrace* trace) {
  return transformer_.encoder(embed(to_tensor(source), 0),
                              {Mask::padding(source.lengths, source.columns), trace});
}

Tensor TransformerSeq2Seq::forward(const PaddedIds& source, const PaddedIds& target,
                                   AttentionTrace* trace) {
  const Tensor memory = encode(source, trace);  // [B, Ts, D]
  const Tensor ids = slice(to_tensor(target), 1, 0, -1);
  const DecoderCall call{Mask::causal(), Mask::padding(source.lengths, source.columns), trace};
  return transformer_.decoder(embed(ids, 0), memory, call);
}

Tensor TransformerSeq2Seq::loss(const PaddedIds& source, const PaddedIds& target,
                                double label_smoothing) {
  return loss_of((*this)(source, target), target, label_smoothing);
}

Tensor TransformerSeq2Seq::loss_of(const Tensor& hidden, const PaddedIds& target,
                                   double label_smoothing) {
  const Tensor next = slice(to_tensor(target), 1, 1);
  return linear_cross_entropy(hidden, embedding_.weight, {}, next,
                              {.ignore_index = kPad, .label_smoothing = label_smoothing});
}

// What the decoder remembers of source and target.
class TransformerSeq2Seq::State : public Decoding {
 public:
  State(TransformerSeq2Seq& model, const PaddedIds& source)
      : model_(model), memory_(model.encode(source)), lengths_(source.lengths) {}

  Tensor next_log_probs(const Tensor& ids) override {
    const DecoderCall call{{}, Mask::padding(lengths_, memory_.size(1))};
    const Tensor embedded = model_.embed(ids, position_++);
    const Tensor hidden =
        model_.transformer_.decoder(embedded, memory_, call, &layers_);  // [rows, 1, D]
    return log_softmax(linear(select(hidden, 1, 0), model_.embedding_.weight), -1);
  }

  void keep(const Ids& rows) override {
    const Tensor index = from_vector(rows, {static_cast<int64_t>(rows.size())});
    memory_ = index_select(memory_, 0, index);
    layers_.reorder(index);
    std::vector<int64_t> lengths;
    for (int64_t row : rows) lengths.push_back(lengths_[static_cast<size_t>(row)]);
    lengths_ = std::move(lengths);
  }

 private:
  TransformerSeq2Seq& model_;
  Tensor memory_;                 // [rows, Ts, D]
  std::vector<int64_t> lengths_;  // of the sources
  DecoderState layers_;
  int64_t position_ = 0;  // ids read so far
};

std::unique_ptr<Decoding> TransformerSeq2Seq::start(const PaddedIds& source) {
  return std::make_unique<State>(*this, source);
}

AttentionTrace TransformerSeq2Seq::trace(const PaddedIds& source, const PaddedIds& target,
                                         Tensor* loss) {
  AttentionTrace trace;
  const Tensor hidden = (*this)(source, target, &trace);
  if (loss) *loss = loss_of(hidden, target, 0);
  return trace;
}

}  // namespace weft
