// Scores of one block, transposed: scores[j, i] of key j and query i. Shared by attention's forward
// and backward; compiled per instruction set.
#pragma once

#include <weft/core/kernels/attention_blocks.h>
#include <weft/core/kernels/gemm_tiles.h>
#include <weft/core/kernels/philox.h>

namespace weft::kernels::WEFT_ISA {
namespace {

/// Row stride of transposed blocks.
inline constexpr int64_t kLine = kBlockQueries;

/// One block: queries [q0, q0 + nq), keys [k0, k0 + nk) of head h of batch entry b.
struct Block {
  int64_t b, h, q0, nq, k0, nk;
};

template <class T>
inline constexpr T kMinusInfinity = static_cast<T>(-__builtin_inf());

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

/// y[0..n) = 0. Short: a call of memset would cost more.
template <class T>
WEFT_INLINE void clear(T* y, int64_t n) {
  int64_t d = 0;
  for (; d + Lanes<T>::count <= n; d += Lanes<T>::count) store(y + d, typename Lanes<T>::type{});
  for (; d < n; ++d) y[d] = T(0);
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

// What follows takes scores[j line + i] of key j and query i.

template <class T>
void apply_allowed(const Attention<T>& a, const Block& n, T* scores, int64_t line) {
  const MaskStrides& at = a.allowed_at;
  const bool* p = a.allowed + n.b * at.batch + n.h * at.head + n.q0 * at.query + n.k0 * at.key;
  for (int64_t j = 0; j < n.nk; ++j, p += at.key, scores += line) {
    if (at.query == 0 && *p) continue;
    for (int64_t i = 0; i < n.nq; ++i)
      if (!p[i * at.query]) scores[i] = kMinusInfinity<T>;
  }
}

/// scores of j and i += rows[i, j], eight queries at a time: their rows may be a power of two
/// apart, so that lines of many of them would not fit the cache at once.
template <class T>
void add_rows(const T* rows, int64_t step, const Block& n, T* scores, int64_t line) {
  alignas(kVectorBytes) T strip[kBlockKeys * 8];
  int64_t i = 0;
  for (; i + 8 <= n.nq; i += 8) {
    transpose<8, 8>(n.nk, rows + i * step, step, strip);
    for (int64_t j = 0; j < n.nk; ++j)
#pragma omp simd
      for (int64_t l = 0; l < 8; ++l) scores[j * line + i + l] += strip[j * 8 + l];
  }
  for (; i < n.nq; ++i)
    for (int64_t j = 0; j < n.nk; ++j) scores[j * line + i] += rows[i * step + j];
}

/// bias: a.bias, or a direction in which it changes.
template <class T>
void add_bias(const T* bias, const MaskStrides& at, const Block& n, T* scores,
              int64_t line = kLine) {
  const T* p = bias + n.b * at.batch + n.h * at.head + n.q0 * at.query + n.k0 * at.key;
  if (at.key == 1 && at.query != 0) return add_rows(p, at.query, n, scores, line);
  for (int64_t j = 0; j < n.nk; ++j, p += at.key, scores += line)
    for (int64_t i = 0; i < n.nq; ++i) scores[i] += p[i * at.query];
}

template <class T>
void apply_causal(const Block& n, T* scores, int64_t line) {
  for (int64_t j = 0; j < n.nk; ++j) {
    const int64_t unseen = least(n.k0 + j - n.q0, n.nq);  // queries before key j
    for (int64_t i = 0; i < unseen; ++i) scores[j * line + i] = kMinusInfinity<T>;
  }
}

/// scores = scale K q, of a head's only query. In a block the lanes beyond it become zeros.
template <class T>
void score_one(const Attention<T>& a, const Block& n, const Strided<T>& k, T* scores,
               int64_t line) {
  constexpr int64_t kCount = Lanes<T>::count;
  const T* q = a.q + offset(a.q_at, n.b, n.h) + n.q0 * a.q_at.row;
  const int64_t whole = a.width / kCount * kCount, rest = a.width - whole;
  for (int64_t j = 0; j < n.nk; ++j, scores += line) {
    const T* key = k.data + j * k.row;
    typename Lanes<T>::type sum{};
    for (int64_t d = 0; d < whole; d += kCount) sum += load(q + d) * load(key + d);
    if (rest > 0) sum += load_some(q + whole, rest, T(0)) * load_some(key + whole, rest, T(0));
    if (line > 1) clear(scores, kCount);
    *scores = static_cast<T>(a.scale) * sum_of_lanes<T>(sum);
  }
}

/// scores = scale K Q^T + bias, -inf where it may not be attended to. k: rows [nk, width]. An only
/// query, as in decoding, would leave all lanes but one idle; one that is left over from whole
/// blocks has the bits of the others, however many queries are padded behind it.
template <class T>
void compute_scores(const Attention<T>& a, const Block& n, const Strided<T>& k,
                    const Panel<T>& q_transposed, T* scores, int64_t line = kLine) {
  if (a.queries == 1)
    score_one(a, n, k, scores, line);
  else
    multiply(n.nk, lanes_of<T>(n.nq), a.width, k, q_transposed,
             Scale<T>{static_cast<T>(a.scale), T(0)}, scores, line);
  if (a.bias) add_bias(a.bias, a.bias_at, n, scores, line);
  if (a.allowed) apply_allowed(a, n, scores, line);
  if (a.causal && n.k0 + n.nk > n.q0 + 1) apply_causal(n, scores, line);
}

/// out[t] = word t + shift of the eight words that are now's and then next's; shift in [0, 4).
WEFT_INLINE void shift_words(const Words (&now)[4], const Words (&next)[4], Words shift,
                             Words (&out)[4]) {
  const auto odd = (shift & 1) != 0, two = (shift & 2) != 0;
  const Words s0 = odd ? now[1] : now[0], s1 = odd ? now[2] : now[1];
  const Words s2 = odd ? now[3] : now[2], s3 = odd ? next[0] : now[3];
  const Words s4 = odd ? next[1] : next[0], s5 = odd ? next[2] : next[1];
  out[0] = two ? s2 : s0;
  out[1] = two ? s3 : s1;
  out[2] = two ? s4 : s2;
  out[3] = two ? s5 : s3;
}

/// The dropout words of a vector of queries, four keys at a time.
struct WordStream {
  uint64_t seed;
  Words position, shift, now[4];

  WordStream(RandomKey key, Words first)
      : seed(key.seed), position(first / 4 + key.offset), shift(first & 3) {
    philox_words(seed, position, now);
  }
  /// The words of the next four keys. Where the number of keys is odd each query starts at another
  /// word: four keys take words of two positions, the second of which serves the next four.
  WEFT_INLINE_LAMBDA void next(bool aligned, Words (&out)[4]) {
    Words after[4];
    position += 1;
    philox_words(seed, position, after);
    if (aligned)
      __builtin_memcpy(out, now, sizeof now);
    else
      shift_words(now, after, shift, out);
    __builtin_memcpy(now, after, sizeof now);
  }
};

/// mask[j, i] = keep ? 1 / (1 - p) : 0. Even and odd queries in two vectors, whose words
/// interleave into one vector of 32-bit numbers.
template <class T>
void dropout_mask(const Attention<T>& a, const Block& n, T* mask) {
  constexpr int64_t kWords = 2 * kPositions;
  const uint32_t threshold = dropout_threshold(a.dropout);
  const T keep = static_cast<T>(1 / (1 - a.dropout));
  const int64_t row = (n.b * a.heads + n.h) * a.queries + n.q0;
  const auto step = static_cast<uint64_t>(a.keys);
  const bool aligned = a.keys % 4 == 0;
  for (int64_t v = 0; v < n.nq; v += kWords) {
    const auto first = static_cast<uint64_t>((row + v) * a.keys + n.k0);
    WordStream even(a.key, sequence(first, 2 * step)), odd(a.key, sequence(first + step, 2 * step));
    for (int64_t j = 0; j < n.nk; j += 4) {
      Words w0[4], w1[4];
      even.next(aligned, w0);
      odd.next(aligned, w1);
      for (int t = 0; t < 4; ++t) {
        uint32_t words[kWords];
        const Words both = (w0[t] & 0xffffffff) | w1[t] << 32;
        __builtin_memcpy(words, &both, sizeof both);
        T* m = mask + (j + t) * kLine + v;
#pragma omp simd
        for (int64_t l = 0; l < kWords; ++l) m[l] = words[l] >= threshold ? keep : T(0);
      }
    }
  }
}

}  // namespace
}  // namespace weft::kernels::WEFT_ISA
