#include <weft/autograd/ops/elementwise.h>

#include <cmath>

namespace weft {
namespace {

constexpr int64_t kGrain = 16384;  // elements that are worth another thread

}  // namespace

void binary_into(kernels::Binary op, const Tensor& a, const Tensor& b, Tensor& y) {
  const BroadcastLoop<2> loop(y.shape(), {&a, &b});
  dispatch(y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (!std::is_same_v<T, bool>) {
      const T* pa = a.data<T>();
      const T* pb = b.data<T>();
      T* py = static_cast<T*>(y.raw());
      loop.run([&](int64_t at, const auto& offset, const auto& step, int64_t n) {
        kernels::binary(op, pa + offset[0], step[0], pb + offset[1], step[1], py + at, n);
      });
    }
  });
}

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
        kernels::binary(op, px + offset[0], step[0], &value, 0, py + at, n);
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
      kernels::unary(op, px + offset[0], step[0], py + at, n);
    });
  });
  return y;
}

Tensor unary_grad(kernels::Unary op, const Tensor& x, const Tensor& y, const Tensor& dy) {
  const Tensor flow = contiguous(dy);
  Tensor dx(dy.shape(), dy.dtype());
  dispatch_floating("unary_grad", dy.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* px = x.defined() ? x.data<T>() : nullptr;
    const T* py = y.defined() ? y.data<T>() : nullptr;
    const T* pdy = flow.data<T>();
    T* pdx = static_cast<T*>(dx.raw());
    parallel_for(dx.numel(), kGrain, [&](int64_t begin, int64_t end) {
      kernels::unary_grad(op, px ? px + begin : px, py ? py + begin : py, pdy + begin, pdx + begin,
                          end - begin);
    });
  });
  return dx;
}

}  // namespace weft
