#include <weft/autograd/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/profiler.h>
#include <weft/core/check.h>
#include <weft/core/kernels/optimizer.h>
#include <weft/optim/clip.h>

#include <cmath>

namespace weft {
namespace {

double sum_of_squares(const Tensor& gradient) {
  const Tensor g = contiguous(gradient);
  return dispatch_floating("clip_grad_norm", g.dtype(), [&](auto tag) {
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

}  // namespace

double clip_grad_norm(const Tensors& parameters, double max_norm, const ClipOptions& options) {
  check(max_norm >= 0, "clip_grad_norm: max_norm must not be negative; got {}", max_norm);
  check(options.norm_type >= 1, "clip_grad_norm: norm_type must be at least 1; got {}",
        options.norm_type);
  const NoGrad no_grad;
  const ProfileRegion region("clip_grad_norm");
  Tensors gradients;
  for (const Tensor& p : parameters)
    if (takes_part(p)) gradients.push_back(p.grad());
  const double norm = norm_of(gradients, options.norm_type);
  check(!options.error_if_nonfinite || std::isfinite(norm),
        "clip_grad_norm: the norm of the gradients is {}", norm);
  const double factor = max_norm / (norm + 1e-6);
  if (factor >= 1) return norm;
  for (Tensor p : parameters)
    if (takes_part(p)) p.set_grad(p.grad() * factor);
  return norm;
}

}  // namespace weft
