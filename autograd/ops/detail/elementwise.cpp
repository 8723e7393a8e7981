#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops/detail/elementwise.h>
#include <weft/core/detail/binary_into.h>

#include <cmath>

namespace weft {

Tensor binary(const char* who, kernels::Binary op, const Tensor& a, const Tensor& b) {
  check(a.dtype() != kBool,
        "{}: arithmetic on bool tensors is not defined; convert with to(x, kInt64)", who);
  Tensor y(broadcast_shapes(who, a.shape(), b.shape()), a.dtype());
  binary_into(op, a, b, y);
  return y;
}

Tensor binary(const char* who, kernels::Binary op, const Tensor& a, double b) {
  check(a.defined(), "{}: the operand is undefined", who);
  const bool whole = b == std::floor(b) && std::abs(b) < 0x1p63;
  const DType dtype = is_floating(a.dtype()) ? a.dtype() : whole ? kInt64 : kFloat32;
  const Tensor x = to(a, dtype);
  Tensor y(x.shape(), dtype);
  const BroadcastLoop<1> loop(y.shape(), {&x});
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (!std::is_same_v<T, bool>) {
      const T value = static_cast<T>(b);
      const T* px = x.data<T>();
      T* py = static_cast<T*>(y.raw());
      loop.run([&](int64_t at, const auto& offset, const auto& step, int64_t n) {
        kernels::binary<T>(op, px + offset[0], step[0], &value, 0, py + at, n);
      });
    }
  });
  return y;
}

Tensor unary(const char* who, kernels::Unary op, const Tensor& x) {
  check(x.defined(), "{}: the operand is undefined", who);
  Tensor y(x.shape(), x.dtype());
  const BroadcastLoop<1> loop(y.shape(), {&x});
  dispatch_floating(who, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* px = x.data<T>();
    T* py = static_cast<T*>(y.raw());
    loop.run([&](int64_t at, const auto& offset, const auto& step, int64_t n) {
      kernels::unary<T>(op, px + offset[0], step[0], py + at, n);
    });
  });
  return y;
}

Tensor unary_grad(kernels::Unary op, const Tensor& x, const Tensor& y, const Tensor& dy) {
  const OpScope inside;
  const Tensor flow = contiguous(dy), given = x.defined() ? x : y;
  const bool in_rows =
      given.dim() > 0 && given.size(-1) > 1 && given.strides()[given.dim() - 1] == 1;
  const Tensor from = in_rows ? given : contiguous(given);
  Tensor dx(dy.shape(), dy.dtype());
  const BroadcastLoop<2> loop(dx.shape(), {&from, &flow});
  dispatch_floating("unary_grad", dy.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *pf = from.data<T>(), *pdy = flow.data<T>();
    T* pdx = static_cast<T*>(dx.raw());
    loop.run([&](int64_t at, const auto& offset, const auto&, int64_t n) {
      const T* v = pf + offset[0];
      kernels::unary_grad<T>(op, x.defined() ? v : nullptr, x.defined() ? nullptr : v,
                             pdy + offset[1], pdx + at, n);
    });
  });
  return dx;
}

}  // namespace weft
