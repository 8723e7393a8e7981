// Scores of one block, transposed: scores[j, i] of key j and query i. Shared by attention's forward
// and backward; compiled per instruction set.
#pragma once

#include <weft/core/kernels/attention_blocks.h>
#include <weft/core/kernels/gemm_tiles.h>
#include <weft/core/kernels/philox.h>

namespace weft::kernels::WEFT_ISA {
namespace {

/// Row stride of transposed blocks.
constexpr int64_t kLine = kBlockQueries;

/// One block: queries [q0, q0 + nq), keys [k0, k0 + nk) of head h of batch entry b.
struct Block {
  int64_t b, h, q0, nq, k0, nk;
};

template <class T>
constexpr T kMinusInfinity = static_cast<T>(-__builtin_inf());

/// nq rounded up to whole vectors. Lanes past nq hold finite numbers that nobody reads.
template <class T>
WEFT_INLINE int64_t lanes_of(int64_t nq) {
  return (nq + Lanes<T>::count - 1) / Lanes<T>::count * Lanes<T>::count;
}

/// f(i) for i in [0, lanes), in runs that compilers make one vector of.
template <class T, class F>
WEFT_INLINE void each_lane(int64_t lanes, F f) {
  for (int64_t i = 0; i < lanes; i += Lanes<T>::count) {
#pragma omp simd
    for (int64_t l = 0; l < Lanes<T>::count; ++l) f(i + l);
  }
}

/// Where in [B, H, T, D] a head begins.
WEFT_INLINE int64_t offset(const HeadStrides& at, int64_t b, int64_t h) {
  return b * at.batch + h * at.head;
}

/// Whether no query of the block may attend to any of its keys.
template <class T>
bool hidden(const Attention<T>& a, const Block& n) {
  if (a.causal && n.k0 >= n.q0 + n.nq) return true;
  if (!a.allowed || a.allowed_at.query != 0) return false;
  const bool* p = a.allowed + n.b * a.allowed_at.batch + n.h * a.allowed_at.head;
  for (int64_t j = n.k0; j < n.k0 + n.nk; ++j)
    if (p[j * a.allowed_at.key]) return false;
  return true;
}

template <class T>
void apply_allowed(const Attention<T>& a, const Block& n, T* scores) {
  const MaskStrides& at = a.allowed_at;
  const bool* p = a.allowed + n.b * at.batch + n.h * at.head + n.q0 * at.query + n.k0 * at.key;
  for (int64_t j = 0; j < n.nk; ++j, p += at.key, scores += kLine) {
    if (at.query == 0 && *p) continue;
    for (int64_t i = 0; i < n.nq; ++i)
      if (!p[i * at.query]) scores[i] = kMinusInfinity<T>;
  }
}

template <class T>
void apply_bias(const Attention<T>& a, const Block& n, T* scores) {
  const MaskStrides& at = a.bias_at;
  const T* p = a.bias + n.b * at.batch + n.h * at.head + n.q0 * at.query + n.k0 * at.key;
  for (int64_t j = 0; j < n.nk; ++j, p += at.key, scores += kLine)
    for (int64_t i = 0; i < n.nq; ++i) scores[i] += p[i * at.query];
}

template <class T>
void apply_causal(const Block& n, T* scores) {
  for (int64_t j = 0; j < n.nk; ++j) {
    const int64_t unseen = least(n.k0 + j - n.q0, n.nq);  // queries before key j
    for (int64_t i = 0; i < unseen; ++i) scores[j * kLine + i] = kMinusInfinity<T>;
  }
}

/// scores = scale K Q^T + bias, -inf where it may not be attended to. k: rows [nk, width].
template <class T>
void compute_scores(const Attention<T>& a, const Block& n, const Strided<T>& k,
                    const Panel<T>& q_transposed, T* scores) {
  multiply(n.nk, lanes_of<T>(n.nq), a.width, k, q_transposed,
           Scale<T>{static_cast<T>(a.scale), T(0)}, scores, kLine);
  if (a.bias) apply_bias(a, n, scores);
  if (a.allowed) apply_allowed(a, n, scores);
  if (a.causal && n.k0 + n.nk > n.q0 + 1) apply_causal(n, scores);
}

/// mask[j, i] = keep ? 1 / (1 - p) : 0, made from four keys at a time where these share a Philox
/// position for every query, else one by one.
template <class T>
void dropout_mask(const Attention<T>& a, const Block& n, T* mask) {
  const uint32_t threshold = dropout_threshold(a.dropout);
  const T keep = static_cast<T>(1 / (1 - a.dropout));
  const int64_t row = (n.b * a.heads + n.h) * a.queries + n.q0;
  const auto first = static_cast<uint64_t>(row * a.keys + n.k0);
  const auto step = static_cast<uint64_t>(a.keys);
  const int64_t lanes = lanes_of<T>(n.nq);
  int64_t j = 0;
  if (a.keys % 4 == 0) {
    for (; j + 4 <= n.nk; j += 4) {
      T* m = mask + j * kLine;
      each_lane<T>(lanes, [=](int64_t i) WEFT_INLINE_LAMBDA {
        const uint64_t at = first + static_cast<uint64_t>(i) * step + static_cast<uint64_t>(j);
        const PhiloxWords w = philox_words(a.key.seed, a.key.offset + at / 4);
        m[i] = w.w0 >= threshold ? keep : T(0);
        m[i + kLine] = w.w1 >= threshold ? keep : T(0);
        m[i + 2 * kLine] = w.w2 >= threshold ? keep : T(0);
        m[i + 3 * kLine] = w.w3 >= threshold ? keep : T(0);
      });
    }
  }
  for (; j < n.nk; ++j) {
    T* m = mask + j * kLine;
    each_lane<T>(lanes, [=](int64_t i) WEFT_INLINE_LAMBDA {
      const uint64_t at = first + static_cast<uint64_t>(i) * step + static_cast<uint64_t>(j);
      const PhiloxWords w = philox_words(a.key.seed, a.key.offset + at / 4);
      const uint64_t which = at % 4;
      const uint32_t low = which == 0 ? w.w0 : w.w1, high = which == 2 ? w.w2 : w.w3;
      m[i] = (which < 2 ? low : high) >= threshold ? keep : T(0);
    });
  }
}

}  // namespace
}  // namespace weft::kernels::WEFT_ISA
