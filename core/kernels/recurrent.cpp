#include <weft/core/kernels/recurrent.h>
#include <weft/core/kernels/slopes.h>

namespace weft::kernels::WEFT_ISA {
namespace {

template <class T>
void copy(const T* x, T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i];
}

template <class T>
void clear(T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = T(0);
}

}  // namespace

template <class T>
void gru_rows(const T* x, const T* h, const T* last, const bool* within, T* state, T* kept,
              int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row, x += 3 * n, h += 3 * n, last += n, state += n) {
    T *r = kept + row * 4 * n, *z = r + n, *fresh = z + n, *from_last = fresh + n;
    if (within && !within[row]) {
      copy(last, state, n);
      continue;
    }
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      r[i] = x[i] + h[i];
      z[i] = x[n + i] + h[n + i];
      from_last[i] = h[2 * n + i];
      fresh[i] = x[2 * n + i] + sigmoids_of(r[i]).of * from_last[i];
      const T value = tanh_of(fresh[i]);
      state[i] = value + sigmoids_of(z[i]).of * (last[i] - value);
    }
  }
}

template <class T>
void gru_grad_rows(const T* kept, const T* last, const bool* within, T* dstate, T* dx, T* dh,
                   int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row, last += n, dstate += n, dx += 3 * n, dh += 3 * n) {
    const T *r = kept + row * 4 * n, *z = r + n, *fresh = z + n, *from_last = fresh + n;
    if (within && !within[row]) {
      clear(dx, 3 * n);
      clear(dh, 3 * n);
      continue;
    }
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const Sigmoids<T> reset = sigmoids_of(r[i]), keep = sigmoids_of(z[i]);
      const T d = dstate[i], dfresh = d * keep.of_negated * tanh_slope(fresh[i]);
      dx[i] = dh[i] = dfresh * from_last[i] * (reset.of * reset.of_negated);
      dx[n + i] = dh[n + i] = d * (last[i] - tanh_of(fresh[i])) * (keep.of * keep.of_negated);
      dx[2 * n + i] = dfresh;
      dh[2 * n + i] = dfresh * reset.of;
      dstate[i] = d * keep.of;
    }
  }
}

template <class T>
void lstm_rows(const T* x, T* gates, const T* last_hidden, const T* last_cell, const bool* within,
               T* hidden, T* cell, int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row, x += 4 * n, gates += 4 * n) {
    const int64_t at = row * n;
    if (within && !within[row]) {
      copy(last_hidden + at, hidden + at, n);
      copy(last_cell + at, cell + at, n);
      continue;
    }
#pragma omp simd
    for (int64_t i = 0; i < 4 * n; ++i) gates[i] += x[i];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T kept = sigmoids_of(gates[n + i]).of * last_cell[at + i];
      cell[at + i] = kept + sigmoids_of(gates[i]).of * tanh_of(gates[2 * n + i]);
      hidden[at + i] = sigmoids_of(gates[3 * n + i]).of * tanh_of(cell[at + i]);
    }
  }
}

template <class T>
void lstm_grad_rows(const T* gates, const T* cell, const T* last_cell, const bool* within,
                    T* dhidden, T* dcell, T* dgates, int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row, gates += 4 * n, dgates += 4 * n) {
    const int64_t at = row * n;
    if (within && !within[row]) {
      clear(dgates, 4 * n);
      continue;
    }
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const Sigmoids<T> in = sigmoids_of(gates[i]), forget = sigmoids_of(gates[n + i]),
                        out = sigmoids_of(gates[3 * n + i]);
      const T d = dhidden[at + i], fresh = gates[2 * n + i];
      const T dc = dcell[at + i] + d * out.of * tanh_slope(cell[at + i]);
      dgates[i] = dc * tanh_of(fresh) * (in.of * in.of_negated);
      dgates[n + i] = dc * last_cell[at + i] * (forget.of * forget.of_negated);
      dgates[2 * n + i] = dc * in.of * tanh_slope(fresh);
      dgates[3 * n + i] = d * tanh_of(cell[at + i]) * (out.of * out.of_negated);
      dcell[at + i] = dc * forget.of;
      dhidden[at + i] = T(0);
    }
  }
}

WEFT_INSTANTIATE(gru_rows, float, double)
WEFT_INSTANTIATE(gru_grad_rows, float, double)
WEFT_INSTANTIATE(lstm_rows, float, double)
WEFT_INSTANTIATE(lstm_grad_rows, float, double)

}  // namespace weft::kernels::WEFT_ISA
