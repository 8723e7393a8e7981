// tanh, sigmoid, relu, gelu, silu, softplus. With s = sigmoid(x), Phi and phi the normal
// distribution's function and density:
//   tanh' = 1 - y^2    sigmoid' = s(x) s(-x)        relu' = [x > 0]
//   softplus' = s      silu' = s(x) (1 + x s(-x))   gelu' = Phi(x) + x phi(x)
// Backward is one pass of kernels::unary_grad, from x: where y is near 1, 1 - y has lost its
// digits. Where no formula in other ops keeps them, dy f'(x) is an op of its own, f_backward, whose
// gradients are g dy f''(x) and g f'(x).
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops/detail/elementwise.h>

namespace weft {
namespace {

using kernels::Unary;

extern const Op kTanh, kTanhBackward, kSigmoid, kSigmoidBackward, kRelu, kSilu, kSiluBackward,
    kSoftplus, kGelu, kGeluBackward;

// tanh'' = -2 tanh tanh'
Tensor tanh_backward(const Tensor& x, const Tensor& dy) {
  return record(kTanhBackward, unary_grad(Unary::tanh, x, {}, dy), {x, dy},
                [x = save(x), dy = save(dy)](Backward& b) {
                  const Tensor v = b.saved(x), g = b.dy();
                  Tensors d(2);
                  if (b.needs(0)) d[0] = tanh_backward(v, g * tanh(v) * -2) * b.saved(dy);
                  if (b.needs(1)) d[1] = tanh_backward(v, g);
                  return d;
                });
}

}  // namespace

Tensor tanh(const Tensor& x) {
  return record(kTanh, unary("tanh", Unary::tanh, x), {x},
                [x = save(x)](Backward& b) { return tanh_backward(b.saved(x), b.dy()); });
}

namespace {

// sigmoid'' = sigmoid' (s(-x) - s(x)), and the difference is -tanh(x / 2)
Tensor sigmoid_backward(const Tensor& x, const Tensor& dy) {
  return record(kSigmoidBackward, unary_grad(Unary::sigmoid, x, {}, dy), {x, dy},
                [x = save(x), dy = save(dy)](Backward& b) {
                  const Tensor v = b.saved(x), g = b.dy();
                  Tensors d(2);
                  if (b.needs(0)) d[0] = sigmoid_backward(v, -(g * tanh(v * 0.5))) * b.saved(dy);
                  if (b.needs(1)) d[1] = sigmoid_backward(v, g);
                  return d;
                });
}

}  // namespace

Tensor sigmoid(const Tensor& x) {
  return record(kSigmoid, unary("sigmoid", Unary::sigmoid, x), {x},
                [x = save(x)](Backward& b) { return sigmoid_backward(b.saved(x), b.dy()); });
}

Tensor relu(const Tensor& x) {
  Tensor y = unary("relu", Unary::relu, x);
  return record(kRelu, y, {x}, [y = save_output(y)](Backward& b) {
    if (b.first_order()) return unary_grad(Unary::relu, {}, b.saved(y), b.dy());
    return masked_fill(b.dy(), le(b.saved(y), 0), 0);
  });
}

Tensor softplus(const Tensor& x) {
  return record(kSoftplus, unary("softplus", Unary::softplus, x), {x}, [x = save(x)](Backward& b) {
    if (b.first_order()) return unary_grad(Unary::softplus, b.saved(x), {}, b.dy());
    return b.dy() * sigmoid(b.saved(x));
  });
}

namespace {

// The second derivatives of silu and gelu are 0 far from 0. Powers of x are taken no further, or
// they would overflow and be infinity times that 0.

// g silu''(x), silu'' = sigmoid'(x) (2 - x tanh(x / 2))
Tensor silu_curvature(const Tensor& x, const Tensor& g) {
  const Tensor c = clamp(x, -1000, 1000);
  return sigmoid_backward(x, g) * (2 - c * tanh(c * 0.5));
}

Tensor silu_backward(const Tensor& x, const Tensor& dy) {
  return record(kSiluBackward, unary_grad(Unary::silu, x, {}, dy), {x, dy},
                [x = save(x), dy = save(dy)](Backward& b) {
                  const Tensor v = b.saved(x), g = b.dy();
                  Tensors d(2);
                  if (b.needs(0)) d[0] = silu_curvature(v, g) * b.saved(dy);
                  if (b.needs(1)) d[1] = silu_backward(v, g);
                  return d;
                });
}

}  // namespace

Tensor silu(const Tensor& x) {
  return record(kSilu, unary("silu", Unary::silu, x), {x},
                [x = save(x)](Backward& b) { return silu_backward(b.saved(x), b.dy()); });
}

namespace {

constexpr double kInvSqrt2Pi = 0.39894228040143267794;  // 1 / sqrt(2 pi)
constexpr double kSqrt2OverPi = 0.79788456080286535588;
constexpr double kTanhCubic = 0.044715;

Unary kernel_of(Gelu form) { return form == Gelu::exact ? Unary::gelu : Unary::gelu_tanh; }

// g gelu''(x), gelu'' = phi(x) (2 - x^2)
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
  return sigmoid_backward(z, g) * (straight - v * dz * dz * tanh(z * 0.5));
}

Tensor gelu_backward(const Tensor& x, const Tensor& dy, Gelu form) {
  return record(kGeluBackward, unary_grad(kernel_of(form), x, {}, dy), {x, dy},
                [x = save(x), dy = save(dy), form](Backward& b) {
                  const Tensor v = b.saved(x), g = b.dy();
                  const auto curvature = form == Gelu::exact ? gelu_curvature : gelu_tanh_curvature;
                  Tensors d(2);
                  if (b.needs(0)) d[0] = curvature(v, g) * b.saved(dy);
                  if (b.needs(1)) d[1] = gelu_backward(v, g, form);
                  return d;
                });
}

}  // namespace

