#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/inspect/profiler.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/elementwise.h>
#include <weft/core/kernels/optimizer.h>
#include <weft/core/parallel.h>
#include <weft/optim/clip.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace weft {
namespace {

constexpr double kSquareCost = 0.2;  // nanoseconds to square or scale one
constexpr int64_t kMaxCells = 8;     // of a gradient

// What one thread adds up of a gradient, in order: cells depend on shapes alone.
struct Cell {
  size_t gradient;
  int64_t begin, size;
  int64_t before;  // elements of the cells before it, those of other gradients included
  double squares = 0;
};

std::vector<Cell> cells_of(const Tensors& gradients) {
  std::vector<Cell> all;
  int64_t before = 0;
  for (size_t i = 0; i < gradients.size(); ++i) {
    const int64_t n = gradients[i].numel(), cells = std::clamp<int64_t>(n >> 15, 1, kMaxCells);
    for (int64_t c = 0; c < cells; ++c) {
      const int64_t begin = n * c / cells;
      all.push_back({i, begin, n * (c + 1) / cells - begin, before + begin});
    }
    before += n;
  }
  return all;
}

double sum_of_squares(const Tensor& gradient, int64_t begin, int64_t size) {
  return dispatch_floating("grad_norm", gradient.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    return kernels::sum_squares_block<T>(gradient.data<T>() + begin, size);
  });
}

// One region for all gradients: many of them are too small to be worth one.
double sum_of_squares(const Tensors& gradients) {
  Tensors dense;
  for (const Tensor& g : gradients) dense.push_back(contiguous(g));
  std::vector<Cell> cells = cells_of(dense);
  if (cells.empty()) return 0;
  const int64_t elements = cells.back().before + cells.back().size;
  parallel_for(elements, grain_of_cost(kSquareCost), [&](int64_t begin, int64_t end) {
    auto c = std::lower_bound(cells.begin(), cells.end(), begin,
                              [](const Cell& cell, int64_t at) { return cell.before < at; });
    for (; c != cells.end() && c->before < end; ++c)
      c->squares = sum_of_squares(dense[c->gradient], c->begin, c->size);
  });
  std::vector<double> totals(dense.size());
  for (const Cell& c : cells) totals[c.gradient] += c.squares;
  return std::accumulate(totals.begin(), totals.end(), 0.0);
}

bool takes_part(const Tensor& p) { return p.requires_grad() && p.grad().defined(); }

// std::max would drop a nan.
double larger_or_nan(double a, double b) { return a >= b || std::isnan(a) ? a : b; }

double largest_of(const Tensors& gradients) {
  double largest = 0;
  for (const Tensor& g : gradients)
    if (g.numel() > 0) largest = larger_or_nan(largest, max(abs(g)).item());
  return largest;
}

double sum_of_powers(const Tensors& gradients, double p) {
  if (p == 2) return sum_of_squares(gradients);
  double total = 0;
  for (const Tensor& g : gradients) total += sum(pow(abs(g), p)).item();
  return total;
}

double norm_of(const Tensors& gradients, double p) {
  if (std::isinf(p)) return largest_of(gradients);
  constexpr double kLeast = 1e-30;  // below it a float32 power may have lost digits
  const double total = sum_of_powers(gradients, p);
  if (total >= kLeast && std::isfinite(total)) return std::pow(total, 1 / p);
  // Powers beyond the type's range: those of gradients that are scaled to 1 at most.
  const double largest = largest_of(gradients);
  if (largest == 0 || !std::isfinite(largest)) return largest;
  int exponent = 0;
  std::frexp(largest, &exponent);
  Tensors fitting;
  for (const Tensor& g : gradients)
    fitting.push_back(g * std::ldexp(1, -exponent / 2) * std::ldexp(1, exponent / 2 - exponent));
  return std::ldexp(std::pow(sum_of_powers(fitting, p), 1 / p), exponent);
}

// x * factor: in x's memory if nobody else looks at it.
Tensor scaled(Tensor x, double factor) {
  const bool tiny = factor < (x.dtype() == kFloat32 ? std::numeric_limits<float>::min()
                                                    : std::numeric_limits<double>::min());
  // As a number of x's type such a factor has lost digits.
  if (tiny && factor > 0) return scaled(scaled(std::move(x), 0x1p-60), factor * 0x1p60);
  if (!x.is_unique() || !x.is_contiguous() || x.requires_grad()) return x * factor;
  dispatch_floating("clip_grad_norm", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* p = x.mutable_data<T>("clip_grad_norm");
    parallel_for(x.numel(), grain_of_cost(kSquareCost, 1024), [=](int64_t begin, int64_t end) {
      kernels::scale<T>(static_cast<T>(factor), p + begin, p + begin, end - begin);
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
