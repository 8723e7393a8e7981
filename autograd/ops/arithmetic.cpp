// add, sub, mul, div, pow, maximum, minimum, with broadcasting. Where an operand was stretched, its
// gradient is summed back by sum_to. Derivatives of quotients are made of ratio(), those of powers
// of pow_slope(): ops of their own, right though products on the way leave their type's range.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops/detail/elementwise.h>

#include <cmath>

namespace weft {
namespace {

using kernels::Binary;

extern const Op kAdd, kSub, kMul, kDiv, kPow, kRatio, kPowSlope, kMaximum, kMinimum;

// Gradient of maximum/minimum: to the operand that was taken, half each at ties.
template <class Taken>
Tensors choose(Backward& b, const Saved& sa, const Saved& sb, Taken taken) {
  const Tensor x = b.saved(sa), y = b.saved(sb);
  const Tensor& dy = b.dy();
  const Tensor share = where(eq(x, y), full({}, 0.5, dy.dtype()), full({}, 1, dy.dtype()));
  const Tensor flow = dy * share, zero = zeros({}, dy.dtype());
  return {sum_to(where(taken(x, y), flow, zero), x.shape()),
          sum_to(where(taken(y, x), flow, zero), y.shape())};
}

Tensor ratio_of(const Tensor& u, const Tensor& v, const Tensor& p, const Tensor& q) {
  const auto wider = [](const Tensor& a, const Tensor& b) {
    return broadcast_shapes("ratio", a.shape(), b.shape());
  };
  Tensor y(broadcast_shapes("ratio", wider(u, v), wider(p, q)), u.dtype());
  const BroadcastLoop<4> loop(y.shape(), {&u, &v, &p, &q});
  dispatch_floating("ratio", y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *pu = u.data<T>(), *pv = v.data<T>(), *pp = p.data<T>(), *pq = q.data<T>();
    T* py = static_cast<T*>(y.raw());
    loop.run([&](int64_t at, const auto& offset, const auto& step, int64_t n) {
      kernels::ratio<T>(pu + offset[0], step[0], pv + offset[1], step[1], pp + offset[2], step[2],
                        pq + offset[3], step[3], py + at, n);
    });
  });
  return y;
}

// u v / (p q), though products on the way may leave their type's range: what derivatives of a
// quotient are made of.
Tensor ratio(const Tensor& u, const Tensor& v, const Tensor& p, const Tensor& q) {
  const Tensor y = ratio_of(u, v, p, q);
  return record(
      kRatio, y, {u, v, p, q},
      [u = save(u), v = save(v), p = save(p), q = save(q), y = save_output(y)](Backward& b) {
        const Tensor &h = b.dy(), u1 = b.saved(u), v1 = b.saved(v), p1 = b.saved(p),
                     q1 = b.saved(q), one = ones({}, h.dtype());
        Tensors d(4);
        if (b.needs(0)) d[0] = sum_to(ratio(h, v1, p1, q1), u1.shape());
        if (b.needs(1)) d[1] = sum_to(ratio(h, u1, p1, q1), v1.shape());
        if (b.needs(2)) d[2] = sum_to(-ratio(h, b.saved(y), p1, one), p1.shape());
        if (b.needs(3)) d[3] = sum_to(-ratio(h, b.saved(y), q1, one), q1.shape());
        return d;
      });
}

Tensor pow_slope_of(const Tensor& g, const Tensor& a, const Tensor& b) {
  Tensor y(g.shape(), g.dtype());
  const BroadcastLoop<3> loop(y.shape(), {&g, &a, &b});
  dispatch_floating("pow_slope", y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *pg = g.data<T>(), *pa = a.data<T>(), *pb = b.data<T>();
    T* py = static_cast<T*>(y.raw());
    loop.run([&](int64_t at, const auto& offset, const auto& step, int64_t n) {
      kernels::pow_slope<T>(pg + offset[0], step[0], pa + offset[1], step[1], pb + offset[2],
                            step[2], py + at, n);
    });
  });
  return y;
}

