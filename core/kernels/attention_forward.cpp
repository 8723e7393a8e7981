// Attention forward: for each block of queries, an online softmax over the blocks of keys.
#include <weft/core/kernels/attention_scores.h>

namespace weft::kernels::WEFT_ISA {
namespace {

/// Parts of the scratch memory.
template <class T>
struct Memory {
  T* scores;  // [kBlockKeys, kLine]
  T* mask;    // the same, with dropout
  T* q_panel;
  T* v_panel;  // of all keys, one after another by block

  static int64_t block_size() { return kBlockKeys * kLine; }
  static int64_t v_block_size(const Attention<T>& a) {
    return panel_size<T>(kBlockKeys, a.value_width);
  }
  static int64_t size(const Attention<T>& a) {
    const int64_t blocks = (a.keys + kBlockKeys - 1) / kBlockKeys;
    return 2 * block_size() + panel_size<T>(a.width, kLine) + blocks * v_block_size(a);
  }
  Memory(const Attention<T>& a, T* scratch)
      : scores(scratch),
        mask(scores + block_size()),
        q_panel(mask + block_size()),
        v_panel(q_panel + panel_size<T>(a.width, kLine)) {}
};

/// The state of the online softmax, per query: sum_j exp(S_ij - top_i) of the keys so far.
template <class T>
struct Running {
  alignas(kVectorBytes) T top[kLine];
  alignas(kVectorBytes) T sum[kLine];
  alignas(kVectorBytes) T shift[kLine];   // top, or 0 while nothing was seen
  alignas(kVectorBytes) T shrink[kLine];  // what earlier sums are multiplied with
};

/// scores become exp(scores - shift); r takes these keys in.
template <class T>
void take_in(int64_t keys, int64_t lanes, T* scores, Running<T>& r) {
  for (int64_t v = 0; v < lanes; v += Lanes<T>::count) {
    auto top = load(r.top + v);
    for (int64_t j = 0; j < keys; ++j) {
      const auto s = load(scores + j * kLine + v);
      top = s > top ? s : top;
    }
    T before[Lanes<T>::count];
    store(before, load(r.top + v));
    store(r.top + v, top);
#pragma omp simd
    for (int64_t l = 0; l < Lanes<T>::count; ++l) {
      const T t = r.top[v + l];
      r.shift[v + l] = t == kMinusInfinity<T> ? T(0) : t;
      r.shrink[v + l] = exp_below(before[l] - r.shift[v + l]);
    }
    auto sum = load(r.sum + v) * load(r.shrink + v);
    for (int64_t j = 0; j < keys; ++j) {
      T* s = scores + j * kLine + v;
#pragma omp simd
      for (int64_t l = 0; l < Lanes<T>::count; ++l) s[l] = exp_below(s[l] - r.shift[v + l]);
      sum += load(s);
    }
    store(r.sum + v, sum);
  }
}

template <class T>
void scale_rows(int64_t rows, int64_t n, const T* factor, T* y, int64_t step) {
  for (int64_t i = 0; i < rows; ++i, y += step) {
    const T f = factor[i];
    if (f == T(1)) continue;
#pragma omp simd
    for (int64_t d = 0; d < n; ++d) y[d] *= f;
  }
}

/// y = sums / r.sum, and what backward needs of the softmax.
template <class T>
void finish(const Attention<T>& a, int64_t nq, const Running<T>& r, T* y, int64_t step,
            const SoftmaxRows<T>& rows) {
  for (int64_t i = 0; i < nq; ++i) {
    rows.top[i] = r.sum[i] == T(0) ? -kMinusInfinity<T> : r.top[i];
    rows.inverse[i] = r.sum[i] == T(0) ? T(0) : T(1) / r.sum[i];
  }
  scale_rows(nq, a.value_width, rows.inverse, y, step);
}

template <class T>
void drop(const Block& n, int64_t lanes, const T* mask, T* weights) {
  for (int64_t j = 0; j < n.nk; ++j, mask += kLine, weights += kLine)
    each_lane<T>(lanes, [=](int64_t i) WEFT_INLINE_LAMBDA { weights[i] *= mask[i]; });
}

/// One block of queries against all keys. v(k0, nk) is the panel of a block of values.
template <class T, class Values>
void attend(const Attention<T>& a, Block n, const Memory<T>& memory, Values v, T* y, int64_t step,
            const SoftmaxRows<T>& rows) {
  const int64_t lanes = lanes_of<T>(n.nq);
  const T* q = a.q + offset(a.q_at, n.b, n.h) + n.q0 * a.q_at.row;
  const T* k = a.k + offset(a.k_at, n.b, n.h);
  const auto panel = pack_panel(a.width, n.nq, Strided<T>{q, 1, a.q_at.row}, memory.q_panel);
  Running<T> running;
  for (int64_t i = 0; i < lanes; ++i) {
    running.top[i] = kMinusInfinity<T>;
    running.sum[i] = T(0);
  }
  for (int64_t i = 0; i < n.nq; ++i) clear(y + i * step, a.value_width);

  for (n.k0 = 0; n.k0 < a.keys; n.k0 += kBlockKeys) {
    n.nk = least(kBlockKeys, a.keys - n.k0);
    if (hidden(a, n)) continue;
    compute_scores(a, n, Strided<T>{k + n.k0 * a.k_at.row, a.k_at.row, 1}, panel, memory.scores);
    take_in(n.nk, lanes, memory.scores, running);
    if (a.dropout > 0) {
      dropout_mask(a, n, memory.mask);
      drop(n, lanes, memory.mask, memory.scores);
    }
    scale_rows(n.nq, a.value_width, running.shrink, y, step);
    multiply(n.nq, a.value_width, n.nk, Strided<T>{memory.scores, 1, kLine}, v(n.k0, n.nk),
             Scale<T>{T(1), T(1)}, y, step);
  }
  finish(a, n.nq, running, y, step, rows);
}

/// The only query of a head against all keys, whose scores stand in a row: one softmax of them all.
template <class T, class Values>
void attend_one(const Attention<T>& a, const Block& n, T* scores, Values v, T* y,
                const SoftmaxRows<T>& rows) {
  const T* k = a.k + offset(a.k_at, n.b, n.h);
  compute_scores(a, n, Strided<T>{k, a.k_at.row, 1}, Panel<T>{}, scores, 1);
  const int64_t lanes = lanes_of<T>(a.keys);
  for (int64_t j = a.keys; j < lanes; ++j) scores[j] = kMinusInfinity<T>;
  const T top = extreme_of<true>(scores, lanes), shift = top == kMinusInfinity<T> ? T(0) : top;
  typename Lanes<T>::type sums{};
  for (int64_t j = 0; j < lanes; j += Lanes<T>::count) {
    each_lane<T>(Lanes<T>::count, [=, s = scores + j](int64_t l)
                                      WEFT_INLINE_LAMBDA { s[l] = exp_below(s[l] - shift); });
    sums += load(scores + j);
  }
  const T sum = sum_of_lanes<T>(sums);
  *rows.top = sum == T(0) ? -kMinusInfinity<T> : top;
  *rows.inverse = sum == T(0) ? T(0) : T(1) / sum;
  for (int64_t k0 = 0; k0 < a.keys; k0 += kBlockKeys) {
    const int64_t nk = least(kBlockKeys, a.keys - k0);
    multiply(1, a.value_width, nk, Strided<T>{scores + k0, 1, 1}, v(k0, nk),
             Scale<T>{*rows.inverse, k0 == 0 ? T(0) : T(1)}, y, a.value_width);
  }
}

template <class T>
bool is_single(const Attention<T>& a) {
  return a.queries == 1 && a.keys > 0 && a.dropout == 0;
}

template <class T>
void attend_singles(const Attention<T>& a, T* y, HeadStrides y_at, const SoftmaxRows<T>& rows,
                    T* scratch, int64_t first, int64_t last) {
  T* panel = scratch + lanes_of<T>(a.keys);
  for (int64_t head = first; head < last; ++head) {
    const Block n{head / a.heads, head % a.heads, 0, 1, 0, a.keys};
    const T* v = a.v + offset(a.v_at, n.b, n.h);
    auto values = [&](int64_t k0, int64_t nk) {
      return borrow_panel(nk, a.value_width, Strided<T>{v + k0 * a.v_at.row, a.v_at.row, 1}, panel);
    };
    attend_one(a, n, scratch, values, y + offset(y_at, n.b, n.h),
               SoftmaxRows<T>{rows.top + head, rows.inverse + head});
  }
}

}  // namespace

template <class T>
int64_t attention_scratch(const Attention<T>& a) {
  return is_single(a) ? lanes_of<T>(a.keys) + panel_size<T>(kBlockKeys, a.value_width)
                      : Memory<T>::size(a);
}

template <class T>
void attention_blocks(const Attention<T>& a, T* y, HeadStrides y_at, const SoftmaxRows<T>& rows,
                      T* scratch, int64_t first, int64_t last) {
  if (is_single(a)) return attend_singles(a, y, y_at, rows, scratch, first, last);
  const Memory<T> memory(a, scratch);
  const int64_t blocks = (a.queries + kBlockQueries - 1) / kBlockQueries;
  int64_t packed_head = -1;
  for (int64_t r = first; r < last; ++r) {
    const int64_t head = r / blocks, q0 = r % blocks * kBlockQueries;
    const Block n{head / a.heads, head % a.heads, q0, least(kBlockQueries, a.queries - q0), 0, 0};
    const T* v = a.v + offset(a.v_at, n.b, n.h);
    auto part = [&](int64_t k0) { return Strided<T>{v + k0 * a.v_at.row, a.v_at.row, 1}; };
    auto room = [&](int64_t k0) {
      return memory.v_panel + k0 / kBlockKeys * Memory<T>::v_block_size(a);
    };
    const bool shared = blocks > 1;  // several blocks of queries read the same values
    if (shared && packed_head != head) {
      for (int64_t k0 = 0; k0 < a.keys; k0 += kBlockKeys)
        pack_panel(least(kBlockKeys, a.keys - k0), a.value_width, part(k0), room(k0));
      packed_head = head;
    }
    auto values = [&](int64_t k0, int64_t nk) {
      if (!shared) return borrow_panel(nk, a.value_width, part(k0), room(k0));
      return Panel<T>{room(k0), kTileColumns<T>, nk * kTileColumns<T>};
    };
    const int64_t row = head * a.queries + q0;
    attend(a, n, memory, values, y + offset(y_at, n.b, n.h) + q0 * y_at.row, y_at.row,
           SoftmaxRows<T>{rows.top + row, rows.inverse + row});
  }
}

WEFT_INSTANTIATE(attention_scratch, float, double)
WEFT_INSTANTIATE(attention_blocks, float, double)

}  // namespace weft::kernels::WEFT_ISA
