// The single-threaded parts of attention.h, compiled per instruction set.
#pragma once

#include <weft/core/kernels/attention.h>
#include <weft/core/kernels/kernel.h>

namespace weft::kernels {

/// Queries and keys of one block. Scores are kept transposed, [keys, queries], so that a softmax
/// over keys runs down the lanes of a vector.
inline constexpr int64_t kBlockQueries = 64;
inline constexpr int64_t kBlockKeys = 128;

/// How backward is cut: each head's keys into `count` groups. Each makes a share of dq; the first
/// stands in AttentionGrad::dq, the others in `dq` [count - 1, B, H, Tq, width].
template <class T>
struct KeyGroups {
  int64_t count = 1;
  T* dq = nullptr;
};

/// How the tangent is cut: each head's queries into `count` groups. Each makes a share of dK' and
/// of dV'; the first stands in AttentionGrad, the others in `dk` [count - 1, B, H, Tk, width] and
/// `dv` [count - 1, B, H, Tk, value_width].
template <class T>
struct QueryGroups {
  int64_t count = 1;
  T *dk = nullptr, *dv = nullptr;
};

/// Elements of T that attention_blocks needs as scratch.
WEFT_KERNEL(int64_t, attention_scratch, const Attention<T>& a)

/// Elements of T that attention_grad_cells needs as scratch.
WEFT_KERNEL(int64_t, attention_grad_scratch, const Attention<T>& a)

/// Blocks [first, last) of queries, numbered (b H + h) ceil(Tq / kBlockQueries) + block.
WEFT_KERNEL(void, attention_blocks, const Attention<T>& a, T* y, HeadStrides y_at,
            const SoftmaxRows<T>& rows, T* scratch, int64_t first, int64_t last)

/// Cells [first, last), numbered (b H + h) groups.count + the rank of a group of keys.
WEFT_KERNEL(void, attention_grad_cells, const Attention<T>& a, const AttentionGrad<T>& g,
            const KeyGroups<T>& groups, T* scratch, int64_t first, int64_t last)

/// Elements of T that attention_tangent_cells needs as scratch.
WEFT_KERNEL(int64_t, attention_tangent_scratch, const Attention<T>& a)

/// Cells [first, last), numbered (b H + h) groups.count + the rank of a group of queries.
WEFT_KERNEL(void, attention_tangent_cells, const Attention<T>& a, const AttentionGrad<T>& g,
            const AttentionTangent<T>& t, const QueryGroups<T>& groups, T* scratch, int64_t first,
            int64_t last)

}  // namespace weft::kernels
