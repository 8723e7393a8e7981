// Moving rows and strided data.
#include <weft/core/kernels/elementwise.h>
#include <weft/core/kernels/gather.h>
#include <weft/core/parallel.h>

#include <algorithm>
#include <cstring>

namespace weft::kernels {
namespace {

constexpr int64_t kWork = 1 << 15;  // elements worth a thread's wake-up

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

/// Calls line(offset in the strided side, offset in the contiguous side, count, step) per last dim.
template <class F>
void for_each_line(const Shape& shape, const Shape& strides, F line) {
  if (shape.numel() == 0) return;
  const Coalesced c = coalesce(shape, strides);
  const int last = c.shape.rank() - 1;
  const int64_t n = c.shape[last], lines = c.shape.numel() / n;
  parallel_for(lines, std::max<int64_t>(1, kWork / n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      int64_t at = 0;
      for (int64_t i = last - 1, rest = r; i >= 0; --i) {
        const int dim = static_cast<int>(i);
        at += rest % c.shape[dim] * c.strides[dim];
        rest /= c.shape[dim];
      }
      line(at, r * n, n, c.strides[last]);
    }
  });
}

}  // namespace

template <class T>
void gather_rows(const T* table, const int64_t* index, T* y, int64_t count, int64_t n) {
  parallel_for(count, std::max<int64_t>(1, kWork / std::max<int64_t>(n, 1)),
               [=](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i)
                   std::copy_n(table + index[i] * n, n, y + i * n);
               });
}

template <class T>
void scatter_add_rows(const T* x, const int64_t* index, T* table, int64_t count, int64_t n) {
  const int64_t grain = std::max<int64_t>(64, kWork / std::max<int64_t>(count, 1) / 16 * 16);
  parallel_for(n, grain, [=](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < count; ++i)
      add_inplace(table + index[i] * n + begin, x + i * n + begin, end - begin);
  });
}

template <class T>
void copy_strided(const T* x, const Shape& shape, const Shape& strides, T* y) {
  for_each_line(shape, strides, [=](int64_t from, int64_t to, int64_t n, int64_t step) {
    if (step == 1)
      std::copy_n(x + from, n, y + to);
    else
      for (int64_t i = 0; i < n; ++i) y[to + i] = x[from + i * step];
  });
}

template <class T>
void scatter_strided(const T* x, const Shape& shape, const Shape& strides, T* y) {
  for_each_line(shape, strides, [=](int64_t to, int64_t from, int64_t n, int64_t step) {
    for (int64_t i = 0; i < n; ++i) y[to + i * step] = x[from + i];
  });
}

#define WEFT_INSTANTIATE(T)                                                  \
  template void gather_rows(const T*, const int64_t*, T*, int64_t, int64_t); \
  template void copy_strided(const T*, const Shape&, const Shape&, T*);      \
  template void scatter_strided(const T*, const Shape&, const Shape&, T*);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
WEFT_INSTANTIATE(int64_t)
WEFT_INSTANTIATE(bool)
template void scatter_add_rows(const float*, const int64_t*, float*, int64_t, int64_t);
template void scatter_add_rows(const double*, const int64_t*, double*, int64_t, int64_t);

}  // namespace weft::kernels
