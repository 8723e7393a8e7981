// The recurrent translation model: a bidirectional encoder, and a decoder that looks back at it by
// attention, of either kind:
//
//   Luong et al. 2015 (arXiv:1508.04025), "general":   h_t = RNN(y_{t-1}, h_{t-1})
//     a_t = softmax_s(h_t^T W m_s)                     c_t = sum_s a_ts m_s
//   Bahdanau et al. 2015 (arXiv:1409.0473), additive:  h_t = RNN([y_{t-1}; c_t], h_{t-1})
//     a_t = softmax_s(v^T tanh(W h_{t-1} + U m_s))     c_t likewise
//
// for states m_s of the encoder; both predict from tanh(W_c [c_t; h_t]). One embedding matrix
// serves source, target and output.
#pragma once

#include <weft/nn/attention/score_attention.h>
#include <weft/nn/dropout.h>
#include <weft/nn/embedding.h>
#include <weft/nn/recurrent/recurrent.h>
#include <weft/seq2seq/models/seq2seq_model.h>

#include <functional>

namespace weft {

enum class RecurrentCell { gru, lstm };

/// Bahdanau's context goes into the decoder, which so knows what it has read: it learns to sort or
/// to add in fewer updates. Luong's takes all the decoder's outputs at once, and less time.
enum class RecurrentAttention { luong, bahdanau };

struct RecurrentSeq2SeqOptions {
  int64_t vocabulary;      ///< number of ids
  int64_t d_model = 128;   ///< width of embeddings, decoder and each direction of the encoder
  int64_t num_layers = 1;  ///< of the encoder, and of the decoder
  RecurrentCell cell = RecurrentCell::gru;
  RecurrentAttention attention = RecurrentAttention::bahdanau;
  double dropout = 0;  ///< of embeddings, between layers, and before the output
};

class RecurrentSeq2Seq : public Layer<RecurrentSeq2Seq, Seq2SeqModel> {
 public:
  using Options = RecurrentSeq2SeqOptions;
  RecurrentSeq2Seq(const Options& options, Generator generator);

  /// What the output layer sees, [B, Tt - 1, D], from sources [B, Ts] and targets [B, Tt] but their
  /// last column; and the attention's `weights` [B, 1, Tt - 1, Ts] if asked for.
  Tensor forward(const PaddedIds& source, const PaddedIds& target, Tensor* weights = nullptr);

  Prediction predict(const PaddedIds& source, const PaddedIds& target) override;
  std::unique_ptr<Decoding> start(const PaddedIds& source) override;
  /// Bahdanau's weights of one step make those of the next, so that one tensor of all of them is
  /// nobody's result: it is a leaf that the loss depends on as it does on them.
  AttentionTrace trace(const PaddedIds& source, const PaddedIds& target,
                       Tensor* loss = nullptr) override;

 private:
  class State;
  /// A GRU or an LSTM.
  using Layers = std::function<RecurrentResult(const Tensor& x, const RecurrentState& state,
                                               const std::vector<int64_t>& lengths)>;
  /// A source as the decoder sees it, and where the decoder stands.
  struct Reading {
    Tensor memory;                 // [B, Ts, 2 D]
    Tensor projected;              // [B, Ts, D], for Bahdanau's attention
    std::vector<int64_t> lengths;  // of the sources
    RecurrentState state;          // of the decoder, [layers, B, D]
  };
  Layers layers(const char* name, const RecurrentOptions& options, const Generator& generator);
  RecurrentOptions recurrent_options(int64_t input_size, bool bidirectional) const;
  Tensor embed(const Tensor& ids);
  Reading encode(const PaddedIds& source);
  RecurrentState bridge(const RecurrentState& encoder);
  Tensor decode(const Tensor& ids, Reading& at, Tensor* weights);
  Tensor decode_all(const Tensor& x, Reading& at, Tensor* weights);
  Tensor decode_by_step(const Tensor& x, Reading& at, Tensor* weights);
  Tensor combine(const Tensor& context, const Tensor& hidden);
  Prediction predicted(const Tensor& hidden) const;

  Options options_;
  Embedding& embedding_;
  Dropout& dropout_;
  Layers encoder_, decoder_;
  Linear& bridge_hidden_;
  Linear* bridge_cell_ = nullptr;    // an LSTM's
  LuongAttention* luong_ = nullptr;  // one of the two
  BahdanauAttention* bahdanau_ = nullptr;
  Linear &combine_, &output_;
};

}  // namespace weft
