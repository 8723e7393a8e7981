// Walking several broadcast operands in step: dims that can be merged are, and the innermost run of
// elements goes to a kernel in one call.
#pragma once

#include <weft/core/parallel.h>
#include <weft/core/tensor.h>

#include <algorithm>
#include <array>

namespace weft {

/// The strides of `t` when it is broadcast to `shape`: 0 along stretched and added dims.
Shape broadcast_strides(const Tensor& t, const Shape& shape);

/// N operands walked over a common shape whose elements are written in row-major order.
template <size_t N>
class BroadcastLoop {
 public:
  BroadcastLoop(const Shape& shape, const std::array<const Tensor*, N>& operands) {
    if (one_run(shape, operands)) return;
    std::array<Shape, N> strides;
    for (size_t k = 0; k < N; ++k) strides[k] = broadcast_strides(*operands[k], shape);
    for (int d = 0; d < shape.rank(); ++d)
      if (shape[d] != 1) add_dim(shape[d], strides, d);
    if (sizes_.rank() == 0) sizes_.push_back(1);
    for (Shape& s : strides_)
      if (s.rank() == 0) s.push_back(0);
  }

  /// Calls f(y, offsets, steps, n) for runs of n elements: operand k steps from offsets[k] by
  /// steps[k], the result fills [y, y + n). Runs go to several threads when there is much to do.
  template <class F>
  void run(F&& f) const {
    const int inner = sizes_.rank() - 1;
    const int64_t n = sizes_[inner], rows = n == 0 ? 0 : sizes_.numel() / n;
    std::array<int64_t, N> steps;
    for (size_t k = 0; k < N; ++k) steps[k] = strides_[k][inner];
    if (rows == 1) {
      parallel_for(n, grain_of_cost(kElement, 1024), [&](int64_t begin, int64_t end) {
        std::array<int64_t, N> offsets;
        for (size_t k = 0; k < N; ++k) offsets[k] = begin * steps[k];
        f(begin, offsets, steps, end - begin);
      });
      return;
    }
    parallel_for(rows, grain_of_cost(kElement * static_cast<double>(n)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row)
                     f(row * n, offsets_of(row), steps, n);
                 });
  }

 private:
  // The common case, without any walking: every operand is as the result, or one number.
  bool one_run(const Shape& shape, const std::array<const Tensor*, N>& operands) {
    for (const Tensor* t : operands)
      if (t->numel() != 1 && !(t->is_contiguous() && t->shape() == shape)) return false;
    sizes_.push_back(shape.numel());
    for (size_t k = 0; k < N; ++k) strides_[k].push_back(operands[k]->numel() == 1 ? 0 : 1);
    return true;
  }

  static constexpr double kElement = 0.3;  // nanoseconds

  // Appends a dim, or merges it into the last one where every operand steps evenly through both.
  void add_dim(int64_t size, const std::array<Shape, N>& strides, int d) {
    const int last = sizes_.rank() - 1;
    bool merge = last >= 0;
    for (size_t k = 0; k < N && merge; ++k) merge = strides_[k][last] == strides[k][d] * size;
    if (merge)
      sizes_[last] *= size;
    else
      sizes_.push_back(size);
    for (size_t k = 0; k < N; ++k) {
      if (merge)
        strides_[k][last] = strides[k][d];
      else
        strides_[k].push_back(strides[k][d]);
    }
  }

  std::array<int64_t, N> offsets_of(int64_t row) const {
    std::array<int64_t, N> offsets{};
    for (int d = sizes_.rank() - 2; d >= 0; --d) {
      const int64_t index = row % sizes_[d];
      row /= sizes_[d];
      for (size_t k = 0; k < N; ++k) offsets[k] += index * strides_[k][d];
    }
    return offsets;
  }

  Shape sizes_;
  std::array<Shape, N> strides_;
};

}  // namespace weft
