// Mask: who may attend to whom. One type with named constructors, so that no tensor of unknown
// polarity is taken for a mask; masks combine with &: what either forbids is forbidden.
//
//   Mask::causal() & Mask::padding(ids, kPad)
#pragma once

#include <weft/core/tensor.h>

#include <limits>
#include <vector>

namespace weft {

class Mask {
 public:
  /// Forbids nothing.
  Mask() = default;

  /// From a bool tensor [Tq, Tk], or four dims that broadcast to [B, H, Tq, Tk].
  static Mask may_attend(const Tensor& yes);
  static Mask must_ignore(const Tensor& no);
  /// A floating tensor of the same shapes, added to the scores; -inf forbids. It may have a
  /// gradient.
  static Mask additive(const Tensor& scores);

  /// Which query sees all keys: with top_left, query i sees keys 0..i; with bottom_right, the last
  /// query sees all keys, as in decoding with cached keys. The same where Tq = Tk.
  enum class Alignment { top_left, bottom_right };
  static Mask causal(Alignment alignment = Alignment::top_left);

  /// Local attention (Beltagy et al. 2020, arXiv:2004.05150): query i sees keys i - before ..
  /// i + after, neither negative.
  static Mask window(int64_t before, int64_t after);

  /// Forbids keys at and after the length of their row: of B sequences padded to `longest`. What
  /// stands in the padding reaches no output and no gradient if it is finite; NaN there reaches the
  /// gradients of projections (zero times NaN), as in PyTorch: fill padding with zeros.
  static Mask padding(const std::vector<int64_t>& lengths, int64_t longest);
  /// Forbids keys whose token in `ids` [B, Tk] is `padding_id`.
  static Mask padding(const Tensor& ids, int64_t padding_id);

  /// From attn_mask of torch.nn.MultiheadAttention and the Transformer layers: true must not be
  /// attended to; floating is added. [Tq, Tk] or [B * num_heads, Tq, Tk].
  static Mask from_torch_mha(const Tensor& attn_mask, int64_t num_heads = 1);
  /// From key_padding_mask of the same, [B, Tk]: true must not be attended to; floating is added.
  static Mask from_torch_key_padding(const Tensor& key_padding_mask);
  /// From attn_mask of torch's scaled_dot_product_attention: true may be attended to; floating is
  /// added. [Tq, Tk], or four dims.
  static Mask from_torch_sdpa(const Tensor& attn_mask);

  friend Mask operator&(const Mask& a, const Mask& b);

  /// What scaled_dot_product_attention takes.
  struct Resolved {
    Tensor mask;  ///< bool or floating; undefined: nothing is forbidden but by `causal`
    bool causal = false;
  };
  /// For so many queries and keys. `extra` keys that everybody may attend to follow those; in
  /// decoding step by step, `first` is the position of the first query.
  Resolved resolve(int64_t queries, int64_t keys, int64_t extra = 0, int64_t first = 0) const;

 private:
  Tensor allowed_;  // bool
  Tensor added_;    // floating
  bool top_left_ = false, bottom_right_ = false;
  static constexpr int64_t kFar = std::numeric_limits<int64_t>::max();
  int64_t before_ = kFar, after_ = kFar;  // how far a query sees
};

}  // namespace weft
