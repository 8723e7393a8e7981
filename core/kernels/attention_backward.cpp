// Attention backward: the weights of each block are made again from the scores.
#include <weft/core/kernels/attention_cells.h>

namespace weft::kernels::WEFT_ISA {
namespace {

/// Keys that are worked on together, by all queries, while they and their gradients stay in L2.
constexpr int64_t kChunk = 4 * kBlockKeys;

/// Parts of the scratch memory.
template <class T>
struct Memory : Parts<T> {
  using Parts<T>::take;

  T* weights;  // [kBlockKeys, kLine], and so the next two
  T* dweights;
  T* mask;
  T* q_transposed;
  T* dy_transposed;
  T* q;
  T* dy;
  T* k_panel;  // of a chunk of keys, one after another by block
  T* k;        // rows of a chunk, and so the next three
  T* dk;
  T* v;
  T* dv;

  static int64_t block_size() { return kBlockKeys * kLine; }
  static int64_t k_panel_size(const Attention<T>& a) { return panel_size<T>(kBlockKeys, a.width); }
  static int64_t size(const Attention<T>& a) { return Memory(a, nullptr).taken(); }

  Memory(const Attention<T>& a, T* scratch)
      : Parts<T>(scratch),
        weights(take(block_size())),
        dweights(take(block_size())),
        mask(take(block_size())),
        q_transposed(take(panel_size<T>(a.width, kLine))),
        dy_transposed(take(panel_size<T>(a.value_width, kLine))),
        q(take(panel_size<T>(kLine, a.width))),
        dy(take(panel_size<T>(kLine, a.value_width))),
        k_panel(take(kChunk / kBlockKeys * k_panel_size(a))),
        k(take(kChunk * a.width)),
        dk(take(kChunk * a.width)),
        v(take(kChunk * a.value_width)),
        dv(take(kChunk * a.value_width)) {}
};

/// What a block of queries brings along.
template <class T>
struct Queries {
  Panel<T> q_transposed, dy_transposed, q, dy;
  alignas(kVectorBytes) T top[kLine];
  alignas(kVectorBytes) T inverse[kLine];
  alignas(kVectorBytes) T dot[kLine];  // D of attention.h
};

/// A panel of b that is read `once`, or again and again.
template <class T>
Panel<T> panel(bool once, int64_t k, int64_t n, const Strided<T>& b, T* out) {
  return once ? borrow_panel(k, n, b, out) : pack_panel(k, n, b, out);
}

/// A chunk of keys: their rows and panels, and where their gradients are added up.
template <class T>
struct Keys {
  int64_t first, count;
  Strided<T> k, v;
  T *dk, *dv;
  int64_t dk_step, dv_step;
  Panel<T> k_panels[kChunk / kBlockKeys];
};

template <class T>
void copy_rows(const T* x, int64_t step, int64_t rows, int64_t n, T* y, int64_t step_y) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t d = 0; d < n; ++d) y[i * step_y + d] = x[i * step + d];
}

/// One cell of the grid: a head, its keys [first, past), and where its share of dq is added up.
template <class T>
struct Cell {
  Block n;
  int64_t first, past;
  T* dq;
  int64_t dq_step;
};

template <class T>
Cell<T> cell_at(const Attention<T>& a, const AttentionGrad<T>& g, const KeyGroups<T>& groups,
                int64_t index) {
  const int64_t head = index / groups.count;
  const int64_t group = group_of_rank(index % groups.count, groups.count);
  const int64_t blocks = (a.keys + kBlockKeys - 1) / kBlockKeys;
  Cell<T> cell;
  cell.n = Block{head / a.heads, head % a.heads, 0, 0, 0, 0};
  cell.first = blocks * group / groups.count * kBlockKeys;
  cell.past = least(a.keys, blocks * (group + 1) / groups.count * kBlockKeys);
  const int64_t part = (group - 1) * a.batch * a.heads + head;
  cell.dq = group == 0 ? g.dq + offset(g.dq_at, cell.n.b, cell.n.h)
                       : groups.dq + part * a.queries * a.width;
  cell.dq_step = group == 0 ? g.dq_at.row : a.width;
  return cell;
}

/// The first query, at the start of a block, that may attend to keys from `key` on.
template <class T>
int64_t first_query(const Attention<T>& a, int64_t key) {
  return a.causal ? least(key / kBlockQueries * kBlockQueries, a.queries) : 0;
}

