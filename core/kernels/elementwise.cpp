// Elementwise loops: one per op and stride pattern, over the functions of math.h and slopes.h.
#include <weft/core/kernels/elementwise.h>
#include <weft/core/kernels/math.h>
#include <weft/core/kernels/slopes.h>

#include <type_traits>

namespace weft::kernels::WEFT_ISA {
namespace {

template <class T, class F>
WEFT_INLINE void map(const T* x, int64_t sx, T* y, int64_t n, F f) {
  if (sx == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
  } else if (sx == 0) {
    if (n == 0) return;
    const T value = f(x[0]);
    for (int64_t i = 0; i < n; ++i) y[i] = value;
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = f(x[i * sx]);
  }
}

template <class A, class R, class F>
WEFT_INLINE void map2(const A* a, int64_t sa, const A* b, int64_t sb, R* y, int64_t n, F f) {
  if (n == 0) return;
  if (sa == 1 && sb == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  } else if (sa == 1 && sb == 0) {
    const A value = b[0];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], value);
  } else if (sa == 0 && sb == 1) {
    const A value = a[0];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = f(value, b[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i * sa], b[i * sb]);
  }
}

template <class T>
WEFT_INLINE T sign_of(T x) {
  return x > T(0) ? T(1) : x < T(0) ? T(-1) : T(0);
}

template <class T>
WEFT_INLINE T maximum_of(T a, T b) {
  return a != a ? a : (a < b || b != b) ? b : a;
}

template <class T>
WEFT_INLINE T minimum_of(T a, T b) {
  return a != a ? a : (b < a || b != b) ? b : a;
}

// int64_t arithmetic wraps around, as the unsigned one does.
WEFT_INLINE uint64_t bits(int64_t v) { return static_cast<uint64_t>(v); }
WEFT_INLINE int64_t wrap(uint64_t v) { return static_cast<int64_t>(v); }

template <class T>
WEFT_INLINE T add_of(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return wrap(bits(a) + bits(b));
  else
    return a + b;
}
template <class T>
WEFT_INLINE T sub_of(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return wrap(bits(a) - bits(b));
  else
    return a - b;
}
template <class T>
WEFT_INLINE T mul_of(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return wrap(bits(a) * bits(b));
  else
    return a * b;
}
template <class T>
WEFT_INLINE T div_of(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return b == 0 ? 0 : b == -1 ? wrap(0 - bits(a)) : a / b;
  else
    return a / b;
}

WEFT_INLINE int64_t pow_of(int64_t base, int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  uint64_t result = 1, square = bits(base);
  for (; exponent > 0; exponent >>= 1, square *= square)
    if (exponent & 1) result *= square;
  return wrap(result);
}

}  // namespace

template <class T>
void unary(Unary op, const T* x, int64_t sx, T* y, int64_t n) {
  auto run = [=](auto f) WEFT_INLINE_LAMBDA { map(x, sx, y, n, f); };
  switch (op) {
    case Unary::abs:
      return run([](T v) { return abs_of(v); });
    case Unary::sign:
      return run([](T v) { return sign_of(v); });
    case Unary::sqrt:
      return run([](T v) { return sqrt_of(v); });
    case Unary::rsqrt:
      return run([](T v) { return T(1) / sqrt_of(v); });
    case Unary::exp:
      return run([](T v) { return exp_of(v); });
    case Unary::log:
      return run([](T v) { return log_of(v); });
    case Unary::tanh:
      return run([](T v) { return tanh_of(v); });
    case Unary::sigmoid:
      return run([](T v) { return sigmoids_of(v).of; });
    case Unary::relu:
      return run([](T v) { return v <= T(0) ? T(0) : v; });
    case Unary::gelu:
      return run([](T v) { return gelu_of(v); });
    case Unary::gelu_tanh:
      return run([](T v) { return gelu_tanh_of(v); });
    case Unary::silu:
      return run([](T v) { return silu_of(v); });
    case Unary::softplus:
      return run([](T v) { return softplus_of(v); });
  }
}

template <class T>
void unary_grad(Unary op, const T* x, const T* y, const T* dy, T* dx, int64_t n) {
  auto slope = [=](auto f) WEFT_INLINE_LAMBDA {
    map2(x, 1, dy, 1, dx, n, [f](T v, T g) WEFT_INLINE_LAMBDA { return g * f(v); });
  };
  switch (op) {
    case Unary::tanh:
      return slope([](T v) { return tanh_slope(v); });
    case Unary::sigmoid:
      return slope([](T v) { return sigmoid_slope(v); });
    case Unary::relu:
      return map2(y, 1, dy, 1, dx, n, [](T v, T g) { return v <= T(0) ? T(0) : g; });
    case Unary::gelu:
      return slope([](T v) { return gelu_slope(v); });
    case Unary::gelu_tanh:
      return slope([](T v) { return gelu_tanh_slope(v); });
    case Unary::silu:
      return slope([](T v) { return silu_slope(v); });
    case Unary::softplus:
      return slope([](T v) { return sigmoids_of(v).of; });
    default:
      __builtin_trap();  // has no kernel of its own
  }
}

