// Layer normalization over the last dim (Ba et al. 2016).
//   h = (x - mean) / sqrt(var + eps),  y = h weight + bias,  var of the D elements (not D - 1)
// With g = dy weight:  dx = (g - avg g - h avg(g h)) / sqrt(var + eps),
//   dweight = sum over rows of dy h,  dbias = sum over rows of dy
//
// residual_layer_norm: y = layer_norm(s), s = x + dropout(branch), in one pass that keeps s. Its
// gradients: ds as above for both terms, through dropout for the branch.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/detail/optional_data.h>
#include <weft/autograd/ops/detail/row_units.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/dropout.h>
#include <weft/core/kernels/elementwise.h>
#include <weft/core/kernels/layer_norm.h>
#include <weft/core/parallel.h>

namespace weft {
namespace {

constexpr int64_t kNormHot = 8192;  // elements that fit into L1
constexpr double kNormCost = 0.6;   // nanoseconds

extern const Op kLayerNorm, kResidualLayerNorm;

// x less its mean, and less what rounding took from the mean, whose derivative is 0.
Tensor deviation(const Tensor& x) {
  const Tensor d = x - mean(x, {-1}, true);
  return d - mean(d.detach(), {-1}, true);
}

// in: x, weight, bias; the last two may be undefined.
Tensors composed(const Tensors& in, double eps) {
  Tensor d = deviation(in[0]);
  Tensor squares = mean(d * d, {-1}, true) + eps;
  if (const Tensor units = units_of_rows(in[0], squares); units.defined()) {
    d = deviation(in[0] * units);
    squares = mean(d * d, {-1}, true) + in_squared_units(eps, units);
  }
  const Tensor h = d * rsqrt(squares);
  const Tensor scaled = in[1].defined() ? h * in[1] : h;
  return {in[2].defined() ? scaled + in[2] : scaled};
}

void check_rows(const char* who, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check(x.dim() > 0, "{}: needs at least one dim; got shape {}", who, x.shape());
  auto check_affine = [&](const Tensor& t, const char* what) {
    if (!t.defined()) return;
    check(t.shape() == Shape{x.size(-1)},
          "{}: {} must have the shape of the last dim, [{}]; got {}", who, what, x.size(-1),
          t.shape());
    check(t.dtype() == x.dtype(), "{}: {} must have the dtype of x, {}; got {}", who, what,
          to_string(x.dtype()), to_string(t.dtype()));
  };
  check_affine(weight, "weight");
  check_affine(bias, "bias");
}

int64_t rows_per_pass(int64_t n) {
  return std::max<int64_t>(1, kNormHot / std::max<int64_t>(n, 1));
}

template <class F>
void for_groups_of_rows(int64_t rows, int64_t n, F f) {
  parallel_for(rows, grain_of_cost(kNormCost * static_cast<double>(n)), f);
}

// Room for what backward needs of the rows, beside x: kernels::RowMoments of each.
Tensor room_for_moments(const Tensor& x) {
  const int64_t rows = x.size(-1) ? x.numel() / x.size(-1) : 0;
  return Tensor({rows, 4}, x.dtype());
}

template <class T>
kernels::RowMoments<T>* moments_in(const Tensor& t) {
  static_assert(sizeof(kernels::RowMoments<T>) == 4 * sizeof(T));
  return static_cast<kernels::RowMoments<T>*>(t.raw());
}

// Layer norm of the rows of s; before(s, begin, end) makes its elements [begin, end) first.
template <class Before>
Tensor forward(const char* who, const Tensor& s, const Tensor& weight, const Tensor& bias,
               double eps, const Tensor& moments, Before before) {
  const OpScope inside;
  Tensor y(s.shape(), s.dtype());
  const Tensor w = weight.defined() ? contiguous(weight) : weight;
  const Tensor b = bias.defined() ? contiguous(bias) : bias;
  const int64_t n = s.size(-1), rows = moments.size(0);
  dispatch_floating(who, s.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *pw = detail::data_or_null<T>(w), *pb = detail::data_or_null<T>(b);
    T *ps = static_cast<T*>(s.raw()), *py = static_cast<T*>(y.raw());
    auto* of_rows = moments_in<T>(moments);
    const int64_t step = rows_per_pass(n);
    for_groups_of_rows(rows, n, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r += step) {
        const int64_t past = std::min(end, r + step);
        before(ps, r * n, past * n);
        kernels::layer_norm_rows<T>(ps + r * n, pw, pb, eps, py + r * n, of_rows + r, past - r, n);
      }
    });
  });
  return y;
}

