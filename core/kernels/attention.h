// Attention in blocks of queries and keys: the weights never stand in memory as a whole, so memory
// is linear in the lengths (after Dao et al., "FlashAttention", 2022; Rabe and Staats 2021).
//
//   S = scale Q K^T + bias,  P = softmax(S) over the keys that may be attended to,
//   Y = dropout(P) V
//
// and with D_i = sum_d dY_id Y_id, M the dropout mask (0 or 1 / (1 - p)):
//
//   dV = (P M)^T dY,  dS = P (M (dY V^T) - D),  dQ = scale dS K,  dK = scale dS^T Q
//
// A query that may attend to nothing gives zeros, and zero gradients.
//
// Second order is made in the same blocks. Where Q, K, V and bias move by Q', K', V' and bias',
//
//   S' = scale (Q' K^T + Q K'^T) + bias',  P' = P (S' - mean),  mean_i = sum_j P_ij S'_ij,
//   Y' = (P' M) V + (P M) V'
//
// and, for a fixed dY, with G = M (dY V^T) and G' = M (dY V'^T), so that dS = P (G - D), the
// gradients by
//
//   D_i = sum_j P_ij G_ij,  D'_i = sum_j P'_ij (G_ij - D_i) + P_ij G'_ij,
//   dS' = P' (G - D) + P (G' - D'),  dbias' = dS',
//   dV' = (P' M)^T dY,  dQ' = scale (dS' K + dS K'),  dK' = scale (dS'^T Q + dS^T Q')
//
// L = <dY, Y> has (dQ, dK, dV, dbias) for a gradient, so their derivatives are its Hessian times
// (Q', K', V', bias'). A Hessian is symmetric: these are also the gradients of
// <Q', dQ> + <K', dK> + <V', dV> + <bias', dbias>, and Y' is the one by dY. That is how the double
// backward uses them.
#pragma once

#include <weft/core/random.h>

#include <cstdint>

namespace weft::kernels {

/// Steps in elements of a [B, H, T, D] operand whose last dim is contiguous: a projection of
/// [B, T, H * D] needs no copy (batch T * H * D, head D, row H * D).
struct HeadStrides {
  int64_t batch = 0, head = 0, row = 0;
};

/// Steps of a mask that broadcasts to [B, H, Tq, Tk]; 0 where it repeats.
struct MaskStrides {
  int64_t batch = 0, head = 0, query = 0, key = 0;
};

/// T is float or double.
template <class T>
struct Attention {
  int64_t batch = 0, heads = 0, queries = 0, keys = 0;
  int64_t width = 0;        ///< of a query and a key
  int64_t value_width = 0;  ///< of a value and an output
  const T* q = nullptr;     ///< [B, H, Tq, width]
  const T* k = nullptr;     ///< [B, H, Tk, width]
  const T* v = nullptr;     ///< [B, H, Tk, value_width]
  HeadStrides q_at, k_at, v_at;
  double scale = 1;
  bool causal = false;            ///< query i sees keys 0..i
  const bool* allowed = nullptr;  ///< true: may attend
  MaskStrides allowed_at;
  const T* bias = nullptr;  ///< added to the scores; -inf hides
  MaskStrides bias_at;
  double dropout = 0;  ///< of P, in [0, 1), at element ((b H + h) Tq + i) Tk + j of `key`
  RandomKey key;
};

/// Of each query's softmax, what backward makes its weights again from: P_ij = exp(S_ij - top_i)
/// inverse_i, [B, H, Tq] each, contiguous. Kept apart, because in their one number, log sum exp, a
/// large top (a mask of -1e9 on every key) would round the sum away. A query that may attend to
/// nothing has top +inf and inverse 0.
template <class T>
struct SoftmaxRows {
  T *top = nullptr, *inverse = nullptr;
};

template <class T>
struct AttentionGrad {
  const T* y = nullptr;  ///< as attention() gave it, like dy [B, H, Tq, value_width]
  const T *top = nullptr, *inverse = nullptr;  ///< as attention() gave them
  const T* dy = nullptr;
  HeadStrides y_at, dy_at;
  T *dq = nullptr, *dk = nullptr, *dv = nullptr;  ///< overwritten
  HeadStrides dq_at, dk_at, dv_at;
  T* dbias = nullptr;  ///< null, or [B, H, Tq, Tk], contiguous: dS, overwritten
};

/// A direction in which the operands move, and how the output moves with them.
template <class T>
struct AttentionTangent {
  const T *q = nullptr, *k = nullptr, *v = nullptr;  ///< Q', K', V', shaped like the operands
  HeadStrides q_at, k_at, v_at;
  const T* bias = nullptr;  ///< bias'; null: 0
  MaskStrides bias_at;
  T* y = nullptr;  ///< Y' [B, H, Tq, value_width], overwritten
  HeadStrides y_at;
};

/// Writes y [B, H, Tq, value_width] and `rows`. Threads inside; the same bits at any number of
/// threads.
template <class T>
void attention(const Attention<T>& a, T* y, HeadStrides y_at, const SoftmaxRows<T>& rows);

/// The gradients of attention(). Threads over (batch, head), and over keys where these are few: dq
/// is then made in parts, which depend on the shape alone.
template <class T>
void attention_grad(const Attention<T>& a, const AttentionGrad<T>& g);

/// Writes t.y and, unless g.dq is null, how the gradients move, dQ', dK', dV' and dbias', to g's
/// places for the gradients. Of g it reads dy, top and inverse. Threads over (batch, head), and
/// over queries where these are few: dK' and dV' are then made in parts, which depend on the shape
/// alone. Memory: a few rows of weights for each thread.
template <class T>
void attention_tangent(const Attention<T>& a, const AttentionGrad<T>& g,
                       const AttentionTangent<T>& t);

}  // namespace weft::kernels