Tensor gelu(const Tensor& x, Gelu form) {
  return record(kGelu, unary("gelu", kernel_of(form), x), {x}, [x = save(x), form](Backward& b) {
    return gelu_backward(b.saved(x), b.dy(), form);
  });
}

namespace {

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

// Of f_backward: x and dy.
template <class F>
void add_slopes(Samples& s, F f) {
  auto op = [f](const Tensors& in) { return f(in[0], in[1]); };
  s.add("plain", {s.normal({3, 5}), s.normal({3, 5})}, op);
  s.add("transposed", {s.transposed({3, 4}), s.transposed({3, 4})}, op);
  s.add("rank 0", {s.normal({}), s.normal({})}, op);
  s.add("empty", {s.normal({0, 3}), s.normal({0, 3})}, op);
  s.add("reused input", {s.normal({5})}, [f](const Tensors& in) { return f(in[0], in[0]); });
}

const Op kTanh{"tanh", add_plain<tanh>};
const Op kTanhBackward{"tanh_backward", [](Samples& s) { add_slopes(s, tanh_backward); }};
const Op kSigmoid{"sigmoid", [](Samples& s) {
                    add_plain<sigmoid>(s);
                    s.add_error(
                        {s.integers({3}, 2)}, [](const Tensors& in) { return sigmoid(in[0]); },
                        "sigmoid: expected a floating dtype; got int64");
                  }};
const Op kSigmoidBackward{"sigmoid_backward", [](Samples& s) { add_slopes(s, sigmoid_backward); }};
const Op kRelu{"relu", add_plain<relu>};
const Op kSilu{"silu", add_plain<silu>};
const Op kSiluBackward{"silu_backward", [](Samples& s) { add_slopes(s, silu_backward); }};
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
const Op kGeluBackward{"gelu_backward", [](Samples& s) {
                         for (Gelu form : {Gelu::exact, Gelu::tanh})
                           add_slopes(s, [form](const Tensor& x, const Tensor& dy) {
                             return gelu_backward(x, dy, form);
                           });
                       }};

}  // namespace
}  // namespace weft
