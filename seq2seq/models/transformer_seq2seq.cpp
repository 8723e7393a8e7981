#include <fmt/ranges.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/init.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft {
namespace {

// In the order of the enum.
constexpr const char* kPositions[] = {"none",   "sinusoidal", "learned",       "relative",
                                      "rotary", "alibi",      "transformer-xl"};

TransformerOptions transformer_of(const TransformerSeq2SeqOptions& options) {
  TransformerOptions o = options.transformer;
  o.layer.batch_first = true;
  o.layer.rotary = options.positions == Positions::rotary;
  o.layer.relative = options.positions == Positions::transformer_xl;
  return o;
}

std::vector<int64_t> taken(const std::vector<int64_t>& values, const Ids& rows) {
  std::vector<int64_t> found;
  for (const int64_t row : rows) {
    check(row >= 0 && row < std::ssize(values), "keep: rows must be in [0, {}); got {}",
          values.size(), row);
    found.push_back(values[static_cast<size_t>(row)]);
  }
  return found;
}

}  // namespace

const char* to_string(Positions positions) { return kPositions[static_cast<int>(positions)]; }

Positions positions_named(const std::string& name) {
  const auto* found = std::find(std::begin(kPositions), std::end(kPositions), name);
  check(found != std::end(kPositions), "positions: expected {}; got '{}'",
        fmt::join(kPositions, ", "), name);
  return static_cast<Positions>(found - kPositions);
}

TransformerSeq2Seq::TransformerSeq2Seq(const Options& o, Generator generator)
    : options_(o),
      d_model_(o.transformer.layer.d_model),
      heads_(o.transformer.layer.nhead),
      embedding_(child<Embedding>("embedding", o.vocabulary, d_model_, generator, kPad)),
      alibi_(o.positions == Positions::alibi),
      dropout_(child<Dropout>("dropout", o.transformer.layer.dropout, generator)),
      transformer_(child<Transformer>("transformer", transformer_of(o), generator)) {
  if (o.positions == Positions::sinusoidal)
    sinusoidal_ = &child<SinusoidalPositions>("positions", /*batch_first=*/true);
  if (o.positions == Positions::learned)
    learned_ = &child<LearnedPositions>("positions", o.longest, d_model_, generator, true);
  if (o.positions == Positions::relative) {
    using Bias = RelativePositionBias;
    encoder_relative_ =
        &child<Bias>("encoder_positions", Bias::Options{.num_heads = heads_}, generator);
    decoder_relative_ = &child<Bias>(
        "decoder_positions", Bias::Options{.num_heads = heads_, .bidirectional = false}, generator);
  }
  init_vectors(embedding_, generator);
  if (o.output_bias) output_bias_ = parameter("output_bias", zeros({o.vocabulary}));
  if (o.tied_embeddings) return;
  target_embedding_ =
      &child<Embedding>("target_embedding", o.vocabulary, d_model_, generator, kPad);
  init_vectors(*target_embedding_, generator);
  output_ = &child<Linear>("output", d_model_, o.vocabulary, generator, /*bias=*/false);
}

// The matrix is also the output layer: deviation 1 / sqrt(D) keeps first logits near 0.
void TransformerSeq2Seq::init_vectors(Embedding& embedding, Generator& generator) const {
  init::normal(embedding.weight, 0, 1 / std::sqrt(static_cast<double>(d_model_)), generator);
  init::zeros(select(embedding.weight.detach(), 0, kPad));
}

Embedding& TransformerSeq2Seq::target_embedding() {
  return target_embedding_ ? *target_embedding_ : embedding_;
}

const Tensor& TransformerSeq2Seq::output_weight() const {
  return output_ ? output_->weight : embedding_.weight;
}

Tensor TransformerSeq2Seq::embed(Embedding& embedding, const Tensor& ids, int64_t first_position) {
  Tensor x = embedding(ids) * std::sqrt(static_cast<double>(d_model_));  // [B, T, D]
  if (sinusoidal_) x = (*sinusoidal_)(x, first_position);
  if (learned_) x = (*learned_)(x, first_position);
  return dropout_(x);
}

// What positions add to the scores of self-attention.
Mask TransformerSeq2Seq::self_mask(RelativePositionBias* relative, int64_t queries, int64_t keys,
                                   int64_t first) const {
  if (relative) return Mask::additive((*relative)(queries, keys, first));
  if (alibi_) return alibi(heads_, queries, keys, first, embedding_.weight.dtype());
  return {};
}

Tensor TransformerSeq2Seq::encode(const PaddedIds& source, AttentionTrace* trace) {
  const int64_t length = source.columns;
  const Mask mask =
      Mask::padding(source.lengths, length) & self_mask(encoder_relative_, length, length, 0);
  return transformer_.encoder(embed(embedding_, to_tensor(source), 0), {mask, trace});
}

Tensor TransformerSeq2Seq::forward(const PaddedIds& source, const PaddedIds& target,
                                   AttentionTrace* trace) {
  const Tensor memory = encode(source, trace);  // [B, Ts, D]
  const Tensor ids = slice(to_tensor(target), 1, 0, -1);
  const int64_t length = ids.size(1);
  const DecoderCall call{Mask::causal() & self_mask(decoder_relative_, length, length, 0),
                         Mask::padding(source.lengths, source.columns), trace};
  return transformer_.decoder(embed(target_embedding(), ids, 0), memory, call);
}

Prediction TransformerSeq2Seq::predict(const PaddedIds& source, const PaddedIds& target) {
  return predicted((*this)(source, target));
}

Prediction TransformerSeq2Seq::predicted(const Tensor& hidden) const {
  return {hidden, output_weight(), output_bias_};
}

// What the decoder remembers of source and target.
class TransformerSeq2Seq::State : public Decoding {
 public:
  State(TransformerSeq2Seq& model, const PaddedIds& source)
      : model_(model), memory_(model.encode(source)), lengths_(source.lengths) {
    sources_.resize(lengths_.size());
    std::iota(sources_.begin(), sources_.end(), 0);
  }

  Tensor next_log_probs(const Tensor& ids) override {
    const int64_t position = position_++;
    const DecoderCall call{model_.self_mask(model_.decoder_relative_, 1, position + 1, position),
                           Mask::padding(lengths_, memory_.size(1))};
    const Tensor embedded = model_.embed(model_.target_embedding(), ids, position);
    const Tensor hidden =
        model_.transformer_.decoder(embedded, memory_, call, &layers_);  // [rows, 1, D]
    return log_softmax(linear(select(hidden, 1, 0), model_.output_weight(), model_.output_bias_),
                       -1);
  }

  void keep(const Ids& rows) override {
    const Tensor index = from_vector(rows, {static_cast<int64_t>(rows.size())});
    const std::vector<int64_t> sources = taken(sources_, rows);
    const bool same_memory = sources == sources_;
    layers_.reorder(index, same_memory);
    if (same_memory) return;
    memory_ = index_select(memory_, 0, index);
    lengths_ = taken(lengths_, rows);
    sources_ = sources;
  }

 private:
  TransformerSeq2Seq& model_;
  Tensor memory_;                 // [rows, Ts, D]
  std::vector<int64_t> lengths_;  // of the sources
  std::vector<int64_t> sources_;  // of the rows, by their numbers
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
  if (loss) *loss = loss_of(predicted(hidden), target, 0);
  return trace;
}

}  // namespace weft