// Both operands in their common dtype.
struct Operands {
  Tensor a, b;
  Operands(const char* who, const Tensor& x, const Tensor& y) {
    check(x.defined() && y.defined(), "{}: an operand is undefined", who);
    const DType dtype = promote(x.dtype(), y.dtype());
    a = to(x, dtype);
    b = to(y, dtype);
  }
};

}  // namespace

Tensor pow_slope(const Tensor& g, const Tensor& a, const Tensor& b) {
  return record(
      kPowSlope, pow_slope_of(g, a, b), {g, a, b},
      [g = save(g), a = save(a), b = save(b)](Backward& back) {
        const Tensor flow = back.dy(), g1 = back.saved(g), u = back.saved(a), v = back.saved(b);
        const Tensor one = ones({}, u.dtype());
        Tensors d(3);
        if (back.needs(0)) d[0] = pow_slope(flow, u, v);
        if (back.needs(1)) d[1] = sum_to(pow_slope(flow * g1 * v, u, v - 1), u.shape());
        if (back.needs(2)) {  // g a^(b - 1) (1 + b log a)
          const Tensor both_zero = logical_and(eq(u, 0), eq(v, 0));
          const Tensor power = pow(u, where(both_zero, one, v - 1));
          d[2] = sum_to(flow * g1 * power * (1 + v * log(where(gt(u, 0), u, one))), v.shape());
        }
        return d;
      });
}

Tensor add(const Tensor& x, const Tensor& y) {
  const auto [a, b] = Operands("add", x, y);
  return record(kAdd, binary("add", Binary::add, a, b), {a, b},
                [sa = a.shape(), sb = b.shape()](Backward& g) {
                  return Tensors{g.needs(0) ? sum_to(g.dy(), sa) : Tensor(),
                                 g.needs(1) ? sum_to(g.dy(), sb) : Tensor()};
                });
}

Tensor add(const Tensor& a, double b) {
  return record(kAdd, binary("add", Binary::add, a, b), {a}, [](Backward& g) { return g.dy(); });
}

Tensor sub(const Tensor& x, const Tensor& y) {
  const auto [a, b] = Operands("sub", x, y);
  return record(kSub, binary("sub", Binary::sub, a, b), {a, b},
                [sa = a.shape(), sb = b.shape()](Backward& g) {
                  return Tensors{g.needs(0) ? sum_to(g.dy(), sa) : Tensor(),
                                 g.needs(1) ? sum_to(-g.dy(), sb) : Tensor()};
                });
}

Tensor mul(const Tensor& x, const Tensor& y) {
  const auto [a, b] = Operands("mul", x, y);
  return record(kMul, binary("mul", Binary::mul, a, b), {a, b},
                [a = save(a), b = save(b)](Backward& g) {
                  const Tensor u = g.saved(a), v = g.saved(b);
                  return Tensors{g.needs(0) ? sum_to(g.dy() * v, u.shape()) : Tensor(),
                                 g.needs(1) ? sum_to(g.dy() * u, v.shape()) : Tensor()};
                });
}

Tensor mul(const Tensor& a, double b) {
  return record(kMul, binary("mul", Binary::mul, a, b), {a},
                [b](Backward& g) { return g.dy() * b; });
}

Tensor div(const Tensor& x, const Tensor& y) {
  check(x.defined() && y.defined(), "div: an operand is undefined");
  const DType dtype =
      promote(promote(x.dtype(), y.dtype()), kFloat32);  // true division, as in PyTorch
  const Tensor a = to(x, dtype), b = to(y, dtype);
  return record(kDiv, binary("div", Binary::div, a, b), {a, b},
                [a = save(a), b = save(b)](Backward& g) {  // d/da = 1/b, d/db = -a/b^2
                  const Tensor u = g.saved(a), v = g.saved(b);
                  return Tensors{
                      g.needs(0) ? sum_to(g.dy() / v, u.shape()) : Tensor(),
                      g.needs(1) ? sum_to(-ratio(g.dy(), u, v, v), v.shape()) : Tensor()};
                });
}

