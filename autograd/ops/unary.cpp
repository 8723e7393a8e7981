// Functions of one number: exp, log, sqrt, rsqrt, abs, clamp.
//   exp' = y    log' = 1/x    sqrt' = 1/(2y)    rsqrt' = -y^3/2    abs' = sign x
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops/detail/elementwise.h>

namespace weft {
namespace {

using kernels::Binary;
using kernels::Unary;

extern const Op kExp, kLog, kSqrt, kRsqrt, kAbs, kClamp;

// -1, 0 or 1, without gradient.
Tensor sign(const Tensor& x) {
  const OpScope inside;
  return unary("sign", Unary::sign, x);
}

}  // namespace

Tensor exp(const Tensor& x) {
  Tensor y = unary("exp", Unary::exp, x);
  return record(kExp, y, {x}, [y = save_output(y)](Backward& b) { return b.dy() * b.saved(y); });
}

Tensor log(const Tensor& x) {
  return record(kLog, unary("log", Unary::log, x), {x},
                [x = save(x)](Backward& b) { return b.dy() / b.saved(x); });
}

Tensor sqrt(const Tensor& x) {
  Tensor y = unary("sqrt", Unary::sqrt, x);
  return record(kSqrt, y, {x},
                [y = save_output(y)](Backward& b) { return b.dy() / (b.saved(y) * 2); });
}

Tensor rsqrt(const Tensor& x) {
  Tensor y = unary("rsqrt", Unary::rsqrt, x);
  return record(kRsqrt, y, {x}, [y = save_output(y)](Backward& b) {
    const Tensor v = b.saved(y);  // its cube may leave the range of its type: 4 y^3 is y^4's slope
    return pow_slope(b.dy() * -0.125, v, scalar(4, v.dtype()));
  });
}

Tensor abs(const Tensor& x) {
  return record(kAbs, unary("abs", Unary::abs, x), {x},
                [x = save(x)](Backward& b) { return b.dy() * sign(b.saved(x)); });
}

Tensor clamp(const Tensor& x, double lo, double hi) {
  check(lo <= hi, "clamp: lo must not exceed hi; got {} and {}", lo, hi);
  check(x.defined(), "clamp: the operand is undefined");
  constexpr double kInf = std::numeric_limits<double>::infinity();
  Tensor y =
      x.detach();  // bounds that bind nothing are left out: they would make integers floating
  if (lo > -kInf) y = binary("clamp", Binary::maximum, y, lo);
  if (hi < kInf) y = binary("clamp", Binary::minimum, y, hi);
  return record(kClamp, y, {x}, [x = save(x), lo, hi](Backward& b) {
    const Tensor u = b.saved(x);
    return where(logical_and(ge(u, lo), le(u, hi)), b.dy(), zeros({}, u.dtype()));
  });
}

namespace {

template <Tensor (*f)(const Tensor&)>
Tensor apply(const Tensors& in) {
  return f(in[0]);
}

// Shapes and layouts for an op of one operand; `x` has at least one element.
template <Tensor (*f)(const Tensor&)>
void add_layouts(Samples& s, const Tensor& x) {
  s.add("plain", {x}, apply<f>);
  s.add("transposed", {x.strided_view({x.size(1), x.size(0)}, {1, x.size(1)})}, apply<f>);
  s.add("rank 0", {x.strided_view({}, {})}, apply<f>);
  s.add("empty", {x.strided_view({0, 3}, {3, 1})}, apply<f>);
}

const Op kExp{"exp", [](Samples& s) { add_layouts<exp>(s, s.normal({3, 5})); }};
const Op kLog{"log", [](Samples& s) { add_layouts<log>(s, s.uniform({3, 5}, 0.5, 3)); }};
const Op kSqrt{"sqrt", [](Samples& s) { add_layouts<sqrt>(s, s.uniform({3, 5}, 0.5, 3)); }};
const Op kRsqrt{"rsqrt", [](Samples& s) { add_layouts<rsqrt>(s, s.uniform({3, 5}, 0.5, 3)); }};
const Op kAbs{"abs", [](Samples& s) { add_layouts<abs>(s, s.away_from({3, 5}, {0})); }};
const Op kClamp{"clamp", [](Samples& s) {
                  s.add("both", {s.away_from({4, 5}, {-0.5, 0.7})},
                        [](const Tensors& in) { return clamp(in[0], -0.5, 0.7); });
                  s.add("below", {s.away_from({4, 5}, {0.1})},
                        [](const Tensors& in) { return clamp(in[0], 0.1); });
                  s.add_error(
                      {s.normal({2})}, [](const Tensors& in) { return clamp(in[0], 1, 0); },
                      "clamp: lo must not exceed hi; got 1 and 0");
                }};

}  // namespace
}  // namespace weft
