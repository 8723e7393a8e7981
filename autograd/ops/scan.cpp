// cumsum and flip.   y_i = x_1 + ... + x_i     dx_i = dy_i + ... + dy_n: flipped, a cumsum again
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/parallel.h>

#include <algorithm>
#include <numeric>

namespace weft {
namespace {

constexpr double kScanCost = 1;  // nanoseconds

extern const Op kCumsum;

// Sums along the middle of [outer, n, inner], in double precision for floats.
template <class T>
void cumsum_lanes(const T* x, T* y, int64_t outer, int64_t n, int64_t inner) {
  using Sum = std::conditional_t<std::is_floating_point_v<T>, double, T>;
  const int64_t block = std::max<int64_t>(n * inner, 1);
  parallel_for(outer, grain_of_cost(kScanCost * static_cast<double>(block)),
               [=](int64_t begin, int64_t end) {
                 std::vector<Sum> sums(static_cast<size_t>(inner));
                 for (int64_t o = begin; o < end; ++o) {
                   std::fill(sums.begin(), sums.end(), Sum(0));
                   for (int64_t i = 0; i < n; ++i) {
                     const int64_t row = (o * n + i) * inner;
                     for (int64_t j = 0; j < inner; ++j)
                       y[row + j] = static_cast<T>(sums[static_cast<size_t>(j)] +=
                                                   static_cast<Sum>(x[row + j]));
                   }
                 }
               });
}

}  // namespace

Tensor cumsum(const Tensor& input, int dim) {
  check(input.defined(), "cumsum: the operand is undefined");
  const int d = normalize_dim("cumsum", dim, input.shape());
  const Tensor x = contiguous(input.dtype() == kBool ? to(input, kInt64) : input);
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < x.dim(); ++i)
    if (i != d) (i < d ? outer : inner) *= x.size(i);
  const int64_t n = x.dim() ? x.size(d) : 1;
  Tensor y(x.shape(), x.dtype());
  auto run = [&](auto tag) {
    using T = typename decltype(tag)::type;
    cumsum_lanes(x.data<T>(), static_cast<T*>(y.raw()), outer, n, inner);
  };
  if (x.dtype() == kInt64)
    run(TypeTag<int64_t>{});
  else
    dispatch_floating("cumsum", x.dtype(), run);
  return record(kCumsum, y, {x},
                [d](Backward& b) { return flip(cumsum(flip(b.dy(), {d}), d), {d}); });
}

Tensor flip(const Tensor& x, const Shape& dims) {
  check(x.defined(), "flip: the operand is undefined");
  Tensor y = x;
  std::vector<int> seen;
  for (int64_t dim : dims) {
    const int d = normalize_dim("flip", static_cast<int>(dim), x.shape());
    check(std::find(seen.begin(), seen.end(), d) == seen.end(),
          "flip: a dim is named twice; got {} for shape {}", dims, x.shape());
    seen.push_back(d);
    if (x.dim() == 0) continue;
    std::vector<int64_t> backwards(static_cast<size_t>(x.size(d)));
    std::iota(backwards.rbegin(), backwards.rend(), int64_t{0});
    y = index_select(y, d, from_vector(backwards, {x.size(d)}));
  }
  return y;
}

namespace {

const Op kCumsum{"cumsum", [](Samples& s) {
                   auto along = [](int dim) {
                     return [dim](const Tensors& in) { return cumsum(in[0], dim); };
                   };
                   s.add("vector", {s.normal({5})}, along(0), [](const Tensors& in) {
                     return matmul(tril(ones({5, 5}, in[0].dtype())), in[0]);
                   });
                   s.add("middle dim", {s.normal({2, 3, 4})}, along(1));
                   s.add("transposed", {s.transposed({3, 4})}, along(-1));
                   s.add("one entry", {s.normal({3, 1})}, along(1));
                   s.add("rank 0", {s.normal({})}, along(0));
                   s.add("empty", {s.normal({0, 3})}, along(0));
                   s.add_error({s.normal({2, 3})}, along(2),
                               "cumsum: dim must be in [-2, 1]; got 2 for shape [2, 3]");
                 }};

// A composition of index_select.
const Op kFlip{"flip", [](Samples& s) {
                 auto f = [](Shape dims) {
                   return [dims](const Tensors& in) { return flip(in[0], dims); };
                 };
                 s.add("vector", {s.normal({5})}, f({0}));
                 s.add("two dims", {s.normal({2, 3, 4})}, f({0, -1}));
                 s.add("transposed", {s.transposed({3, 4})}, f({1}));
                 s.add("no dims", {s.normal({2, 3})}, f({}));
                 s.add("empty", {s.normal({0, 3})}, f({0}));
                 s.add_error({s.normal({2, 3})}, f({2}),
                             "flip: dim must be in [-2, 1]; got 2 for shape [2, 3]");
                 s.add_error({s.normal({2, 3})}, f({0, -2}),
                             "flip: a dim is named twice; got [0, -2] for shape [2, 3]");
               }};

}  // namespace
}  // namespace weft