Tensor div(const Tensor& x, double b) {
  check(x.defined(), "div: the operand is undefined");
  const Tensor a = to(x, promote(x.dtype(), kFloat32));
  return record(kDiv, binary("div", Binary::div, a, b), {a},
                [b](Backward& g) { return g.dy() / b; });
}

Tensor pow(const Tensor& x, const Tensor& y) {
  const auto [a, b] = Operands("pow", x, y);
  return record(kPow, binary("pow", Binary::pow, a, b), {a, b},
                [a = save(a), b = save(b)](Backward& g) {
                  // d/da = b a^(b-1), 0 where b = 0;  d/db = a^b log a, 0 where a = 0
                  const Tensor u = g.saved(a), v = g.saved(b);
                  Tensors d(2);
                  if (g.needs(0)) d[0] = sum_to(pow_slope(g.dy(), u, v), u.shape());
                  if (g.needs(1)) {
                    const Tensor safe = where(gt(u, 0), u, ones({}, u.dtype()));
                    d[1] = sum_to(g.dy() * pow(u, v) * log(safe), v.shape());
                  }
                  return d;
                });
}

Tensor pow(const Tensor& a, double exponent) {
  check(!a.defined() || is_floating(a.dtype()) || exponent >= 0 || exponent != std::floor(exponent),
        "pow: integers to a negative power are not whole; got {}; convert with to(x, kFloat32)",
        exponent);
  return record(kPow, binary("pow", Binary::pow, a, exponent), {a},
                [a = save(a), exponent](Backward& g) {
                  if (exponent == 0) return g.dy() * 0.0;
                  if (exponent == 1) return g.dy();
                  const Tensor u = g.saved(a);
                  if (exponent == 2) return g.dy() * (u * 2);
                  return pow_slope(g.dy(), u, scalar(exponent, u.dtype()));
                });
}

Tensor maximum(const Tensor& x, const Tensor& y) {
  const auto [a, b] = Operands("maximum", x, y);
  return record(kMaximum, binary("maximum", Binary::maximum, a, b), {a, b},
                [a = save(a), b = save(b)](Backward& g) {
                  return choose(g, a, b, [](const Tensor& u, const Tensor& v) { return ge(u, v); });
                });
}

Tensor minimum(const Tensor& x, const Tensor& y) {
  const auto [a, b] = Operands("minimum", x, y);
  return record(kMinimum, binary("minimum", Binary::minimum, a, b), {a, b},
                [a = save(a), b = save(b)](Backward& g) {
                  return choose(g, a, b, [](const Tensor& u, const Tensor& v) { return le(u, v); });
                });
}

