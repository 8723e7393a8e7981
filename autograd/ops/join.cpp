// pad (cat, stack, split, tril, triu follow).
#include <weft/autograd/op.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/samples.h>
#include <weft/core/check.h>
#include <weft/core/kernels/gather.h>

namespace weft {
namespace {

const Op kPad{"pad", [](Samples& s) {
  s.add("both sides", {s.normal({2, 3})}, [](const Tensors& in) { return pad(in[0], 1, 2, 1, 0.5); });
  s.add_error({s.normal({2, 3})}, [](const Tensors& in) { return pad(in[0], 1, -1, 0); },
              "pad: before and after must not be negative; got -1 and 0");
}};

}  // namespace

Tensor pad(const Tensor& x, int dim, int64_t before, int64_t after, double value) {
  const int d = normalize_dim("pad", dim, x.shape());
  check(before >= 0 && after >= 0, "pad: before and after must not be negative; got {} and {}", before, after);
  const int64_t n = x.shape()[d];
  Shape shape = x.shape();
  shape[d] += before + after;
  Tensor y = full(shape, value, x.dtype());
  const Tensor window = y.strided_view(x.shape(), y.strides(), before * y.strides()[d]);
  const Tensor source = contiguous(x);
  dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::scatter_strided(source.data<T>(), x.shape(), window.strides(), static_cast<T*>(window.raw()));
  });
  return record(kPad, y, {x}, [d, before, n](Backward& b) { return slice(b.dy(), d, before, before + n); });
}

}  // namespace weft