template <class T>
void binary(Binary op, const T* a, int64_t sa, const T* b, int64_t sb, T* y, int64_t n) {
  auto run = [=](auto f) WEFT_INLINE_LAMBDA { map2(a, sa, b, sb, y, n, f); };
  switch (op) {
    case Binary::add:
      return run([](T u, T v) { return add_of(u, v); });
    case Binary::sub:
      return run([](T u, T v) { return sub_of(u, v); });
    case Binary::mul:
      return run([](T u, T v) { return mul_of(u, v); });
    case Binary::div:
      return run([](T u, T v) { return div_of(u, v); });
    case Binary::maximum:
      return run([](T u, T v) { return maximum_of(u, v); });
    case Binary::minimum:
      return run([](T u, T v) { return minimum_of(u, v); });
    case Binary::pow:
      return run([](T u, T v) { return pow_of(u, v); });
  }
}

template <class T>
void ratio(const T* u, int64_t su, const T* v, int64_t sv, const T* p, int64_t sp, const T* q,
           int64_t sq, T* y, int64_t n) {
  if (su == 1 && sv == 1 && sp == 1 && sq == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = ratio_of(u[i], v[i], p[i], q[i]);
  } else if (su == 1 && sv == 1 && sp == 0 && sq == 0 && n > 0) {
    const T p0 = p[0], q0 = q[0];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = ratio_of(u[i], v[i], p0, q0);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = ratio_of(u[i * su], v[i * sv], p[i * sp], q[i * sq]);
  }
}

template <class T>
void pow_slope(const T* g, int64_t sg, const T* a, int64_t sa, const T* b, int64_t sb, T* y,
               int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = pow_slope_of(g[i * sg], a[i * sa], b[i * sb]);
}

template <class T>
void compare(Compare op, const T* a, int64_t sa, const T* b, int64_t sb, bool* y, int64_t n) {
  auto run = [=](auto f) WEFT_INLINE_LAMBDA { map2(a, sa, b, sb, y, n, f); };
  switch (op) {
    case Compare::eq:
      return run([](T u, T v) { return u == v; });
    case Compare::ne:
      return run([](T u, T v) { return u != v; });
    case Compare::lt:
      return run([](T u, T v) { return u < v; });
    case Compare::le:
      return run([](T u, T v) { return u <= v; });
    case Compare::gt:
      return run([](T u, T v) { return u > v; });
    case Compare::ge:
      return run([](T u, T v) { return u >= v; });
  }
}

template <class T>
void where(const bool* c, int64_t sc, const T* a, int64_t sa, const T* b, int64_t sb, T* y,
           int64_t n) {
  if (sc == 1 && sa == 1 && sb == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T u = a[i], v = b[i];  // both read, so that the loop vectorizes
      y[i] = c[i] ? u : v;
    }
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = c[i * sc] ? a[i * sa] : b[i * sb];
  }
}

template <class T>
void add_inplace(T* y, const T* x, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

template <class T>
void scale(T alpha, const T* x, T* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = alpha * x[i];
}

// 0 times what is not finite is NaN.
template <class T>
bool all_finite(const T* x, int64_t sx, int64_t n) {
  constexpr int64_t kCount = Lanes<T>::count;
  int64_t i = 0;
  typename Lanes<T>::type even{}, odd{};
  for (; sx == 1 && i + 2 * kCount <= n; i += 2 * kCount) {
    even += load(x + i) * T(0);
    odd += load(x + i + kCount) * T(0);
  }
  T total = sum_of_lanes<T>(even + odd);
  for (; i < n; ++i) total += x[i * sx] * T(0);
  return total == T(0);
}

WEFT_INSTANTIATE(unary, float, double)
WEFT_INSTANTIATE(unary_grad, float, double)
WEFT_INSTANTIATE(binary, float, double, int64_t)
WEFT_INSTANTIATE(ratio, float, double)
WEFT_INSTANTIATE(pow_slope, float, double)
WEFT_INSTANTIATE(compare, float, double, int64_t)
WEFT_INSTANTIATE(where, float, double, int64_t, bool)
WEFT_INSTANTIATE(add_inplace, float, double)
WEFT_INSTANTIATE(scale, float, double)
WEFT_INSTANTIATE(all_finite, float, double)

}  // namespace weft::kernels::WEFT_ISA
