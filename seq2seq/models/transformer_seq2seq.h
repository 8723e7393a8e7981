// A Transformer (Vaswani et al., "Attention is all you need", NeurIPS 2017) from ids to ids.
#pragma once

#include <weft/nn/dropout.h>
#include <weft/nn/embedding.h>
#include <weft/nn/position_bias.h>
#include <weft/nn/positional.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/seq2seq/models/seq2seq_model.h>

namespace weft {

/// Added to embeddings (sinusoidal, learned), or biases of self-attention (relative, as T5 has
/// them, one table a stack; alibi); rotary and transformer_xl ones (RelativeScores) are options of
/// the layers.
enum class Positions { none, sinusoidal, learned, relative, rotary, alibi, transformer_xl };

/// "transformer-xl"
const char* to_string(Positions positions);
/// The positions of this name; an Error lists all.
Positions positions_named(const std::string& name);

struct TransformerSeq2SeqOptions {
  int64_t vocabulary;              ///< number of ids
  TransformerOptions transformer;  ///< batch_first whatever it says; `dropout` also of embeddings
  Positions positions = Positions::sinusoidal;  ///< whatever `transformer` says of them
  int64_t longest = 4096;                       ///< sequence that learned positions serve
  bool tied_embeddings = true;                  ///< one matrix for source, target and output
  bool output_bias = false;                     ///< added to the logits
};

class TransformerSeq2Seq : public Layer<TransformerSeq2Seq, Seq2SeqModel> {
 public:
  using Options = TransformerSeq2SeqOptions;
  TransformerSeq2Seq(const Options& options, Generator generator);

  /// Decoder states [B, Tt - 1, D] from sources [B, Ts] and targets [B, Tt] but their last column.
  Tensor forward(const PaddedIds& source, const PaddedIds& target, AttentionTrace* trace = nullptr);

  Prediction predict(const PaddedIds& source, const PaddedIds& target) override;
  std::unique_ptr<Decoding> start(const PaddedIds& source) override;
  AttentionTrace trace(const PaddedIds& source, const PaddedIds& target,
                       Tensor* loss = nullptr) override;

  const Options& options() const { return options_; }

 private:
  class State;
  void init_vectors(Embedding& embedding, Generator& generator) const;
  Embedding& target_embedding();
  const Tensor& output_weight() const;  // [vocabulary, D]
  Mask self_mask(RelativePositionBias* relative, int64_t queries, int64_t keys,
                 int64_t first) const;
  Tensor embed(Embedding& embedding, const Tensor& ids, int64_t first_position);
  Tensor encode(const PaddedIds& source, AttentionTrace* trace = nullptr);
  Prediction predicted(const Tensor& hidden) const;

  Options options_;
  int64_t d_model_, heads_;
  Embedding& embedding_;
  SinusoidalPositions* sinusoidal_ = nullptr;
  LearnedPositions* learned_ = nullptr;
  RelativePositionBias *encoder_relative_ = nullptr, *decoder_relative_ = nullptr;
  bool alibi_;
  Dropout& dropout_;
  Transformer& transformer_;
  Embedding* target_embedding_ = nullptr;  // these two where matrices are separate
  Linear* output_ = nullptr;
  Tensor output_bias_;  // [vocabulary], or undefined
};

}  // namespace weft
