// Ops that are short formulas of others, which make their gradients of every order.
//   rms_norm: y = x / sqrt(mean x^2 + eps) * weight   (Zhang and Sennrich 2019, arXiv:1910.07467)
//   glu:      y = a sigmoid(b), x = [a ; b]           (Dauphin et al. 2017, arXiv:1612.08083)
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/detail/row_units.h>
#include <weft/core/detail/check.h>

#include <limits>

namespace weft {

Tensor rms_norm(const Tensor& x, const Tensor& weight, std::optional<double> eps) {
  check(x.defined(), "rms_norm: the operand is undefined");
  check(x.dim() > 0, "rms_norm: needs at least one dim; got shape {}", x.shape());
  if (!is_floating(x.dtype())) fail_not_floating("rms_norm", x.dtype());
  const Tensor last = weight.defined() ? weight : ones({x.size(-1)}, x.dtype());
  check(last.shape() == Shape{x.size(-1)},
        "rms_norm: weight must have the shape of the last dim, [{}]; got {}", x.size(-1),
        last.shape());
  const double tiny = x.dtype() == kFloat32 ? std::numeric_limits<float>::epsilon()
                                            : std::numeric_limits<double>::epsilon();
  const double added = eps.value_or(tiny);
  Tensor u = x, squares = mean(x * x, {-1}, true) + added;
  if (const Tensor units = units_of_rows(x, squares); units.defined()) {
    u = x * units;
    squares = mean(u * u, {-1}, true) + in_squared_units(added, units);
  }
  const Tensor y = u * rsqrt(squares);
  return weight.defined() ? y * weight : y;
}

Tensor glu(const Tensor& x, int dim) {
  check(x.defined(), "glu: the operand is undefined");
  check(x.dim() > 0, "glu: needs at least one dim; got shape {}", x.shape());
  const int d = normalize_dim("glu", dim, x.shape());
  check(x.size(d) % 2 == 0, "glu: the size of dim {} must be even; got shape {}", dim, x.shape());
  const int64_t half = x.size(d) / 2;
  const Tensors parts = split(x, {half, half}, d);
  return parts[0] * sigmoid(parts[1]);
}

namespace {

const Op kRmsNorm{"rms_norm", [](Samples& s) {
                    auto weighted = [](const Tensors& in) { return rms_norm(in[0], in[1]); };
                    s.add("weight", {s.normal({3, 5}), s.normal({5})}, weighted);
                    s.add("plain", {s.normal({2, 2, 4})},
                          [](const Tensors& in) { return rms_norm(in[0], {}, 0.1); });
                    s.add("transposed", {s.transposed({3, 4}), s.normal({4})}, weighted);
                    s.add("no rows", {s.normal({0, 3}), s.normal({3})}, weighted);
                    s.add_error(
                        {s.normal({2, 3}), s.normal({2})}, weighted,
                        "rms_norm: weight must have the shape of the last dim, [3]; got [2]");
                    s.add_error({s.normal({}), s.normal({1})}, weighted,
                                "rms_norm: needs at least one dim; got shape []");
                    s.add_error({s.integers({3}, 2), s.normal({3})}, weighted,
                                "rms_norm: expected a floating dtype; got int64");
                  }};

const Op kGlu{"glu", [](Samples& s) {
                auto along = [](int dim) {
                  return [dim](const Tensors& in) { return glu(in[0], dim); };
                };
                s.add("last dim", {s.normal({3, 4})}, along(-1));
                s.add("first dim", {s.normal({4, 3})}, along(0));
                s.add("transposed", {s.transposed({3, 6})}, along(1));
                s.add("empty", {s.normal({3, 0})}, along(1));
                s.add_error({s.normal({2, 3})}, along(-1),
                            "glu: the size of dim -1 must be even; got shape [2, 3]");
                s.add_error({s.normal({})}, along(0), "glu: needs at least one dim; got shape []");
              }};

}  // namespace
}  // namespace weft
