// Moving rows and strided data.
#include <weft/core/kernels/elementwise.h>
#include <weft/core/kernels/gather.h>
#include <weft/core/parallel.h>

#include <algorithm>
#include <cstring>

namespace weft::kernels {
namespace {

constexpr double kGatherCost = 0.25;  // nanoseconds to move an element
constexpr double kLineCost = 15;      // and to find one that lies by itself
constexpr int64_t kTile = 32;

/// The grain of items of so many elements each.
Grain grain_of_elements(int64_t elements) {
  return grain_of_cost(kGatherCost * static_cast<double>(elements));
}

/// Dims merged where one step of the outer is a whole turn of the inner; dims of size 1 dropped.
struct Coalesced {
  Shape shape, strides;
};

Coalesced coalesce(const Shape& shape, const Shape& strides) {
  Coalesced c;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 1) continue;
    const int last = c.shape.rank() - 1;
    if (last >= 0 && c.strides[last] == shape[i] * strides[i]) {
      c.shape[last] *= shape[i];
      c.strides[last] = strides[i];
    } else {
      c.shape.push_back(shape[i]);
      c.strides.push_back(strides[i]);
    }
  }
  if (c.shape.rank() == 0) c = {{1}, {1}};
  return c;
}

/// The dims but for the last and `skip`, as an odometer: line number to offsets on both sides.
struct Odometer {
  Coalesced c;
  Shape dense;  // strides of the contiguous side
  int skip;

  int64_t lines() const {
    int64_t n = 1;
    for (int i = 0; i + 1 < c.shape.rank(); ++i) n *= i == skip ? 1 : c.shape[i];
    return n;
  }
  void at(int64_t line, int64_t* strided, int64_t* contiguous) const {
    *strided = *contiguous = 0;
    for (int i = c.shape.rank() - 2; i >= 0; --i) {
      if (i == skip) continue;
      *strided += line % c.shape[i] * c.strides[i];
      *contiguous += line % c.shape[i] * dense[i];
      line /= c.shape[i];
    }
  }
};

/// Calls line(strided offset, contiguous offset, count, step) for each run along the last dim.
template <class F>
void for_each_line(const Coalesced& c, F line) {
  const Odometer odometer{c, contiguous_strides(c.shape), -1};
  const int64_t n = c.shape.back(), step = c.strides.back();
  parallel_for(odometer.lines(), grain_of_cost(kGatherCost * static_cast<double>(n) + kLineCost),
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = begin; r < end; ++r) {
                   int64_t strided, contiguous;
                   odometer.at(r, &strided, &contiguous);
                   line(strided, contiguous, n, step);
                 }
               });
}

/// A dim of stride 1 other than the last, if the last one's is not 1: a transpose.
int transposed_dim(const Coalesced& c) {
  const int last = c.shape.rank() - 1;
  if (c.strides[last] == 1) return -1;
  for (int i = last - 1; i >= 0; --i)
    if (c.strides[i] == 1) return i;
  return -1;
}

/// Swaps dim `d` with the last in square tiles, so that both sides use whole cache lines.
template <class T>
void copy_transposed(const T* x, const Coalesced& c, int d, T* y) {
  const Odometer odometer{c, contiguous_strides(c.shape), d};
  const int64_t rows = c.shape[d], columns = c.shape.back();
  const int64_t step_x = c.strides.back(), step_y = odometer.dense[d];
  const int64_t bands = (rows + kTile - 1) / kTile;
  parallel_for(odometer.lines() * bands, grain_of_elements(kTile * columns),
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = begin; r < end; ++r) {
                   int64_t from, to;
                   odometer.at(r / bands, &from, &to);
                   const int64_t first = r % bands * kTile, past = std::min(rows, first + kTile);
                   for (int64_t tile = 0; tile < columns; tile += kTile)
                     for (int64_t i = first; i < past; ++i)
                       for (int64_t j = tile; j < std::min(columns, tile + kTile); ++j)
                         y[to + i * step_y + j] = x[from + i + j * step_x];
                 }
               });
}

/// Calls f(o) for every o < outer, each `work` elements.
template <class F>
void for_each_slab(int64_t outer, int64_t work, F f) {
  parallel_for(outer, grain_of_elements(work), [=](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) f(o);
  });
}

}  // namespace

template <class T>
void gather_rows(const T* table, const int64_t* index, T* y, int64_t count, int64_t n) {
  parallel_for(count, grain_of_elements(n), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(table + index[i] * n, n, y + i * n);
  });
}

template <class T>
void scatter_rows(const T* x, const int64_t* index, T* table, int64_t count, int64_t n) {
  parallel_for(count, grain_of_elements(n), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(x + i * n, n, table + index[i] * n);
  });
}

template <class T>
void scatter_add_rows(const T* x, const int64_t* index, T* table, int64_t count, int64_t n) {
  const Grain grain = grain_of_cost(2 * kGatherCost * static_cast<double>(count), 32);
  parallel_for(n, grain, [=](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < count; ++i)
      add_inplace<T>(table + index[i] * n + begin, x + i * n + begin, end - begin);
  });
}

template <class T>
void gather_along(const T* x, const int64_t* index, T* y, int64_t outer, int64_t n, int64_t m,
                  int64_t inner) {
  for_each_slab(outer * m, inner, [=](int64_t row) {
    const T* slab = x + row / m * n * inner;
    for (int64_t j = 0; j < inner; ++j)
      y[row * inner + j] = slab[index[row * inner + j] * inner + j];
  });
}

template <class T>
void scatter_add_along(const T* x, const int64_t* index, T* y, int64_t outer, int64_t n, int64_t m,
                       int64_t inner) {
  for_each_slab(outer, m * inner, [=](int64_t o) {
    const int64_t* at = index + o * m * inner;
    for (int64_t j = 0; j < m * inner; ++j)
      y[(o * n + at[j]) * inner + j % inner] += x[o * m * inner + j];
  });
}

template <class T>
void copy_strided(const T* x, const Shape& shape, const Shape& strides, T* y) {
  if (shape.numel() == 0) return;
  const Coalesced c = coalesce(shape, strides);
  if (const int d = transposed_dim(c); d >= 0) return copy_transposed(x, c, d, y);
  for_each_line(c, [=](int64_t from, int64_t to, int64_t n, int64_t step) {
    if (step == 1)
      std::copy_n(x + from, n, y + to);
    else
      for (int64_t i = 0; i < n; ++i) y[to + i] = x[from + i * step];
  });
}

template <class T>
void scatter_strided(const T* x, const Shape& shape, const Shape& strides, T* y) {
  if (shape.numel() == 0) return;
  for_each_line(coalesce(shape, strides), [=](int64_t to, int64_t from, int64_t n, int64_t step) {
    if (step == 1)
      std::copy_n(x + from, n, y + to);
    else
      for (int64_t i = 0; i < n; ++i) y[to + i * step] = x[from + i];
  });
}

WEFT_INSTANTIATE(gather_rows, float, double, int64_t, bool)
WEFT_INSTANTIATE(scatter_rows, float, double)
WEFT_INSTANTIATE(scatter_add_rows, float, double)
WEFT_INSTANTIATE(gather_along, float, double, int64_t, bool)
WEFT_INSTANTIATE(scatter_add_along, float, double)
WEFT_INSTANTIATE(copy_strided, float, double, int64_t, bool)
WEFT_INSTANTIATE(scatter_strided, float, double, int64_t, bool)

}  // namespace weft::kernels