/// Gets a chunk ready. Several blocks of queries: rows and gradients stand in scratch memory, close
/// together; one block: where they are.
template <class T>
Keys<T> gather_keys(const Attention<T>& a, const AttentionGrad<T>& g, const Memory<T>& m,
                    const Cell<T>& cell, int64_t first) {
  const Block& n = cell.n;
  const bool once = a.queries <= kBlockQueries;
  const int64_t count = least(kChunk, cell.past - first);
  const T* k = a.k + offset(a.k_at, n.b, n.h) + first * a.k_at.row;
  const T* v = a.v + offset(a.v_at, n.b, n.h) + first * a.v_at.row;
  Keys<T> out;
  out.first = first;
  out.count = count;
  out.k = once ? Strided<T>{k, a.k_at.row, 1} : Strided<T>{m.k, a.width, 1};
  out.v = once ? Strided<T>{v, a.v_at.row, 1} : Strided<T>{m.v, a.value_width, 1};
  out.dk = once ? g.dk + offset(g.dk_at, n.b, n.h) + first * g.dk_at.row : m.dk;
  out.dv = once ? g.dv + offset(g.dv_at, n.b, n.h) + first * g.dv_at.row : m.dv;
  out.dk_step = once ? g.dk_at.row : a.width;
  out.dv_step = once ? g.dv_at.row : a.value_width;
  for (int64_t j = 0; j < count; j += kBlockKeys)
    out.k_panels[j / kBlockKeys] = panel(once, least(kBlockKeys, count - j), a.width,
                                         Strided<T>{k + j * a.k_at.row, a.k_at.row, 1},
                                         m.k_panel + j / kBlockKeys * Memory<T>::k_panel_size(a));
  if (!once) {
    copy_rows(k, a.k_at.row, count, a.width, m.k, a.width);
    copy_rows(v, a.v_at.row, count, a.value_width, m.v, a.value_width);
  }
  clear_rows(out.dk, out.dk_step, count, a.width);
  clear_rows(out.dv, out.dv_step, count, a.value_width);
  return out;
}

/// Moves a chunk's gradients to where they belong, if they are not there.
template <class T>
void scatter_keys(const Attention<T>& a, const AttentionGrad<T>& g, const Block& n,
                  const Keys<T>& keys) {
  T* dk = g.dk + offset(g.dk_at, n.b, n.h) + keys.first * g.dk_at.row;
  T* dv = g.dv + offset(g.dv_at, n.b, n.h) + keys.first * g.dv_at.row;
  if (keys.dk == dk) return;
  copy_rows(keys.dk, keys.dk_step, keys.count, a.width, dk, g.dk_at.row);
  copy_rows(keys.dv, keys.dv_step, keys.count, a.value_width, dv, g.dv_at.row);
}

template <class T>
WEFT_INLINE T dot(const T* x, const T* y, int64_t n) {
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t d = 0; d < n; ++d) total += x[d] * y[d];
  return total;
}

template <class T>
void gather_queries(const Attention<T>& a, const AttentionGrad<T>& g, const Block& n,
                    const Memory<T>& m, Queries<T>& out) {
  const T* q = a.q + offset(a.q_at, n.b, n.h) + n.q0 * a.q_at.row;
  const T* y = g.y + offset(g.y_at, n.b, n.h) + n.q0 * g.y_at.row;
  const T* dy = g.dy + offset(g.dy_at, n.b, n.h) + n.q0 * g.dy_at.row;
  const int64_t row = (n.b * a.heads + n.h) * a.queries + n.q0;
  out.q_transposed = pack_panel(a.width, n.nq, Strided<T>{q, 1, a.q_at.row}, m.q_transposed);
  out.dy_transposed =
      pack_panel(a.value_width, n.nq, Strided<T>{dy, 1, g.dy_at.row}, m.dy_transposed);
  const bool once = a.keys <= kBlockKeys;
  out.q = panel(once, n.nq, a.width, Strided<T>{q, a.q_at.row, 1}, m.q);
  out.dy = panel(once, n.nq, a.value_width, Strided<T>{dy, g.dy_at.row, 1}, m.dy);
  for (int64_t i = 0; i < lanes_of<T>(n.nq); ++i) {
    out.top[i] = i < n.nq ? g.top[row + i] : -kMinusInfinity<T>;  // a weight of 0
    out.inverse[i] = i < n.nq ? g.inverse[row + i] : T(0);
    out.dot[i] = i < n.nq ? dot(y + i * g.y_at.row, dy + i * g.dy_at.row, a.value_width) : T(0);
  }
}

