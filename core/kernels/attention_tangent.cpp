// How attention and its gradients move where its operands do: second order. A block of queries is
// taken past all keys three times: D and D' are sums over whole rows, and they must be sums of the
// very numbers that they are taken from. Where a query attends to one key alone nothing is then
// left but exact zeros, however large scores and values are. What the first pass made is kept for
// the others, so each product is made once. Formulas and names are those of attention.h.
#include <weft/core/kernels/attention_cells.h>

namespace weft::kernels::WEFT_ISA {
namespace {

/// Parts of the scratch memory.
template <class T>
struct Memory : Parts<T> {
  using Parts<T>::take;

  // [Tk, kLine]: P, S', G and G'; then P M, P' M, dS and dS'
  T *weights, *moved, *slope, *moved_slope;
  T* mask;  // [kBlockKeys, kLine]
  T *q_transposed, *moved_q_transposed, *dy_transposed;
  T *q, *moved_q, *dy;
  T *k, *moved_k, *v, *moved_v;  // panels of a block of keys

  static int64_t size(const Attention<T>& a) { return Memory(a, nullptr).taken(); }

  Memory(const Attention<T>& a, T* scratch)
      : Parts<T>(scratch),
        weights(take(a.keys * kLine)),
        moved(take(a.keys * kLine)),
        slope(take(a.keys * kLine)),
        moved_slope(take(a.keys * kLine)),
        mask(take(kBlockKeys * kLine)),
        q_transposed(take(panel_size<T>(a.width, kLine))),
        moved_q_transposed(take(panel_size<T>(a.width, kLine))),
        dy_transposed(take(panel_size<T>(a.value_width, kLine))),
        q(take(panel_size<T>(kLine, a.width))),
        moved_q(take(panel_size<T>(kLine, a.width))),
        dy(take(panel_size<T>(kLine, a.value_width))),
        k(take(panel_size<T>(kBlockKeys, a.width))),
        moved_k(take(panel_size<T>(kBlockKeys, a.width))),
        v(take(panel_size<T>(kBlockKeys, a.value_width))),
        moved_v(take(panel_size<T>(kBlockKeys, a.value_width))) {}
};

/// One cell of the grid: a head, its queries [first, past), and where its shares of dK' and dV' are
/// added up.
template <class T>
struct Cell {
  Block n;
  int64_t first, past;
  T *dk, *dv;
  int64_t dk_step, dv_step;
};

template <class T>
Cell<T> cell_at(const Attention<T>& a, const AttentionGrad<T>& g, const QueryGroups<T>& groups,
                int64_t index) {
  const int64_t head = index / groups.count;
  const int64_t group = group_of_rank(index % groups.count, groups.count);
  const int64_t blocks = (a.queries + kBlockQueries - 1) / kBlockQueries;
  Cell<T> cell;
  cell.n = Block{head / a.heads, head % a.heads, 0, 0, 0, 0};
  cell.first = blocks * group / groups.count * kBlockQueries;
  cell.past = least(a.queries, blocks * (group + 1) / groups.count * kBlockQueries);
  const int64_t rows = ((group - 1) * a.batch * a.heads + head) * a.keys;
  const bool own = group > 0;
  cell.dk = own ? groups.dk + rows * a.width : g.dk + offset(g.dk_at, cell.n.b, cell.n.h);
  cell.dv = own ? groups.dv + rows * a.value_width : g.dv + offset(g.dv_at, cell.n.b, cell.n.h);
  cell.dk_step = own ? a.width : g.dk_at.row;
  cell.dv_step = own ? a.value_width : g.dv_at.row;
  return cell;
}

/// Rows from `row` on of one head of an operand.
template <class T>
Strided<T> rows_of(const T* x, const HeadStrides& at, const Block& n, int64_t row) {
  return {x + offset(at, n.b, n.h) + row * at.row, at.row, 1};
}

/// x^T as the right operand of a product.
template <class T>
Panel<T> pack_transposed(int64_t rows, int64_t width, const Strided<T>& x, T* out) {
  return pack_panel(width, rows, Strided<T>{x.data, 1, x.row}, out);
}

/// What a block of queries brings along, and its sums over keys.
template <class T>
struct Queries {
  Panel<T> q_transposed, moved_q_transposed, dy_transposed, q, moved_q, dy;
  alignas(kVectorBytes) T top[kLine];
  alignas(kVectorBytes) T inverse[kLine];
  alignas(kVectorBytes) T mean[kLine];
  alignas(kVectorBytes) T dot[kLine];        // D
  alignas(kVectorBytes) T moved_dot[kLine];  // D'
};

template <class T>
void gather_queries(const Attention<T>& a, const AttentionGrad<T>& g, const AttentionTangent<T>& t,
                    const Block& n, const Memory<T>& m, Queries<T>& out) {
  const Strided<T> q = rows_of(a.q, a.q_at, n, n.q0), moved_q = rows_of(t.q, t.q_at, n, n.q0),
                   dy = rows_of(g.dy, g.dy_at, n, n.q0);
  out.q_transposed = pack_transposed(n.nq, a.width, q, m.q_transposed);
  out.moved_q_transposed = pack_transposed(n.nq, a.width, moved_q, m.moved_q_transposed);
  out.dy_transposed = pack_transposed(n.nq, a.value_width, dy, m.dy_transposed);
  out.q = pack_panel(n.nq, a.width, q, m.q);
  out.moved_q = pack_panel(n.nq, a.width, moved_q, m.moved_q);
  out.dy = pack_panel(n.nq, a.value_width, dy, m.dy);
  const int64_t row = (n.b * a.heads + n.h) * a.queries + n.q0;
  for (int64_t i = 0; i < lanes_of<T>(n.nq); ++i) {
    out.top[i] = i < n.nq ? g.top[row + i] : -kMinusInfinity<T>;  // a weight of 0
    out.inverse[i] = i < n.nq ? g.inverse[row + i] : T(0);
    out.mean[i] = out.dot[i] = out.moved_dot[i] = T(0);
  }
}

/// The block's part of scratch memory.
template <class T>
struct Rows {
  T *weights, *moved, *slope, *moved_slope;
  Rows(const Memory<T>& m, const Block& n)
      : weights(m.weights + n.k0 * kLine),
        moved(m.moved + n.k0 * kLine),
        slope(m.slope + n.k0 * kLine),
        moved_slope(m.moved_slope + n.k0 * kLine) {}
};

/// M, or a row of ones that all keys share. Returns the step between rows.
template <class T>
int64_t make_mask(const Attention<T>& a, const Block& n, T* mask) {
  if (a.dropout > 0) {
    dropout_mask(a, n, mask);
    return kLine;
  }
  for (int64_t i = 0; i < kLine; ++i) mask[i] = T(1);
  return 0;
}

/// S, S', dY V^T and dY V'^T; without gradients zeros stand for the last two.
template <class T>
void multiply_scores(const Attention<T>& a, const AttentionGrad<T>& g, const AttentionTangent<T>& t,
                     const Block& n, const Queries<T>& queries, const Rows<T>& out) {
  const Strided<T> k = rows_of(a.k, a.k_at, n, n.k0), moved_k = rows_of(t.k, t.k_at, n, n.k0);
  const int64_t lanes = lanes_of<T>(n.nq);
  const T scale = static_cast<T>(a.scale);
  const Scale<T> set{T(1), T(0)};
  compute_scores(a, n, k, queries.q_transposed, out.weights);
  multiply(n.nk, lanes, a.width, k, queries.moved_q_transposed, Scale<T>{scale, T(0)}, out.moved,
           kLine);
  multiply(n.nk, lanes, a.width, moved_k, queries.q_transposed, Scale<T>{scale, T(1)}, out.moved,
           kLine);
  if (t.bias) add_bias(t.bias, t.bias_at, n, out.moved);
  if (!g.dq) {
    clear(out.slope, n.nk * kLine);
    clear(out.moved_slope, n.nk * kLine);
    return;
  }
  multiply(n.nk, lanes, a.value_width, rows_of(a.v, a.v_at, n, n.k0), queries.dy_transposed, set,
           out.slope, kLine);
  multiply(n.nk, lanes, a.value_width, rows_of(t.v, t.v_at, n, n.k0), queries.dy_transposed, set,
           out.moved_slope, kLine);
}

/// The first pass: P, S', G and G' of a block, and its share of mean and D.
template <class T>
void first_pass(const Attention<T>& a, const AttentionGrad<T>& g, const AttentionTangent<T>& t,
                const Block& n, const Memory<T>& m, Queries<T>& queries) {
  const Rows<T> rows(m, n);
  multiply_scores(a, g, t, n, queries, rows);
  const int64_t step = make_mask(a, n, m.mask);
  const T *top = queries.top, *inverse = queries.inverse;
  T *mean = queries.mean, *dot = queries.dot;
  for (int64_t j = 0; j < n.nk; ++j) {
    T *p = rows.weights + j * kLine, *slope = rows.slope + j * kLine,
      *moved_slope = rows.moved_slope + j * kLine;
    const T *s = rows.moved + j * kLine, *mask = m.mask + j * step;
    each_lane<T>(lanes_of<T>(n.nq), [=](int64_t i) WEFT_INLINE_LAMBDA {
      p[i] = exp_below(p[i] - top[i]) * inverse[i];
      slope[i] *= mask[i];
      moved_slope[i] *= mask[i];
      mean[i] += p[i] * s[i];
      dot[i] += p[i] * slope[i];
    });
  }
}

/// The second: S' becomes P', G becomes G - D, and D' takes the block's share in.
template <class T>
void second_pass(const Block& n, const Memory<T>& m, Queries<T>& queries) {
  const Rows<T> rows(m, n);
  const T *mean = queries.mean, *dot = queries.dot;
  T* moved_dot = queries.moved_dot;
  for (int64_t j = 0; j < n.nk; ++j) {
    const T *p = rows.weights + j * kLine, *moved_slope = rows.moved_slope + j * kLine;
    T *moved = rows.moved + j * kLine, *slope = rows.slope + j * kLine;
    each_lane<T>(lanes_of<T>(n.nq), [=](int64_t i) WEFT_INLINE_LAMBDA {
      moved[i] = p[i] * (moved[i] - mean[i]);
      slope[i] -= dot[i];
      moved_dot[i] += moved[i] * slope[i] + p[i] * moved_slope[i];
    });
  }
}

/// The third: P M, P' M, dS and dS'.
template <class T>
void third_pass(const Attention<T>& a, const Block& n, const Memory<T>& m,
                const Queries<T>& queries) {
  const Rows<T> rows(m, n);
  const int64_t step = make_mask(a, n, m.mask);
  const T* moved_dot = queries.moved_dot;
  for (int64_t j = 0; j < n.nk; ++j) {
    T *p = rows.weights + j * kLine, *moved = rows.moved + j * kLine,
      *slope = rows.slope + j * kLine, *moved_slope = rows.moved_slope + j * kLine;
    const T* mask = m.mask + j * step;
    each_lane<T>(lanes_of<T>(n.nq), [=](int64_t i) WEFT_INLINE_LAMBDA {
      moved_slope[i] = moved[i] * slope[i] + p[i] * (moved_slope[i] - moved_dot[i]);
      slope[i] *= p[i];
      moved[i] *= mask[i];
      p[i] *= mask[i];
    });
  }
}

/// A block's share of Y'.
template <class T>
void add_to_output(const Attention<T>& a, const AttentionTangent<T>& t, const Block& n,
                   const Memory<T>& m) {
  const Rows<T> rows(m, n);
  const Scale<T> add{T(1), T(1)};
  const auto v = pack_panel(n.nk, a.value_width, rows_of(a.v, a.v_at, n, n.k0), m.v);
  const auto moved_v = pack_panel(n.nk, a.value_width, rows_of(t.v, t.v_at, n, n.k0), m.moved_v);
  T* y = t.y + offset(t.y_at, n.b, n.h) + n.q0 * t.y_at.row;
  multiply(n.nq, a.value_width, n.nk, Strided<T>{rows.moved, 1, kLine}, v, add, y, t.y_at.row);
  multiply(n.nq, a.value_width, n.nk, Strided<T>{rows.weights, 1, kLine}, moved_v, add, y,
           t.y_at.row);
}

/// A block's shares of dQ', dK' and dV', and its dbias'.
template <class T>
void add_to_gradients(const Attention<T>& a, const AttentionGrad<T>& g,
                      const AttentionTangent<T>& t, const Cell<T>& cell, const Memory<T>& m,
                      const Queries<T>& queries) {
  const Block& n = cell.n;
  const Rows<T> rows(m, n);
  const T *ds = rows.slope, *moved_ds = rows.moved_slope;
  if (g.dbias) write_dbias(a, n, moved_ds, g.dbias);
  const Scale<T> add{T(1), T(1)}, add_scaled{static_cast<T>(a.scale), T(1)};
  const auto k = pack_panel(n.nk, a.width, rows_of(a.k, a.k_at, n, n.k0), m.k);
  const auto moved_k = pack_panel(n.nk, a.width, rows_of(t.k, t.k_at, n, n.k0), m.moved_k);
  T* dq = g.dq + offset(g.dq_at, n.b, n.h) + n.q0 * g.dq_at.row;
  multiply(n.nq, a.width, n.nk, Strided<T>{moved_ds, 1, kLine}, k, add_scaled, dq, g.dq_at.row);
  multiply(n.nq, a.width, n.nk, Strided<T>{ds, 1, kLine}, moved_k, add_scaled, dq, g.dq_at.row);
  T* dk = cell.dk + n.k0 * cell.dk_step;
  multiply(n.nk, a.width, n.nq, Strided<T>{moved_ds, kLine, 1}, queries.q, add_scaled, dk,
           cell.dk_step);
  multiply(n.nk, a.width, n.nq, Strided<T>{ds, kLine, 1}, queries.moved_q, add_scaled, dk,
           cell.dk_step);
  multiply(n.nk, a.value_width, n.nq, Strided<T>{rows.moved, kLine, 1}, queries.dy, add,
           cell.dv + n.k0 * cell.dv_step, cell.dv_step);
}

/// f() for each block of keys that a query of n may attend to, else otherwise(); sets n.k0 and
/// n.nk.
template <class T, class F, class G>
WEFT_INLINE void each_block(const Attention<T>& a, Block& n, F f, G otherwise) {
  for (n.k0 = 0; n.k0 < a.keys; n.k0 += kBlockKeys) {
    n.nk = least(kBlockKeys, a.keys - n.k0);
    if (hidden(a, n))
      otherwise();
    else
      f();
  }
}

template <class T>
void move_block(const Attention<T>& a, const AttentionGrad<T>& g, const AttentionTangent<T>& t,
                const Memory<T>& m, Cell<T>& cell) {
  Block& n = cell.n;
  Queries<T> queries;
  gather_queries(a, g, t, n, m, queries);
  clear_rows(t.y + offset(t.y_at, n.b, n.h) + n.q0 * t.y_at.row, t.y_at.row, n.nq, a.value_width);
  if (g.dq)
    clear_rows(g.dq + offset(g.dq_at, n.b, n.h) + n.q0 * g.dq_at.row, g.dq_at.row, n.nq, a.width);
  const auto nothing = [] {};
  each_block(
      a, n, [&] { first_pass(a, g, t, n, m, queries); }, nothing);
  each_block(
      a, n, [&] { second_pass(n, m, queries); }, nothing);
  each_block(
      a, n,
      [&] {
        third_pass(a, n, m, queries);
        add_to_output(a, t, n, m);
        if (g.dq) add_to_gradients(a, g, t, cell, m, queries);
      },
      [&] {
        if (g.dbias) clear_dbias(a, n, g.dbias);
      });
}

template <class T>
void move_cell(const Attention<T>& a, const AttentionGrad<T>& g, const AttentionTangent<T>& t,
               const Memory<T>& m, Cell<T> cell) {
  if (g.dq) {
    clear_rows(cell.dk, cell.dk_step, a.keys, a.width);
    clear_rows(cell.dv, cell.dv_step, a.keys, a.value_width);
  }
  for (cell.n.q0 = cell.first; cell.n.q0 < cell.past; cell.n.q0 += kBlockQueries) {
    cell.n.nq = least(kBlockQueries, cell.past - cell.n.q0);
    move_block(a, g, t, m, cell);
  }
}

}  // namespace

template <class T>
int64_t attention_tangent_scratch(const Attention<T>& a) {
  return Memory<T>::size(a);
}

template <class T>
void attention_tangent_cells(const Attention<T>& a, const AttentionGrad<T>& g,
                             const AttentionTangent<T>& t, const QueryGroups<T>& groups, T* scratch,
                             int64_t first, int64_t last) {
  const Memory<T> memory(a, scratch);
  for (int64_t c = first; c < last; ++c) move_cell(a, g, t, memory, cell_at(a, g, groups, c));
}

WEFT_INSTANTIATE(attention_tangent_scratch, float, double)
WEFT_INSTANTIATE(attention_tangent_cells, float, double)

}  // namespace weft::kernels::WEFT_ISA
