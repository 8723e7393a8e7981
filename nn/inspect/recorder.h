// All that attention computes in a run, and its gradients, without changing a bit of the run.
//
//   AttentionRecorder seen(model);
//   loss(model(src, tgt)).backward();
//   const AttentionRecord& cross = seen["decoder.layers.1.multihead_attn"];
//   cross.weights(), cross.dweights();  // A and dL/dA, [B, H, Tq, Tk]
//
// Attention stays fused: kept are handles of what its backward needs, Q, K and V, and the gradient
// of its output, dO. With M the dropout mask (0 or 1 / (1 - p)) all else is made from them when it
// is asked for:
//
//   S = Q K^T / sqrt(Dh) + mask,  A = softmax(S),  O = (M A) V
//   dA = M (dO V^T),  dS = A (dA - sum_j A dA),  dQ = dS K / sqrt(Dh),  dK = dS^T Q / sqrt(Dh),
//   dV = (M A)^T dO
#pragma once

#include <weft/nn/attention/softmax_attention.h>
#include <weft/nn/module.h>

#include <deque>
#include <string>
#include <vector>

namespace weft {

/// Self-attention is where query and key are one tensor; an encoder's or a decoder's where a module
/// of that name is around it.
enum class AttentionKind { encoder_self, decoder_self, self, cross };

/// One call of an attention, for the rows of the batch and the heads that were chosen: B and H are
/// their numbers. Results are plain numbers of the run's dtype, not differentiable; S, A, dA and
/// dS are kept from when they are first asked for. Hidden positions must hold finite numbers, as
/// for the gradients of the layer itself.
class AttentionRecord {
 public:
  const std::string& path() const { return path_; }
  AttentionKind kind() const { return kind_; }
  /// Which rows of the batch and which heads these are, in order.
  const std::vector<int64_t>& rows() const { return rows_; }
  const std::vector<int64_t>& heads() const { return heads_; }

  const Tensor& queries() const { return q_; }  ///< [B, H, Tq, Dh]
  /// [B, H, Tk, Dh], with those that the layer adds. Where heads of keys and values serve several
  /// query heads, each of these has a copy, and its own part of their gradient.
  const Tensor& keys() const { return k_; }
  const Tensor& values() const { return v_; }   ///< the same
  const Tensor& outputs() const { return y_; }  ///< of heads, before W_O: [B, H, Tq, Dh]
  Tensor value_norms() const;                   ///< |v_j|, [B, H, Tk]
  Tensor scores() const;                        ///< S [B, H, Tq, Tk], -inf where the mask hides
  /// A [B, H, Tq, Tk], what weighs the values, before dropout; after interventions, if there are
  /// any. Zeros for a query that may attend to nothing.
  Tensor weights() const;

  /// Whether a backward pass came through here. Gradients of several are summed, as in grad().
  /// Without one, each of the following is an Error.
  bool has_gradients() const { return dy_.defined(); }
  const Tensor& doutputs() const;  ///< [B, H, Tq, Dh]
  /// dL/dA [B, H, Tq, Tk] for weights(), also where the mask hides.
  Tensor dweights() const;
  /// dL/dS [B, H, Tq, Tk]; rows sum to 0. Through interventions, if there are any.
  Tensor dscores() const;
  Tensor dqueries() const;  ///< [B, H, Tq, Dh]
  Tensor dkeys() const;     ///< [B, H, Tk, Dh]
  Tensor dvalues() const;   ///< the same

 private:
  friend class AttentionRecorder;
  AttentionRecord(std::string path, std::vector<int64_t> rows, std::vector<int64_t> heads,
                  const AttentionStep& step);
  Tensor chosen(const Tensor& x) const;
  Tensor softmax_of_scores() const;
  Tensor with_dropout(const Tensor& x) const;
  double scale() const;

  std::string path_;
  AttentionKind kind_;
  Shape whole_;  // [B, H] of the run
  std::vector<int64_t> rows_, heads_;
  AttentionOptions options_;
  Tensor q_, k_, v_, y_, dy_;
  // Where the run made weights: these, and the gradients after and before interventions.
  Tensor weights_, dweights_, dsoftmax_;
  struct Made {
    Tensor scores, softmax, dweights, dscores;
  };
  mutable Made made_;
};

/// What is recorded; empty lists mean all. It bounds what is kept, and what is made of it.
struct AttentionRecorderOptions {
  std::vector<std::string> paths = {};  ///< of the attentions, from the module that is watched
  std::vector<int64_t> heads = {};
  std::vector<int64_t> rows = {};  ///< of the batch; those that a batch lacks are left out
};

/// Records every call of every SoftmaxAttention in a module while it lives. Outputs and gradients
/// of the run are the same bits as without it, under interventions too; gradients are those of
/// backward() and grad() of first order. Calls under checkpoint() are recorded twice: the second
/// time, in backward, they get their gradients. Without a choice of rows or heads nothing is
/// copied; each call keeps its Q, K, V, O and dO until clear(). One thread may run the module.
class AttentionRecorder {
 public:
  /// An Error if the module has no attention, or none of a path or head that is asked for.
  explicit AttentionRecorder(Module& module, AttentionRecorderOptions options = {});
  ~AttentionRecorder();
  AttentionRecorder(const AttentionRecorder&) = delete;
  AttentionRecorder& operator=(const AttentionRecorder&) = delete;

  /// In the order in which they ran. A copy of one may be kept longer.
  const std::deque<AttentionRecord>& calls() const { return calls_; }
  /// The latest of that path. An Error that names the nearest paths if there is none.
  const AttentionRecord& operator[](const std::string& path) const;
  /// Forgets all calls so far, for another step.
  void clear();

 private:
  void record(const std::string& path, const AttentionStep& step);
  void await_gradient(Tensor of, const AttentionRecord& record, Tensor& into);

  AttentionRecorderOptions options_;
  std::deque<AttentionRecord> calls_;  // hooks hold references into it
  std::vector<HookHandle> in_modules_, in_graphs_;
};

}  // namespace weft
