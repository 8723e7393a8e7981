// tanh, sigmoid, relu, gelu, silu, softplus. With s = sigmoid(x), Phi and phi the normal
// distribution's function and density:
//   tanh' = 1 - y^2    sigmoid' = y (1 - y)        relu' = [x > 0]
//   softplus' = s      silu' = s (1 + x (1 - s))   gelu' = Phi(x) + x phi(x)
// Backward is one pass of kernels::unary_grad; the formulas are for gradients of gradients.
#include <weft/autograd/op.h>
#include <weft/autograd/ops/elementwise.h>
#include <weft/autograd/samples.h>

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

// y = kernel(x), entered in the graph with what its derivative is a function of: y or x, not both.
// Backward is one pass, or `formula(y or x, dy)` where the gradient must itself be differentiable.
template <class Formula>
Tensor record_from_y(const Op& op, Unary kernel, const Tensor& x, Formula formula) {
  Tensor y = unary(op.name, kernel, x);
  return record(op, y, {x}, [y = save_output(y), kernel, formula](Backward& b) {
    if (grad_enabled()) return formula(b.saved(y), b.dy());
    return unary_grad(kernel, {}, b.saved(y), b.dy());
  });
}

template <class Formula>
Tensor record_from_x(const Op& op, Unary kernel, const Tensor& x, Formula formula) {
  return record(op, unary(op.name, kernel, x), {x}, [x = save(x), kernel, formula](Backward& b) {
    if (grad_enabled()) return formula(b.saved(x), b.dy());
    return unary_grad(kernel, contiguous(b.saved(x)), {}, b.dy());
  });
}

// dy (Phi(x) + x phi(x)), as an op: Phi has no name in ops.h. Its x-gradient: phi(x) (2 - x^2).
Tensor gelu_grad(const Tensor& x, const Tensor& dy) {
  Tensor dx;
  {
    const OpScope inside;
    dx = unary_grad(Unary::gelu, contiguous(x), {}, dy);
  }
  return record(kGelu, dx, {x, dy}, [x = save(x), dy = save(dy)](Backward& b) {
    const Tensor v = b.saved(x), square = v * v;
    const Tensor slope = exp(square * -0.5) * (2 - square) * kInvSqrt2Pi;
    return Tensors{b.dy() * b.saved(dy) * slope, gelu_grad(v, b.dy())};
  });
}

// With z = 2 sqrt(2 / pi) (x + c x^3) and s the sigmoid: y = x s(z), y' = s(z) (1 + x s(-z) z').
// s(-z) is 1 - s(z), but float32 cannot tell that from 0 where x is large.
Tensor gelu_tanh_grad(const Tensor& x, const Tensor& dy) {
  const Tensor z = (x + pow(x, 3) * kTanhCubic) * (2 * kSqrt2OverPi);
  const Tensor slope = (x * x * (3 * kTanhCubic) + 1) * (2 * kSqrt2OverPi);
  return dy * sigmoid(z) * (1 + x * sigmoid(-z) * slope);
}

}  // namespace

Tensor tanh(const Tensor& x) {
  return record_from_y(kTanh, Unary::tanh, x,
                       [](const Tensor& y, const Tensor& dy) { return dy * (1 - y * y); });
}

Tensor sigmoid(const Tensor& x) {
  return record_from_y(kSigmoid, Unary::sigmoid, x,
                       [](const Tensor& y, const Tensor& dy) { return dy * y * (1 - y); });
}

Tensor relu(const Tensor& x) {
  return record_from_y(kRelu, Unary::relu, x, [](const Tensor& y, const Tensor& dy) {
    return masked_fill(dy, le(y, 0), 0);
  });
}

Tensor silu(const Tensor& x) {
  return record_from_x(kSilu, Unary::silu, x, [](const Tensor& v, const Tensor& dy) {
    const Tensor s = sigmoid(v);
    return dy * s * (1 + v * (1 - s));
  });
}

Tensor softplus(const Tensor& x) {
  return record_from_x(kSoftplus, Unary::softplus, x,
                       [](const Tensor& v, const Tensor& dy) { return dy * sigmoid(v); });
}

Tensor gelu(const Tensor& x, Gelu form) {
  if (form == Gelu::exact) return record_from_x(kGelu, Unary::gelu, x, gelu_grad);
  return record_from_x(kGelu, Unary::gelu_tanh, x, gelu_tanh_grad);
}

}  // namespace weft