// Of x, weight and bias; the latter two are inputs `affine` and `affine` + 1.
Tensors backward(const Tensor& x, const Tensor& weight, const Tensor& moments, const Backward& b,
                 int affine) {
  const Tensor dy = contiguous(b.dy()), w = weight.defined() ? contiguous(weight) : weight;
  const int64_t n = x.size(-1), rows = moments.size(0);
  Tensors d(3);
  const bool weight_too = b.needs(affine), bias_too = b.needs(affine + 1);
  if (b.needs(0) || b.needs(affine - 1)) d[0] = Tensor(x.shape(), x.dtype());
  if (weight_too) d[1] = Tensor({n}, x.dtype());
  if (bias_too) d[2] = Tensor({n}, x.dtype());
  dispatch_floating("layer_norm", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *px = x.data<T>(), *pw = detail::data_or_null<T>(w), *pdy = dy.data<T>();
    const kernels::RowMoments<T>* of_rows = moments_in<T>(moments);
    auto out = [&](size_t i) { return d[i].defined() ? static_cast<T*>(d[i].raw()) : nullptr; };
    if (T* dx = out(0))
      for_groups_of_rows(rows, n, [=](int64_t begin, int64_t end) {
        kernels::layer_norm_grad_rows<T>(px + begin * n, pw, of_rows + begin, pdy + begin * n,
                                         dx + begin * n, end - begin, n);
      });
    if (weight_too || bias_too)
      kernels::layer_norm_grad_affine(px, of_rows, pdy, out(1), out(2), rows, n);
  });
  return d;
}

// The vjp of layer norm: gradients of s, weight and bias from that of y. `s` is input 0, weight and
// bias are inputs `affine` and `affine` + 1.
struct NormVjp {
  Saved s, weight, bias, moments;
  double eps;
  int affine;

  Tensors operator()(Backward& b) const {
    const Tensors in{b.saved(s), b.saved(weight), b.saved(bias)};
    if (b.first_order()) return backward(in[0], in[1], b.saved(moments), b, affine);
    return vjp([this](const Tensors& x) { return composed(x, eps); }, in, {b.dy()});
  }
};

}  // namespace

Tensor layer_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, double eps) {
  check(input.defined(), "layer_norm: the operand is undefined");
  check_rows("layer_norm", input, weight, bias);
  const Tensor x = contiguous(input);
  const Tensor moments = room_for_moments(x);
  const Tensor y =
      forward("layer_norm", x, weight, bias, eps, moments, [](auto*, int64_t, int64_t) {});
  return record(kLayerNorm, y, {x, weight, bias},
                NormVjp{save(x), save(weight), save(bias), save(moments), eps, 1});
}

Tensor residual_layer_norm(const Tensor& input, const Tensor& branch, const Tensor& weight,
                           const Tensor& bias, const ResidualNormOptions& o) {
  constexpr const char* kWho = "residual_layer_norm";
  check(input.defined() && branch.defined(), "{}: an operand is undefined", kWho);
  check(input.shape() == branch.shape() && input.dtype() == branch.dtype(),
        "{}: x and branch must agree in shape and dtype; got {} {} and {} {}", kWho, input.shape(),
        to_string(input.dtype()), branch.shape(), to_string(branch.dtype()));
  check(o.dropout >= 0 && o.dropout < 1, "{}: dropout must be in [0, 1); got {}", kWho, o.dropout);
  check_rows(kWho, input, weight, bias);
  const Tensor x = contiguous(input), f = contiguous(branch);
  const Tensor s(x.shape(), x.dtype());
  const Tensor moments = room_for_moments(s);
  const Tensor y =
      forward(kWho, s, weight, bias, o.eps, moments, [&](auto* ps, int64_t begin, int64_t end) {
        using T = std::remove_pointer_t<decltype(ps)>;
        const T *px = x.data<T>() + begin, *pf = f.data<T>() + begin;
        T* out = ps + begin;
        if (o.dropout > 0) kernels::dropout<T>(pf, out, begin, end - begin, o.dropout, o.key);
        kernels::binary<T>(kernels::Binary::add, px, 1, o.dropout > 0 ? out : pf, 1, out,
                           end - begin);
      });
  // s is an output of the node, so that gradients of gradients find the way back through it.
  return record_all(
      kResidualLayerNorm, {y, s}, {x, f, weight, bias},
      [norm = NormVjp{save_output(s, 1), save(weight), save(bias), save(moments), o.eps, 2},
       o](Backward& b) {
        Tensors d = b.dy(0).defined() ? norm(b) : Tensors(3);
        if (b.dy(1).defined()) d[0] = d[0].defined() ? d[0] + b.dy(1) : b.dy(1);
        const bool drop = d[0].defined() && o.dropout > 0 && b.needs(1);
        return Tensors{d[0], drop ? dropout(d[0], o.dropout, o.key) : d[0], d[1], d[2]};
      })[0];
}

