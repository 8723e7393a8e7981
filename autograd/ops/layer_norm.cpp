// Layer normalization over the last dim (Ba et al. 2016).
//   h = (x - mean) / sqrt(var + eps),  y = h weight + bias,  var of the D elements (not D - 1)
// With g = dy weight:  dx = (g - avg g - h avg(g h)) / sqrt(var + eps),
//   dweight = sum over rows of dy h,  dbias = sum over rows of dy
#include <weft/autograd/op.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/samples.h>
#include <weft/core/check.h>
#include <weft/core/kernels/layer_norm.h>
#include <weft/core/parallel.h>

namespace weft {
namespace {

constexpr int64_t kGrain = 8192;  // elements that are worth another thread

// in: x, weight, bias; the last two may be undefined.
Tensors composed(const Tensors& in, double eps) {
  const Tensor deviation = in[0] - mean(in[0], {-1}, true);
  const Tensor h = deviation * rsqrt(mean(deviation * deviation, {-1}, true) + eps);
  const Tensor scaled = in[1].defined() ? h * in[1] : h;
  return {in[2].defined() ? scaled + in[2] : scaled};
}

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
    }};

void check_affine(const Tensor& x, const Tensor& t, const char* what) {
  if (!t.defined()) return;
  check(t.shape() == Shape{x.size(-1)},
        "layer_norm: {} must have the shape of the last dim, [{}]; got {}", what, x.size(-1),
        t.shape());
  check(t.dtype() == x.dtype(), "layer_norm: {} must have the dtype of x, {}; got {}", what,
        to_string(x.dtype()), to_string(t.dtype()));
}

template <class T>
const T* pointer(const Tensor& t) {
  return t.defined() ? t.data<T>() : nullptr;
}

template <class F>
void for_rows(int64_t rows, int64_t n, F f) {
  parallel_for(rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(n, 1)), f);
}

// What backward needs of the rows, beside x.
struct RowStatistics {
  Tensor mean, rstd;
};

Tensor forward(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
               const RowStatistics& stats) {
  const OpScope inside;
  Tensor y(x.shape(), x.dtype());
  const Tensor w = weight.defined() ? contiguous(weight) : weight;
  const Tensor b = bias.defined() ? contiguous(bias) : bias;
  const int64_t n = x.size(-1), rows = stats.mean.numel();
  dispatch_floating("layer_norm", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *px = x.data<T>(), *pw = pointer<T>(w), *pb = pointer<T>(b);
    T *py = static_cast<T*>(y.raw()), *mean = static_cast<T*>(stats.mean.raw()),
      *rstd = static_cast<T*>(stats.rstd.raw());
    for_rows(rows, n, [=](int64_t begin, int64_t end) {
      kernels::layer_norm_rows(px + begin * n, pw, pb, eps, py + begin * n, mean + begin,
                               rstd + begin, end - begin, n);
    });
  });
  return y;
}

Tensors backward(const Tensor& x, const Tensor& weight, const RowStatistics& stats,
                 const Backward& b) {
  const Tensor dy = contiguous(b.dy()), w = weight.defined() ? contiguous(weight) : weight;
  const int64_t n = x.size(-1), rows = stats.mean.numel();
  Tensors d(3);
  if (b.needs(0)) d[0] = Tensor(x.shape(), x.dtype());
  for (int i : {1, 2})
    if (b.needs(i)) d[static_cast<size_t>(i)] = Tensor({n}, x.dtype());
  dispatch_floating("layer_norm", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *px = x.data<T>(), *pw = pointer<T>(w), *pdy = dy.data<T>(),
            *mean = stats.mean.data<T>(), *rstd = stats.rstd.data<T>();
    auto out = [&](size_t i) { return d[i].defined() ? static_cast<T*>(d[i].raw()) : nullptr; };
    if (T* dx = out(0))
      for_rows(rows, n, [=](int64_t begin, int64_t end) {
        kernels::layer_norm_grad_rows(px + begin * n, pw, mean + begin, rstd + begin,
                                      pdy + begin * n, dx + begin * n, end - begin, n);
      });
    if (b.needs(1) || b.needs(2))
      kernels::layer_norm_grad_affine(px, mean, rstd, pdy, out(1), out(2), rows, n);
  });
  return d;
}

}  // namespace

Tensor layer_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, double eps) {
  check(input.defined(), "layer_norm: the operand is undefined");
  check(input.dim() > 0, "layer_norm: needs at least one dim; got shape {}", input.shape());
  check_affine(input, weight, "weight");
  check_affine(input, bias, "bias");
  const Tensor x = contiguous(input);
  const int64_t rows = x.size(-1) ? x.numel() / x.size(-1) : 0;
  const RowStatistics stats{Tensor({rows}, x.dtype()), Tensor({rows}, x.dtype())};
  return record_fused(
      kLayerNorm, forward(x, weight, bias, eps, stats), {x, weight, bias},
      [eps](const Tensors& in) { return composed(in, eps); },
      [mean = save(stats.mean), rstd = save(stats.rstd)](Backward& b, const Tensors& in) {
        return backward(in[0], in[1], {b.saved(mean), b.saved(rstd)}, b);
      });
}

}  // namespace weft
