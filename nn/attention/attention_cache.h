// Keys and values that attention keeps from one decoding step to the next.
#pragma once

#include <weft/core/tensor.h>

namespace weft {

/// Keys and values of one attention, split by head: [B, H, Tk, Dh].
struct KeysValues {
  Tensor keys, values;
};

/// Of one attention layer. For inference only: an Error where gradients are recorded.
class AttentionCache {
 public:
  enum class Kind {
    grows,  ///< self-attention: each call appends the keys and values of its tokens
    fixed   ///< attention to a memory: the first call fills it, later ones do not project again
  };
  explicit AttentionCache(Kind kind) : kind_(kind) {}

  bool is_complete() const { return kind_ == Kind::fixed && length_ > 0; }
  /// Position of the first query of the next call: 0 where the cache does not grow.
  int64_t next_query() const { return kind_ == Kind::grows ? length_ : 0; }
  /// All that is kept.
  KeysValues contents() const;
  /// Keeps `more` behind what there is, and returns it all. Buffers double when they are full.
  KeysValues append(const KeysValues& more);
  /// Row i becomes what row index[i] was; the batch may shrink or grow. For beam search.
  void reorder(const Tensor& index);

 private:
  void append_to(Tensor& buffer, const Tensor& more) const;

  Kind kind_;
  Tensor keys_, values_;  // [B, H, capacity, Dh]
  int64_t length_ = 0;
};

}  // namespace weft
