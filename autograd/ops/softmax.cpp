// softmax, log_softmax, along any dim.
//   y_i = exp(x_i - m) / sum_j exp(x_j - m), m = max_j x_j     dx = y (dy - sum_j y_j dy_j)
//   log y:  x_i - m - log sum_j exp(x_j - m)                   dx = dy - y sum_j dy_j
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/detail/softmax_grad.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/softmax.h>
#include <weft/core/parallel.h>

namespace weft {
namespace {

constexpr double kSoftmaxCost = 0.8;  // nanoseconds

extern const Op kSoftmax, kLogSoftmax;

Tensor swap_with_last(const Tensor& x, int dim) {
  return contiguous(dim == x.dim() - 1 || x.dim() == 0 ? x : transpose(x, dim, -1));
}

// A tensor made by kernel(inputs, y, rows, n) from the rows of the inputs along `dim`.
template <size_t N, class Kernel>
Tensor map_rows(const char* who, std::array<Tensor, N> inputs, int dim, Kernel kernel) {
  const OpScope inside;
  for (Tensor& t : inputs) t = swap_with_last(t, dim);
  Tensor y(inputs[0].shape(), inputs[0].dtype());
  const int64_t n = y.dim() ? y.size(-1) : 1, rows = n ? y.numel() / n : 0;
  dispatch_floating(who, y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* out = static_cast<T*>(y.raw());
    parallel_for(rows, grain_of_cost(kSoftmaxCost * static_cast<double>(n)),
                 [&](int64_t begin, int64_t end) {
                   std::array<const T*, N> in;
                   for (size_t i = 0; i < N; ++i) in[i] = inputs[i].template data<T>() + begin * n;
                   kernel(in, out + begin * n, end - begin, n);
                 });
  });
  return swap_with_last(y, dim);
}

int checked_dim(const char* who, const Tensor& x, int dim) {
  check(x.defined(), "{}: the operand is undefined", who);
  return normalize_dim(who, dim, x.shape());
}

Tensor log_softmax_grad(const Tensor& y, const Tensor& dy, int dim) {
  return map_rows<2>("log_softmax", {y, dy}, dim,
                     []<class T>(const auto& in, T* dx, int64_t rows, int64_t n) {
                       kernels::log_softmax_grad_rows<T>(in[0], in[1], dx, rows, n);
                     });
}

}  // namespace

Tensor detail::softmax_grad(const Tensor& y, const Tensor& dy, int dim) {
  return map_rows<2>("softmax", {y, dy}, dim,
                     []<class T>(const auto& in, T* dx, int64_t rows, int64_t n) {
                       kernels::softmax_grad_rows<T>(in[0], in[1], dx, rows, n);
                     });
}

Tensor softmax(const Tensor& x, int dim) {
  const int d = checked_dim("softmax", x, dim);
  Tensor y =
      map_rows<1>("softmax", {x}, d, []<class T>(const auto& in, T* out, int64_t rows, int64_t n) {
        kernels::softmax_rows<T>(in[0], out, rows, n);
      });
  return record(kSoftmax, y, {x}, [y = save_output(y), d](Backward& b) {
    const Tensor p = b.saved(y), dy = b.dy();
    if (b.first_order()) return detail::softmax_grad(p, dy, d);
    return p * (dy - sum(p * dy, {d}, true));
  });
}

Tensor log_softmax(const Tensor& x, int dim) {
  const int d = checked_dim("log_softmax", x, dim);
  Tensor y = map_rows<1>("log_softmax", {x}, d,
                         []<class T>(const auto& in, T* out, int64_t rows, int64_t n) {
                           kernels::log_softmax_rows<T>(in[0], out, rows, n);
                         });
  return record(kLogSoftmax, y, {x}, [y = save_output(y), d](Backward& b) {
    const Tensor log_p = b.saved(y), dy = b.dy();
    if (b.first_order()) return log_softmax_grad(log_p, dy, d);
    return dy - exp(log_p) * sum(dy, {d}, true);
  });
}

namespace {

template <Tensor (*f)(const Tensor&, int)>
void add_dims(Samples& s, SampleFunction (*composition)(int)) {
  auto add = [&](const char* name, const Tensor& x, int dim) {
    s.add(
        name, {x}, [dim](const Tensors& in) { return f(in[0], dim); }, composition(dim));
  };
  add("last dim", s.normal({3, 5}), -1);
  add("middle dim", s.normal({2, 4, 3}), 1);
  add("first dim", s.normal({5, 2}), 0);
  add("transposed", s.transposed({3, 4}), 1);
  add("one entry", s.normal({3, 1}), 1);
  add("rank 0", s.normal({}), 0);
  add("no rows", s.normal({0, 3}), 1);
  add("no entries", s.normal({3, 0}), 1);
  s.add("far from zero", {s.normal({2, 3})},
        [](const Tensors& in) { return f(in[0] * 3 + 1000, -1); });
}

const Op kSoftmax{"softmax", [](Samples& s) {
                    add_dims<softmax>(s, [](int dim) -> SampleFunction {
                      return [dim](const Tensors& in) {
                        const Tensor e = exp(in[0]);
                        return Tensors{e / sum(e, {dim}, true)};
                      };
                    });
                    s.add_error(
                        {s.normal({3, 5})}, [](const Tensors& in) { return softmax(in[0], 2); },
                        "softmax: dim must be in [-2, 1]; got 2 for shape [3, 5]");
                    s.add_error(
                        {s.integers({3}, 2)}, [](const Tensors& in) { return softmax(in[0], 0); },
                        "softmax: expected a floating dtype; got int64");
                  }};
const Op kLogSoftmax{
    "log_softmax", [](Samples& s) {
      add_dims<log_softmax>(s, [](int dim) -> SampleFunction {
        return [dim](const Tensors& in) { return Tensors{log(softmax(in[0], dim))}; };
      });
      s.add_error(
          {s.normal({3, 5})}, [](const Tensors& in) { return log_softmax(in[0], -3); },
          "log_softmax: dim must be in [-2, 1]; got -3 for shape [3, 5]");
    }};

}  // namespace
}  // namespace weft