namespace {

Tensors padded(Tensors in) {
  in.resize(3);
  return in;
}

void add_sample(Samples& s, const char* name, Tensors inputs, double eps) {
  s.add(
      name, std::move(inputs),
      [eps](const Tensors& in) {
        const Tensors all = padded(in);
        return layer_norm(all[0], all[1], all[2], eps);
      },
      [eps](const Tensors& in) { return composed(padded(in), eps); });
}

const Op kLayerNorm{
    "layer_norm", [](Samples& s) {
      add_sample(s, "affine", {s.normal({3, 5}), s.normal({5}), s.normal({5})}, 1e-5);
      add_sample(s, "plain", {s.normal({2, 2, 4})}, 1e-5);
      add_sample(s, "weight only", {s.normal({2, 3, 5}), s.normal({5})}, 0.1);
      add_sample(s, "one row", {s.normal({7}), s.normal({7}), s.normal({7})}, 1e-5);
      add_sample(s, "one column", {s.normal({3, 1}), s.normal({1}), s.normal({1})}, 0.1);
      add_sample(s, "no rows", {s.normal({0, 3}), s.normal({3}), s.normal({3})}, 1e-5);
      add_sample(s, "transposed", {s.transposed({3, 4}), s.normal({4}), s.normal({4})}, 1e-5);
      s.add("weight is bias", {s.normal({3, 4}), s.normal({4})},
            [](const Tensors& in) { return layer_norm(in[0], in[1], in[1]); });
      auto f = [](const Tensors& in) { return layer_norm(in[0], in[1]); };
      s.add_error({s.normal({2, 3}), s.normal({2})}, f,
                  "layer_norm: weight must have the shape of the last dim, [3]; got [2]");
      s.add_error({s.normal({}), s.normal({1})}, f,
                  "layer_norm: needs at least one dim; got shape []");
      s.add_error({s.normal({3}), to(s.normal({3}), kFloat32)}, f,
                  "layer_norm: weight must have the dtype of x, float64; got float32");
      s.add_error(
          {s.normal({2, 3}), s.normal({2})},
          [](const Tensors& in) { return layer_norm(in[0], {}, in[1]); },
          "layer_norm: bias must have the shape of the last dim, [3]; got [2]");
    }};

// in: x, branch, weight, bias; the last two may be undefined.
Tensors composed_residual(const Tensors& in, const ResidualNormOptions& o) {
  const Tensor kept = o.dropout > 0 ? dropout(in[1], o.dropout, o.key) : in[1];
  return composed({in[0] + kept, in[2], in[3]}, o.eps);
}

void add_residual_sample(Samples& s, const char* name, Tensors inputs,
                         const ResidualNormOptions& o) {
  inputs.resize(4);
  const Tensors all = inputs;  // undefined ones are no inputs of a sample
  while (!inputs.back().defined()) inputs.pop_back();
  auto padded_to_4 = [](Tensors in) {
    in.resize(4);
    return in;
  };
  s.add(
      name, inputs,
      [=](const Tensors& given) {
        const Tensors in = padded_to_4(given);
        return residual_layer_norm(in[0], in[1], in[2], in[3], o);
      },
      [=](const Tensors& in) { return composed_residual(padded_to_4(in), o); });
}

const Op kResidualLayerNorm{
    "residual_layer_norm", [](Samples& s) {
      const RandomKey key{7, 23};
      add_residual_sample(s, "affine",
                          {s.normal({3, 5}), s.normal({3, 5}), s.normal({5}), s.normal({5})}, {});
      add_residual_sample(s, "dropout",
                          {s.normal({2, 3, 7}), s.normal({2, 3, 7}), s.normal({7}), s.normal({7})},
                          {.dropout = 0.3, .key = key});
      add_residual_sample(s, "plain", {s.normal({4, 3}), s.normal({4, 3})},
                          {.eps = 0.1, .dropout = 0.2, .key = key});
      add_residual_sample(
          s, "transposed",
          {s.transposed({3, 4}), s.transposed({3, 4}), s.normal({4}), s.normal({4})},
          {.dropout = 0.4, .key = key});
      add_residual_sample(s, "no rows",
                          {s.normal({0, 3}), s.normal({0, 3}), s.normal({3}), s.normal({3})},
                          {.dropout = 0.4, .key = key});
      s.add("reused input", {s.normal({3, 4})}, [=](const Tensors& in) {
        return residual_layer_norm(in[0], in[0], {}, {}, {.dropout = 0.3, .key = key});
      });
      auto f = [](double p) {
        return [p](const Tensors& in) {
          return residual_layer_norm(in[0], in[1], {}, {}, {.dropout = p});
        };
      };
      s.add_error({s.normal({2, 3}), s.normal({3})}, f(0),
                  "residual_layer_norm: x and branch must agree in shape and dtype; got [2, 3] "
                  "float64 and [3] float64");
      s.add_error({s.normal({2, 3}), s.normal({2, 3})}, f(1),
                  "residual_layer_norm: dropout must be in [0, 1); got 1");
    }};

}  // namespace
}  // namespace weft
