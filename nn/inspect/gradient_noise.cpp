#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/parallel.h>
#include <weft/nn/inspect/gradient_noise.h>

#include <algorithm>

namespace weft {
namespace {

constexpr int64_t kLanes = 8;      // sums that do not wait for each other
constexpr int64_t kGrain = 16384;  // elements that are worth another thread

int64_t rows_of(const Shape& shape) { return shape.rank() == 0 ? 1 : shape[0]; }

// The gradient number 1 / share comes: m <- m + (g - m) share; gives the sum of
// (g - m before) (g - m after).
template <class T>
double take_in(const T* g, T* mean, int64_t n, T share) {
  double lanes[kLanes] = {};
  const auto take = [&](int64_t i, int64_t lane) {
    const T off = g[i] - mean[i];
    mean[i] += off * share;
    lanes[lane] += static_cast<double>(off) * static_cast<double>(g[i] - mean[i]);
  };
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) take(i + lane, lane);
  for (; i < n; ++i) take(i, i % kLanes);
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

// The same of every row.
void take_in(const Tensor& g, Tensor& mean, std::vector<double>& squares, double share) {
  const int64_t rows = std::ssize(squares), width = rows == 0 ? 0 : g.numel() / rows;
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, width));
  dispatch_floating("gradient noise", g.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = g.data<T>();
    T* to = mean.mutable_data<T>("gradient noise");
    parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r)
        squares[static_cast<size_t>(r)] +=
            take_in(from + r * width, to + r * width, width, static_cast<T>(share));
    });
  });
}

// The sums of `rows` by groups of them -> [groups].
Tensor by_group(const std::vector<double>& rows, int64_t groups) {
  return sum(reshape(from_vector(rows, {std::ssize(rows)}), {groups, -1}), {1});
}

}  // namespace

void GradientNoise::add(const NamedTensors& parameters) {
  const NoGrad no_grad;
  for (const auto& [name, parameter] : parameters) {
    if (!parameter.defined() || !parameter.grad().defined()) continue;
    const Tensor g = contiguous(parameter.grad().detach());
    Moments& m = gradients_[name];
    if (m.count == 0) {
      m.mean = zeros(g.shape(), g.dtype());
      m.squares.assign(static_cast<size_t>(rows_of(g.shape())), 0.);
    }
    check(g.shape() == m.mean.shape(),
          "gradient noise: expected a gradient {} of {} as before; got {}", m.mean.shape(), name,
          g.shape());
    take_in(g, m.mean, m.squares, 1 / static_cast<double>(++m.count));
  }
}

int64_t GradientNoise::count(const std::string& name) const {
  const auto found = gradients_.find(name);
  return found == gradients_.end() ? 0 : found->second.count;
}

const GradientNoise::Moments& GradientNoise::moments(const std::string& name,
                                                     int64_t groups) const {
  check(count(name) >= 2, "gradient noise: expected at least 2 gradients of \"{}\"; got {}", name,
        count(name));
  const Moments& m = gradients_.at(name);
  const int64_t rows = rows_of(m.mean.shape());
  check(groups >= 1 && rows % groups == 0,
        "gradient noise: expected a number of groups that divides {} rows; got {}", rows, groups);
  return m;
}

Tensor GradientNoise::signal(const std::string& name, int64_t groups) const {
  const NoGrad no_grad;
  const Tensor mean = reshape(to(moments(name, groups).mean, kFloat64), {groups, -1});
  return sum(mean * mean, {1});
}

Tensor GradientNoise::noise(const std::string& name, int64_t groups) const {
  const NoGrad no_grad;
  const Moments& m = moments(name, groups);
  return by_group(m.squares, groups) / static_cast<double>(m.count - 1);
}

Tensor GradientNoise::signal_to_noise(const std::string& name, int64_t groups) const {
  const NoGrad no_grad;
  return signal(name, groups) / noise(name, groups);
}

}  // namespace weft
