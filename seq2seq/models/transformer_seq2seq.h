// The translation model: a Transformer (Vaswani et al., "Attention is all you need", NeurIPS 2017)
// whose one embedding matrix serves source, target and output.
#pragma once

#include <weft/nn/dropout.h>
#include <weft/nn/embedding.h>
#include <weft/nn/positional.h>
#include <weft/nn/transformer.h>
#include <weft/seq2seq/models/seq2seq_model.h>
#include <weft/seq2seq/training/config.h>

namespace weft {

class TransformerSeq2Seq : public Layer<TransformerSeq2Seq, Seq2SeqModel> {
 public:
  TransformerSeq2Seq(const ModelConfig& config, Generator generator);

  /// Decoder states [B, Tt - 1, D] from sources [B, Ts] and targets [B, Tt] but their last column.
  Tensor forward(const PaddedIds& source, const PaddedIds& target, AttentionTrace* trace = nullptr);

  Tensor loss(const PaddedIds& source, const PaddedIds& target, double label_smoothing) override;
  std::unique_ptr<Decoding> start(const PaddedIds& source) override;
  AttentionTrace trace(const PaddedIds& source, const PaddedIds& target,
                       Tensor* loss = nullptr) override;

 private:
  class State;
  Tensor embed(const Tensor& ids, int64_t first_position);
  Tensor encode(const PaddedIds& source, AttentionTrace* trace = nullptr);
  Tensor loss_of(const Tensor& hidden, const PaddedIds& target, double label_smoothing);

  int64_t d_model_;
  Embedding& embedding_;
  SinusoidalPositions& positions_;
  Dropout& dropout_;
  Transformer& transformer_;
};

}  // namespace weft
