#include <weft/autograd/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/profiler.h>
#include <weft/core/check.h>
#include <weft/core/kernels/elementwise.h>
#include <weft/core/kernels/optimizer.h>
#include <weft/core/parallel.h>
#include <weft/optim/clip.h>

#include <cmath>

namespace weft {
namespace {

constexpr int64_t kGrain = 16384;  // elements that are worth another thread

double sum_of_squares(const Tensor& gradient) {
  const Tensor g = contiguous(gradient);
  return dispatch_floating("grad_norm", g.dtype(), [&](auto tag) {
    return kernels::sum_squares(g.data<typename decltype(tag)::type>(), g.numel());
  });
}

bool takes_part(const Tensor& p) { return p.requires_grad() && p.grad().defined(); }

// std::max would drop a nan.
double larger_or_nan(double a, double b) { return a >= b || std::isnan(a) ? a : b; }

double norm_of(const Tensors& gradients, double p) {
  double total = 0;
  for (const Tensor& g : gradients) {
    if (g.numel() == 0) continue;
    if (std::isinf(p))
      total = larger_or_nan(total, max(abs(g)).item());
    else
      total += p == 2 ? sum_of_squares(g) : sum(pow(abs(g), p)).item();
  }
  return std::isinf(p) ? total : std::pow(total, 1 / p);
}

// x * factor: in x's memory if nobody else looks at it.
Tensor scaled(Tensor x, double factor) {
  if (!x.is_unique() || !x.is_contiguous() || x.requires_grad()) return x * factor;
  dispatch_floating("clip_grad_norm", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* p = x.mutable_data<T>("clip_grad_norm");
    parallel_for(x.numel(), kGrain, [=](int64_t begin, int64_t end) {
      kernels::scale(static_cast<T>(factor), p + begin, p + begin, end - begin);
    });
  });
  return x;
}

double norm_for(const char* who, const Tensors& parameters, const ClipOptions& options) {
  check(options.norm_type >= 1, "{}: norm_type must be at least 1; got {}", who, options.norm_type);
  const NoGrad no_grad;
  const ProfileRegion region("clip_grad_norm");
  Tensors gradients;
  for (const Tensor& p : parameters)
    if (takes_part(p)) gradients.push_back(p.grad());
  const double norm = norm_of(gradients, options.norm_type);
  check(!options.error_if_nonfinite || std::isfinite(norm), "{}: the norm of the gradients is {}",
        who, norm);
  return norm;
}

}  // namespace

double grad_norm(const Tensors& parameters, const ClipOptions& options) {
  return norm_for("grad_norm", parameters, options);
}

double clip_factor(double norm, double max_norm) {
  check(max_norm >= 0, "clip_factor: max_norm must not be negative; got {}", max_norm);
  const double factor = max_norm / (norm + 1e-6);
  return factor >= 1 ? 1 : factor;
}

double clip_grad_norm(const Tensors& parameters, double max_norm, const ClipOptions& options) {
  check(max_norm >= 0, "clip_grad_norm: max_norm must not be negative; got {}", max_norm);
  const double norm = norm_for("clip_grad_norm", parameters, options);
  const double factor = clip_factor(norm, max_norm);
  if (factor == 1) return norm;
  const NoGrad no_grad;
  for (Tensor p : parameters) {
    if (!takes_part(p)) continue;
    Tensor gradient = p.grad();
    p.set_grad({});
    p.set_grad(scaled(std::move(gradient), factor));
  }
  return norm;
}

}  // namespace weft
