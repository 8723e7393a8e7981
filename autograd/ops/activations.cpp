// tanh, sigmoid, relu, gelu, silu, softplus. With s = sigmoid(x), Phi and phi the normal
// distribution's function and density:
//   tanh' = 1 - y^2    sigmoid' = s(x) s(-x)        relu' = [x > 0]
//   softplus' = s      silu' = s(x) (1 + x s(-x))   gelu' = Phi(x) + x phi(x)
// Backward is one pass of kernels::unary_grad, from x: where y is near 1, 1 - y has lost its
// digits.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops/detail/elementwise.h>

namespace weft {
namespace {

using kernels::Unary;

constexpr double kInvSqrt2Pi = 0.39894228040143267794;  // 1 / sqrt(2 pi)
constexpr double kSqrt2OverPi = 0.79788456080286535588;
constexpr double kTanhCubic = 0.044715;

template <class F>
void add_layouts(Samples& s, F f, double kink_gap = 0) {
  auto make = [&](const Shape& shape) { return s.away_from(shape, {0}, kink_gap); };
  auto op = [f](const Tensors& in) { return f(in[0]); };
  s.add("plain", {make({3, 5})}, op);
  s.add("transposed", {transpose(make({4, 3}), 0, 1)}, op);
  s.add("rank 0", {make({})}, op);
  s.add("empty", {make({0, 3})}, op);
  s.add("large", {make({7})}, [f](const Tensors& in) { return f(in[0] * 8); });
  s.add("twice", {make({5})}, [f](const Tensors& in) { return f(in[0]) * f(in[0] + 0.01); });
}

template <Tensor (*f)(const Tensor&)>
void add_plain(Samples& s) {
  add_layouts(s, f, 0.02);
}

const Op kTanh{"tanh", add_plain<tanh>};
const Op kSigmoid{"sigmoid", [](Samples& s) {
                    add_plain<sigmoid>(s);
                    s.add_error(
                        {s.integers({3}, 2)}, [](const Tensors& in) { return sigmoid(in[0]); },
                        "sigmoid: expected a floating dtype; got int64");
                  }};
const Op kRelu{"relu", add_plain<relu>};
const Op kSilu{"silu", add_plain<silu>};
const Op kSoftplus{"softplus", [](Samples& s) {
                     add_plain<softplus>(s);
                     s.add(
                         "composed", {s.normal({5})},
                         [](const Tensors& in) { return softplus(in[0]); },
                         [](const Tensors& in) { return log(exp(in[0]) + 1); });
                   }};
const Op kGelu{"gelu", [](Samples& s) {
                 for (Gelu form : {Gelu::exact, Gelu::tanh})
                   add_layouts(s, [form](const Tensor& x) { return gelu(x, form); });
                 s.add(
                     "tanh form, composed", {s.normal({5})},
                     [](const Tensors& in) { return gelu(in[0], Gelu::tanh); },
                     [](const Tensors& in) {
                       const Tensor x = in[0];
                       return x * 0.5 * (tanh((x + pow(x, 3) * kTanhCubic) * kSqrt2OverPi) + 1);
                     });
               }};

// dy f'(x) as an op, for gradients of gradients; `curvature(x, g)` is g f''(x).
using Curvature = Tensor (*)(const Tensor& x, const Tensor& g);

Tensor slope(const Op& op, Unary kernel, Curvature curvature, const Tensor& x, const Tensor& dy) {
  Tensor dx;
  {
    const OpScope inside;
    dx = unary_grad(kernel, x, {}, dy);
  }
  return record(op, dx, {x, dy}, [=, &op, x = save(x), dy = save(dy)](Backward& b) {
    const Tensor v = b.saved(x);
    return Tensors{b.needs(0) ? curvature(v, b.dy()) * b.saved(dy) : Tensor(),
                   b.needs(1) ? slope(op, kernel, curvature, v, b.dy()) : Tensor()};
  });
}

// y = kernel(x), entered in the graph. Backward is one pass, or `formula(x, dy)` where the gradient
// must itself be differentiable.
template <class Formula>
Tensor record_from_x(const Op& op, Unary kernel, const Tensor& x, Formula formula) {
  return record(op, unary(op.name, kernel, x), {x}, [x = save(x), kernel, formula](Backward& b) {
    if (grad_enabled()) return formula(b.saved(x), b.dy());
    return unary_grad(kernel, b.saved(x), {}, b.dy());
  });
}

Tensor record_with(const Op& op, Unary kernel, Curvature curvature, const Tensor& x) {
  return record_from_x(op, kernel, x, [&op, kernel, curvature](const Tensor& v, const Tensor& dy) {
    return slope(op, kernel, curvature, v, dy);
  });
}

// tanh'' = -2 tanh tanh'
Tensor tanh_curvature(const Tensor& x, const Tensor& g) {
  return slope(kTanh, Unary::tanh, tanh_curvature, x, g * tanh(x) * -2);
}

// sigmoid'' = sigmoid' (s(-x) - s(x)), and the difference is -tanh(x / 2)
Tensor sigmoid_curvature(const Tensor& x, const Tensor& g) {
  return slope(kSigmoid, Unary::sigmoid, sigmoid_curvature, x, -(g * tanh(x * 0.5)));
}

// The following are 0 far from 0. Powers of x are taken no further, or they would overflow and be
// infinity times that 0.

// silu'' = sigmoid'(x) (2 - x tanh(x / 2))
Tensor silu_curvature(const Tensor& x, const Tensor& g) {
  const Tensor c = clamp(x, -1000, 1000);
  return slope(kSigmoid, Unary::sigmoid, sigmoid_curvature, x, g) * (2 - c * tanh(c * 0.5));
}

// gelu'' = phi(x) (2 - x^2)
Tensor gelu_curvature(const Tensor& x, const Tensor& g) {
  const Tensor c = clamp(x, -40, 40), square = c * c;
  return g * (exp(square * -0.5) * (2 - square) * kInvSqrt2Pi);
}

// With z = 2 sqrt(2 / pi) (x + c x^3): y = x s(z), y' = s(z) (1 + x s(-z) z'),
// y'' = sigmoid'(z) (2 z' + x z'' - x z'^2 tanh(z / 2)).
Tensor gelu_tanh_curvature(const Tensor& x, const Tensor& g) {
  constexpr double kSlope = 2 * kSqrt2OverPi;
  const Tensor v = clamp(x, -30, 30), square = v * v;
  const Tensor z = v * (square * kTanhCubic + 1) * kSlope;
  const Tensor dz = (square * (3 * kTanhCubic) + 1) * kSlope;
  const Tensor straight = (square * (12 * kTanhCubic) + 2) * kSlope;  // 2 z' + x z''
  return slope(kSigmoid, Unary::sigmoid, sigmoid_curvature, z, g) *
         (straight - v * dz * dz * tanh(z * 0.5));
}

}  // namespace

Tensor tanh(const Tensor& x) { return record_with(kTanh, Unary::tanh, tanh_curvature, x); }

Tensor sigmoid(const Tensor& x) {
  return record_with(kSigmoid, Unary::sigmoid, sigmoid_curvature, x);
}

Tensor relu(const Tensor& x) {
  Tensor y = unary("relu", Unary::relu, x);
  return record(kRelu, y, {x}, [y = save_output(y)](Backward& b) {
    if (grad_enabled()) return masked_fill(b.dy(), le(b.saved(y), 0), 0);
    return unary_grad(Unary::relu, {}, b.saved(y), b.dy());
  });
}

Tensor silu(const Tensor& x) { return record_with(kSilu, Unary::silu, silu_curvature, x); }

Tensor softplus(const Tensor& x) {
  return record_from_x(kSoftplus, Unary::softplus, x,
                       [](const Tensor& v, const Tensor& dy) { return dy * sigmoid(v); });
}

Tensor gelu(const Tensor& x, Gelu form) {
  if (form == Gelu::exact) return record_with(kGelu, Unary::gelu, gelu_curvature, x);
  return record_with(kGelu, Unary::gelu_tanh, gelu_tanh_curvature, x);
}

}  // namespace weft
