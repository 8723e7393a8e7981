// Attention backward: the weights of each block are made again from the scores and lse.
#include <weft/core/kernels/attention_scores.h>

namespace weft::kernels::WEFT_ISA {
namespace {

/// Parts of the scratch memory.
template <class T>
struct Memory {
  T* weights;  // [kBlockKeys, kLine], and so the next two
  T* dweights;
  T* mask;
  T* q_transposed;
  T* dy_transposed;
  T* q;
  T* dy;
  T* k;  // of all keys, one after another by block

  static int64_t block_size() { return kBlockKeys * kLine; }
  static int64_t k_block_size(const Attention<T>& a) { return panel_size<T>(kBlockKeys, a.width); }
  static int64_t size(const Attention<T>& a) {
    const int64_t blocks = (a.keys + kBlockKeys - 1) / kBlockKeys;
    return 3 * block_size() + panel_size<T>(a.width, kLine) + panel_size<T>(a.value_width, kLine) +
           panel_size<T>(kLine, a.width) + panel_size<T>(kLine, a.value_width) +
           blocks * k_block_size(a);
  }
  Memory(const Attention<T>& a, T* scratch)
      : weights(scratch),
        dweights(weights + block_size()),
        mask(dweights + block_size()),
        q_transposed(mask + block_size()),
        dy_transposed(q_transposed + panel_size<T>(a.width, kLine)),
        q(dy_transposed + panel_size<T>(a.value_width, kLine)),
        dy(q + panel_size<T>(kLine, a.width)),
        k(dy + panel_size<T>(kLine, a.value_width)) {}
};

/// What a block of queries brings along.
template <class T>
struct Queries {
  Panel<T> q_transposed, dy_transposed, q, dy;
  alignas(kVectorBytes) T lse[kLine];
  alignas(kVectorBytes) T dot[kLine];  // D of attention.h
};

template <class T>
void fill_rows(T* y, int64_t step, int64_t rows, int64_t n) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t d = 0; d < n; ++d) y[i * step + d] = T(0);
}

template <class T>
void gather(const Attention<T>& a, const AttentionGrad<T>& g, const Block& n, const Memory<T>& m,
            Queries<T>& out) {
  const T* q = a.q + offset(a.q_at, n.b, n.h) + n.q0 * a.q_at.row;
  const T* y = g.y + offset(g.y_at, n.b, n.h) + n.q0 * g.y_at.row;
  const T* dy = g.dy + offset(g.dy_at, n.b, n.h) + n.q0 * g.dy_at.row;
  const T* lse = g.lse + (n.b * a.heads + n.h) * a.queries + n.q0;
  out.q_transposed = pack_panel(a.width, n.nq, Strided<T>{q, 1, a.q_at.row}, m.q_transposed);
  out.dy_transposed =
      pack_panel(a.value_width, n.nq, Strided<T>{dy, 1, g.dy_at.row}, m.dy_transposed);
  out.q = pack_panel(n.nq, a.width, Strided<T>{q, a.q_at.row, 1}, m.q);
  out.dy = pack_panel(n.nq, a.value_width, Strided<T>{dy, g.dy_at.row, 1}, m.dy);
  for (int64_t i = 0; i < kLine; ++i) {
    out.lse[i] = i < n.nq ? lse[i] : -kMinusInfinity<T>;  // a weight of 0
    T dot = 0;
    if (i < n.nq) {
#pragma omp simd reduction(+ : dot)
      for (int64_t d = 0; d < a.value_width; ++d)
        dot += y[i * g.y_at.row + d] * dy[i * g.dy_at.row + d];
    }
    out.dot[i] = dot;
  }
}

/// From scores and dropout(P)'s gradient: weights become dropout(P), dweights become dS.
template <class T>
void through_softmax(const Attention<T>& a, const Block& n, const Memory<T>& m,
                     const Queries<T>& queries) {
  const T *lse = queries.lse, *dot = queries.dot;
  const int64_t lanes = lanes_of<T>(n.nq);
  if (a.dropout > 0) dropout_mask(a, n, m.mask);
  for (int64_t j = 0; j < n.nk; ++j) {
    T *p = m.weights + j * kLine, *d = m.dweights + j * kLine;
    if (a.dropout > 0) {
      const T* mask = m.mask + j * kLine;
      each_lane<T>(lanes, [=](int64_t i) WEFT_INLINE_LAMBDA {
        const T weight = exp_below(p[i] - lse[i]);
        p[i] = weight * mask[i];
        d[i] = weight * (mask[i] * d[i] - dot[i]);
      });
    } else {
      each_lane<T>(lanes, [=](int64_t i) WEFT_INLINE_LAMBDA {
        p[i] = exp_below(p[i] - lse[i]);
        d[i] = p[i] * (d[i] - dot[i]);
      });
    }
  }
}

