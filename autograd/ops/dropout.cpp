// Dropout (Srivastava et al. 2014):  y_i = keep_i x_i / (1 - p),  dx_i = keep_i dy_i / (1 - p)
// keep_i is made again from the key in backward: no mask is stored.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/dropout.h>
#include <weft/core/parallel.h>

namespace weft {
namespace {

constexpr double kDropoutCost = 0.6;  // nanoseconds

extern const Op kDropout;

}  // namespace

Tensor dropout(const Tensor& input, double p, RandomKey key) {
  check(input.defined(), "dropout: the operand is undefined");
  check(p >= 0 && p < 1, "dropout: p must be in [0, 1); got {}", p);
  if (p == 0) return input;
  const Tensor x = contiguous(input);
  Tensor y(x.shape(), x.dtype());
  dispatch_floating("dropout", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* px = x.data<T>();
    T* py = static_cast<T*>(y.raw());
    parallel_for(x.numel(), grain_of_cost(kDropoutCost, 1024), [=](int64_t begin, int64_t end) {
      kernels::dropout<T>(px + begin, py + begin, begin, end - begin, p, key);
    });
  });
  return record(kDropout, y, {x}, [p, key](Backward& b) { return dropout(b.dy(), p, key); });
}

namespace {

// The mask as a tensor: dropout of ones.
Tensors composed(const Tensors& in, double p, RandomKey key) {
  return {in[0] * dropout(ones(in[0].shape(), in[0].dtype()), p, key)};
}

void add_sample(Samples& s, const char* name, const Tensor& x, double p) {
  const RandomKey key{3, 17};
  s.add(
      name, {x}, [=](const Tensors& in) { return dropout(in[0], p, key); },
      [=](const Tensors& in) { return composed(in, p, key); });
}

const Op kDropout{"dropout", [](Samples& s) {
                    add_sample(s, "half", s.normal({3, 7}), 0.5);
                    add_sample(s, "none", s.normal({5}), 0);
                    add_sample(s, "transposed", s.transposed({4, 5}), 0.3);
                    add_sample(s, "rank 0", s.normal({}), 0.1);
                    add_sample(s, "empty", s.normal({0, 3}), 0.1);
                    auto f = [](double p) {
                      return [p](const Tensors& in) { return dropout(in[0], p, {1, 2}); };
                    };
                    s.add_error({s.normal({3})}, f(1), "dropout: p must be in [0, 1); got 1");
                    s.add_error({s.normal({3})}, f(-0.1), "dropout: p must be in [0, 1); got -0.1");
                    s.add_error({s.integers({3}, 2)}, f(0.5),
                                "dropout: expected a floating dtype; got int64");
                  }};

}  // namespace
}  // namespace weft
