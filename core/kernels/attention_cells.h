// How attention's backward and its tangent are cut into cells, and what both do in one. Compiled
// per instruction set.
#pragma once

#include <weft/core/kernels/attention_scores.h>

namespace weft::kernels::WEFT_ISA {
namespace {

/// Cuts memory into parts of whole vectors, or of none (null) only counts them.
template <class T>
class Parts {
 public:
  explicit Parts(T* memory) : memory_(memory) {}
  T* take(int64_t n) {
    T* part = memory_ ? memory_ + taken_ : nullptr;
    taken_ += lanes_of<T>(n);
    return part;
  }
  int64_t taken() const { return taken_; }

 private:
  T* memory_;
  int64_t taken_ = 0;
};

template <class T>
void clear_rows(T* y, int64_t step, int64_t rows, int64_t n) {
  for (int64_t i = 0; i < rows; ++i) clear(y + i * step, n);
}

/// The groups of a head in an order that alternates between its first and its last ones: under a
/// causal mask these have the most and the least work, and a thread takes neighbours.
WEFT_INLINE int64_t group_of_rank(int64_t rank, int64_t count) {
  return rank % 2 ? count - 1 - rank / 2 : rank / 2;
}

/// Where a block begins in [B, H, Tq, Tk].
template <class T>
T* of_block(const Attention<T>& a, const Block& n, T* all) {
  return all + ((n.b * a.heads + n.h) * a.queries + n.q0) * a.keys + n.k0;
}

template <class T>
void clear_dbias(const Attention<T>& a, const Block& n, T* dbias) {
  clear_rows(of_block(a, n, dbias), a.keys, n.nq, n.nk);
}

/// A few columns at a time: rows of dbias may be a power of two apart, so that lines of many of
/// them would not fit the cache at once.
template <class T>
void write_dbias(const Attention<T>& a, const Block& n, const T* ds, T* dbias) {
  constexpr int64_t kColumns = 16;
  alignas(kVectorBytes) T strip[kLine * kColumns];
  T* out = of_block(a, n, dbias);
  int64_t j = 0;
  for (; j + kColumns <= n.nk; j += kColumns, out += kColumns) {
    transpose<8, kColumns>(n.nq, ds + j * kLine, kLine, strip);
    transpose<8, kColumns>(n.nq, ds + (j + 8) * kLine, kLine, strip + 8);
    for (int64_t i = 0; i < n.nq; ++i)
      __builtin_memcpy(out + i * a.keys, strip + i * kColumns, kColumns * sizeof(T));
  }
  for (; j < n.nk; ++j, ++out)
    for (int64_t i = 0; i < n.nq; ++i) out[i * a.keys] = ds[j * kLine + i];
}

}  // namespace
}  // namespace weft::kernels::WEFT_ISA