template <class T>
void write_dbias(const Attention<T>& a, const Block& n, const T* ds, T* dbias) {
  T* out = dbias + ((n.b * a.heads + n.h) * a.queries + n.q0) * a.keys + n.k0;
  for (int64_t i = 0; i < n.nq; ++i)
    for (int64_t j = 0; j < n.nk; ++j) out[i * a.keys + j] = ds[j * kLine + i];
}

/// Adds one block's share to dq, dk and dv, which point at the head.
template <class T>
void add_block(const Attention<T>& a, const AttentionGrad<T>& g, const Block& n, const Memory<T>& m,
               const Queries<T>& queries, const Panel<T>& k, T* dq, T* dk, T* dv) {
  const int64_t lanes = lanes_of<T>(n.nq);
  const T* k_rows = a.k + offset(a.k_at, n.b, n.h) + n.k0 * a.k_at.row;
  const T* v_rows = a.v + offset(a.v_at, n.b, n.h) + n.k0 * a.v_at.row;
  const Scale<T> add{T(1), T(1)}, add_scaled{static_cast<T>(a.scale), T(1)};
  compute_scores(a, n, Strided<T>{k_rows, a.k_at.row, 1}, queries.q_transposed, m.weights);
  multiply(n.nk, lanes, a.value_width, Strided<T>{v_rows, a.v_at.row, 1}, queries.dy_transposed,
           Scale<T>{T(1), T(0)}, m.dweights, kLine);
  through_softmax(a, n, m, queries);
  if (g.dbias) write_dbias(a, n, m.dweights, g.dbias);
  multiply(n.nk, a.value_width, n.nq, Strided<T>{m.weights, kLine, 1}, queries.dy, add,
           dv + n.k0 * g.dv_at.row, g.dv_at.row);
  multiply(n.nk, a.width, n.nq, Strided<T>{m.dweights, kLine, 1}, queries.q, add_scaled,
           dk + n.k0 * g.dk_at.row, g.dk_at.row);
  multiply(n.nq, a.width, n.nk, Strided<T>{m.dweights, 1, kLine}, k, add_scaled,
           dq + n.q0 * g.dq_at.row, g.dq_at.row);
}

template <class T>
void grad_of_head(const Attention<T>& a, const AttentionGrad<T>& g, const Memory<T>& m, int64_t b,
                  int64_t h) {
  T* dq = g.dq + offset(g.dq_at, b, h);
  T* dk = g.dk + offset(g.dk_at, b, h);
  T* dv = g.dv + offset(g.dv_at, b, h);
  const T* k = a.k + offset(a.k_at, b, h);
  fill_rows(dq, g.dq_at.row, a.queries, a.width);
  fill_rows(dk, g.dk_at.row, a.keys, a.width);
  fill_rows(dv, g.dv_at.row, a.keys, a.value_width);
  if (g.dbias)
    fill_rows(g.dbias + (b * a.heads + h) * a.queries * a.keys, a.keys, a.queries, a.keys);
  for (int64_t k0 = 0; k0 < a.keys; k0 += kBlockKeys)
    pack_panel(least(kBlockKeys, a.keys - k0), a.width,
               Strided<T>{k + k0 * a.k_at.row, a.k_at.row, 1},
               m.k + k0 / kBlockKeys * Memory<T>::k_block_size(a));
  for (int64_t q0 = 0; q0 < a.queries; q0 += kBlockQueries) {
    Block n{b, h, q0, least(kBlockQueries, a.queries - q0), 0, 0};
    Queries<T> queries;
    gather(a, g, n, m, queries);
    for (n.k0 = 0; n.k0 < a.keys; n.k0 += kBlockKeys) {
      n.nk = least(kBlockKeys, a.keys - n.k0);
      if (hidden(a, n)) continue;
      const Panel<T> panel{m.k + n.k0 / kBlockKeys * Memory<T>::k_block_size(a), kTileColumns<T>,
                           n.nk * kTileColumns<T>};
      add_block(a, g, n, m, queries, panel, dq, dk, dv);
    }
  }
}

}  // namespace

template <class T>
int64_t attention_grad_scratch(const Attention<T>& a) {
  return Memory<T>::size(a);
}

template <class T>
void attention_grad_heads(const Attention<T>& a, const AttentionGrad<T>& g, T* scratch,
                          int64_t first, int64_t last) {
  const Memory<T> memory(a, scratch);
  for (int64_t head = first; head < last; ++head)
    grad_of_head(a, g, memory, head / a.heads, head % a.heads);
}

#define WEFT_INSTANTIATE(T)                                                                     \
  template int64_t attention_grad_scratch(const Attention<T>&);                                 \
  template void attention_grad_heads(const Attention<T>&, const AttentionGrad<T>&, T*, int64_t, \
                                     int64_t);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)

}  // namespace weft::kernels::WEFT_ISA