namespace {

// The shapes that every broadcasting op is sampled on.
template <class F>
void add_broadcasts(Samples& s, const std::string& who, F f,
                    Tensor (*make)(Samples&, const Shape&)) {
  auto op = [f](const Tensors& in) { return f(in[0], in[1]); };
  s.add("same shape", {make(s, {2, 3}), make(s, {2, 3})}, op);
  s.add("row", {make(s, {4, 3}), make(s, {3})}, op);
  s.add("column", {make(s, {4, 1}), make(s, {1, 5})}, op);
  s.add("rank 0", {make(s, {}), make(s, {2, 1, 3})}, op);
  s.add("empty", {make(s, {0, 3}), make(s, {3})}, op);
  s.add_error({s.normal({2, 3}), s.normal({4})}, op,
              who + ": shapes do not broadcast; got [2, 3] and [4]");
}

Tensor any(Samples& s, const Shape& shape) { return s.normal(shape); }
Tensor positive(Samples& s, const Shape& shape) { return s.uniform(shape, 0.5, 2.0); }

template <class F>
void add_reused(Samples& s, F f, Tensor x) {
  s.add("reused input", {std::move(x)}, [f](const Tensors& in) { return f(in[0], in[0]); });
}

const Op kAdd{"add", [](Samples& s) {
                auto f = [](const Tensor& a, const Tensor& b) { return add(a, b); };
                add_broadcasts(s, "add", f, any);
                add_reused(s, f, s.normal({3}));
                s.add("number", {s.normal({3})}, [](const Tensors& in) { return add(in[0], 1.5); });
                s.add("transposed", {s.transposed({3, 4}), s.normal({3, 4})},
                      [](const Tensors& in) { return add(in[0], in[1]); });
              }};
const Op kSub{"sub", [](Samples& s) {
                auto f = [](const Tensor& a, const Tensor& b) { return sub(a, b); };
                add_broadcasts(s, "sub", f, any);
              }};
const Op kMul{"mul", [](Samples& s) {
                auto f = [](const Tensor& a, const Tensor& b) { return mul(a, b); };
                add_broadcasts(s, "mul", f, any);
                add_reused(s, f, s.normal({3}));
                s.add("number", {s.normal({3})},
                      [](const Tensors& in) { return mul(in[0], -2.5); });
              }};
const Op kDiv{"div", [](Samples& s) {
                auto f = [](const Tensor& a, const Tensor& b) { return div(a, b); };
                add_broadcasts(s, "div", f, positive);
                s.add("number", {s.normal({3})}, [](const Tensors& in) { return in[0] / 3; });
                s.add("of a number", {positive(s, {3})},
                      [](const Tensors& in) { return 3 / in[0]; });
              }};
const Op kPow{"pow", [](Samples& s) {
                add_broadcasts(
                    s, "pow", [](const Tensor& a, const Tensor& b) { return pow(a, b); }, positive);
                s.add("square of negatives", {s.normal({5})},
                      [](const Tensors& in) { return pow(in[0], 2); });
                s.add("number", {positive(s, {5})},
                      [](const Tensors& in) { return pow(in[0], -1.5); });
                s.add_error(
                    {s.integers({3}, 4)}, [](const Tensors& in) { return pow(in[0], -2); },
                    "pow: integers to a negative power are not whole; got -2; convert with to(x, "
                    "kFloat32)");
              }};

const Op kRatio{
    "ratio", [](Samples& s) {
      auto f = [](const Tensors& in) { return ratio(in[0], in[1], in[2], in[3]); };
      auto composed = [](const Tensors& in) { return in[0] * in[1] / (in[2] * in[3]); };
      s.add("same shape", {s.normal({5}), s.normal({5}), positive(s, {5}), positive(s, {5})}, f,
            composed);
      s.add("broadcast", {s.normal({2, 3}), s.normal({3}), positive(s, {2, 1}), positive(s, {})}, f,
            composed);
      s.add("reused input", {s.normal({3}), positive(s, {3})},
            [](const Tensors& in) { return ratio(in[0], in[0], in[1], in[1]); });
    }};

const Op kPowSlope{
    "pow_slope", [](Samples& s) {
      auto f = [](const Tensors& in) { return pow_slope(in[0], in[1], in[2]); };
      auto composed = [](const Tensors& in) { return in[0] * in[2] * pow(in[1], in[2] - 1); };
      s.add("same shape", {s.normal({5}), positive(s, {5}), positive(s, {5})}, f, composed);
      s.add("broadcast", {s.normal({2, 3}), positive(s, {3}), positive(s, {2, 1})}, f, composed);
    }};

// Broadcast pairs that never tie: one operand well above or below zero where the other is near it.
template <class F>
void add_untied(Samples& s, F f) {
  s.add("same shape", {s.distinct({3, 4}), s.normal({3, 4})},
        [f](const Tensors& in) { return f(in[0], in[1]); });
  s.add("broadcast", {s.distinct({2, 1, 3}), s.normal({4, 1})},
        [f](const Tensors& in) { return f(in[0], in[1]); });
}
const Op kMaximum{"maximum", [](Samples& s) {
                    add_untied(s, [](const Tensor& a, const Tensor& b) { return maximum(a, b); });
                  }};
const Op kMinimum{"minimum", [](Samples& s) {
                    add_untied(s, [](const Tensor& a, const Tensor& b) { return minimum(a, b); });
                  }};

}  // namespace
}  // namespace weft