/// From scores and dropout(P)'s gradient: weights become dropout(P), dweights become dS.
template <class T>
void through_softmax(const Attention<T>& a, const Block& n, const Memory<T>& m,
                     const Queries<T>& queries) {
  const T *top = queries.top, *inverse = queries.inverse, *dot = queries.dot;
  const int64_t lanes = lanes_of<T>(n.nq);
  if (a.dropout > 0) dropout_mask(a, n, m.mask);
  for (int64_t j = 0; j < n.nk; ++j) {
    T *p = m.weights + j * kLine, *d = m.dweights + j * kLine;
    if (a.dropout > 0) {
      const T* mask = m.mask + j * kLine;
      each_lane<T>(lanes, [=](int64_t i) WEFT_INLINE_LAMBDA {
        const T weight = exp_below(p[i] - top[i]) * inverse[i];
        p[i] = weight * mask[i];
        d[i] = weight * (mask[i] * d[i] - dot[i]);
      });
    } else {
      each_lane<T>(lanes, [=](int64_t i) WEFT_INLINE_LAMBDA {
        p[i] = exp_below(p[i] - top[i]) * inverse[i];
        d[i] = p[i] * (d[i] - dot[i]);
      });
    }
  }
}

/// Adds one block's share to dq and the chunk's dk and dv.
template <class T>
void add_block(const Attention<T>& a, const AttentionGrad<T>& g, const Cell<T>& cell,
               const Memory<T>& m, const Queries<T>& queries, const Keys<T>& keys) {
  const Block& n = cell.n;
  const int64_t lanes = lanes_of<T>(n.nq), j = n.k0 - keys.first;
  const Scale<T> add{T(1), T(1)}, add_scaled{static_cast<T>(a.scale), T(1)};
  compute_scores(a, n, Strided<T>{keys.k.data + j * keys.k.row, keys.k.row, 1},
                 queries.q_transposed, m.weights);
  multiply(n.nk, lanes, a.value_width, Strided<T>{keys.v.data + j * keys.v.row, keys.v.row, 1},
           queries.dy_transposed, Scale<T>{T(1), T(0)}, m.dweights, kLine);
  through_softmax(a, n, m, queries);
  if (g.dbias) write_dbias(a, n, m.dweights, g.dbias);
  multiply(n.nk, a.value_width, n.nq, Strided<T>{m.weights, kLine, 1}, queries.dy, add,
           keys.dv + j * keys.dv_step, keys.dv_step);
  multiply(n.nk, a.width, n.nq, Strided<T>{m.dweights, kLine, 1}, queries.q, add_scaled,
           keys.dk + j * keys.dk_step, keys.dk_step);
  multiply(n.nq, a.width, n.nk, Strided<T>{m.dweights, 1, kLine}, keys.k_panels[j / kBlockKeys],
           add_scaled, cell.dq + n.q0 * cell.dq_step, cell.dq_step);
}

template <class T>
void grad_of_cell(const Attention<T>& a, const AttentionGrad<T>& g, const Memory<T>& m,
                  Cell<T> cell) {
  Block& n = cell.n;
  clear_rows(cell.dq, cell.dq_step, a.queries, a.width);
  for (int64_t first = cell.first; first < cell.past; first += kChunk) {
    const Keys<T> keys = gather_keys(a, g, m, cell, first);
    n.q0 = first_query(a, first);
    if (g.dbias) clear_dbias(a, Block{n.b, n.h, 0, n.q0, first, keys.count}, g.dbias);
    for (; n.q0 < a.queries; n.q0 += kBlockQueries) {
      n.nq = least(kBlockQueries, a.queries - n.q0);
      Queries<T> queries;
      gather_queries(a, g, n, m, queries);
      for (n.k0 = first; n.k0 < first + keys.count; n.k0 += kBlockKeys) {
        n.nk = least(kBlockKeys, first + keys.count - n.k0);
        if (!hidden(a, n))
          add_block(a, g, cell, m, queries, keys);
        else if (g.dbias)
          clear_dbias(a, n, g.dbias);
      }
    }
    scatter_keys(a, g, n, keys);
  }
}

}  // namespace

template <class T>
int64_t attention_grad_scratch(const Attention<T>& a) {
  return Memory<T>::size(a);
}

template <class T>
void attention_grad_cells(const Attention<T>& a, const AttentionGrad<T>& g,
                          const KeyGroups<T>& groups, T* scratch, int64_t first, int64_t last) {
  const Memory<T> memory(a, scratch);
  for (int64_t c = first; c < last; ++c) grad_of_cell(a, g, memory, cell_at(a, g, groups, c));
}

WEFT_INSTANTIATE(attention_grad_scratch, float, double)
WEFT_INSTANTIATE(attention_grad_cells, float, double)

}  // namespace weft::kernels::WEFT_ISA
