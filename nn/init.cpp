#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/init.h>

#include <algorithm>
#include <cmath>

namespace weft::init {
namespace {

template <class F>
void fill(const Tensor& t, F&& next) {
  check(t.defined() && t.is_contiguous(), "init: expected a contiguous tensor");
  Tensor into = t;
  dispatch_floating("init", t.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* p = into.mutable_data<T>("init");
    std::generate(p, p + t.numel(), [&] { return static_cast<T>(next(TypeTag<T>{})); });
  });
}

struct Fans {
  double in, out;
};

Fans fans_of(const Tensor& t) {
  check(t.dim() >= 2, "init: fans need a tensor of rank 2 or more; got {}", t.shape());
  const int64_t rest = t.numel() / std::max<int64_t>(t.size(0) * t.size(1), 1);
  return {static_cast<double>(t.size(1) * rest), static_cast<double>(t.size(0) * rest)};
}

}  // namespace

void constant(const Tensor& t, double value) {
  fill(t, [value](auto) { return value; });
}

void uniform(const Tensor& t, double lo, double hi, Generator& generator) {
  fill(t, [&](auto tag) { return generator.uniform<typename decltype(tag)::type>(lo, hi); });
}

void normal(const Tensor& t, double mean, double deviation, Generator& generator) {
  fill(t, [&](auto) { return mean + deviation * generator.normal(); });
}

void xavier_uniform(const Tensor& t, Generator& generator, double gain) {
  const Fans fans = fans_of(t);
  const double bound = gain * std::sqrt(6 / (fans.in + fans.out));
  uniform(t, -bound, bound, generator);
}

void xavier_normal(const Tensor& t, Generator& generator, double gain) {
  const Fans fans = fans_of(t);
  normal(t, 0, gain * std::sqrt(2 / (fans.in + fans.out)), generator);
}

void kaiming_uniform(const Tensor& t, Generator& generator, double slope) {
  const double bound = std::sqrt(6 / ((1 + slope * slope) * fans_of(t).in));
  uniform(t, -bound, bound, generator);
}

void copy(const Tensor& t, const Tensor& from) {
  check(t.shape() == from.shape(), "init: copy expects shape {}; got {}", t.shape(), from.shape());
  check(t.is_contiguous(), "init: copy expects a contiguous tensor to fill");
  NoGrad no_grad;
  const Tensor values = contiguous(to(from, t.dtype()));
  Tensor into = t;
  dispatch(t.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::copy_n(values.data<T>(), t.numel(), into.mutable_data<T>("copy"));
  });
}

}  // namespace weft::init
