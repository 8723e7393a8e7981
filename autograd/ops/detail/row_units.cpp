// Units in which rows can be squared.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/detail/row_units.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

// The root's derivative holds the cube of its inverse: with squares down to this it is in range.
template <class T>
T least_square() {
  return std::ldexp(T(1), -std::numeric_limits<T>::max_exponent * 5 / 8);
}

template <class T>
bool in_range(T square) {
  return square > least_square<T>() && square * least_square<T>() < 1;
}

// 2^-n for the n that brings `size` into [1/2, 1), as far as T has such numbers.
template <class T>
T unit_for(T size) {
  if (!std::isfinite(size) || size == 0) return 1;
  int exponent = 0;
  std::frexp(size, &exponent);
  constexpr int kMost = std::numeric_limits<T>::max_exponent - 2;
  return std::ldexp(T(1), -std::clamp(exponent, -kMost, kMost));
}

}  // namespace

Tensor units_of_rows(const Tensor& x, const Tensor& squares) {
  const OpScope inside;
  Tensor units;
  dispatch_floating("norm", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *square = squares.data<T>(), *past = square + squares.numel();
    if (x.numel() == 0 || std::all_of(square, past, in_range<T>)) return;
    units = max(abs(x.detach()), {-1}, true);
    T* unit = units.mutable_data<T>();
    for (int64_t r = 0; r < units.numel(); ++r)
      unit[r] = in_range(square[r]) ? T(1) : unit_for(unit[r]);
  });
  return units;
}

Tensor in_squared_units(double eps, const Tensor& units) {
  const OpScope inside;
  Tensor scaled(units.shape(), units.dtype());
  dispatch_floating("norm", units.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T least = eps > 0 ? least_square<T>() : T(0), *unit = units.data<T>();
    T* y = scaled.mutable_data<T>();
    for (int64_t r = 0; r < units.numel(); ++r) {
      const auto u = static_cast<double>(unit[r]);
      y[r] = std::max(static_cast<T>(eps * u * u), least);
    }
  });
  return scaled;
}

}  // namespace weft
