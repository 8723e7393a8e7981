#include <weft/autograd/autograd.h>
#include <weft/tests/autograd/edges_run.h>

#include <map>

namespace weft::extremes {
namespace {

using Named = std::vector<std::pair<std::string, Numbers>>;

constexpr double kEpsilon = std::numeric_limits<float>::epsilon(),
                 kLeast = std::numeric_limits<float>::min(),
                 kMost = std::numeric_limits<float>::max();

bool floating(const Tensor& t) { return t.defined() && is_floating(t.dtype()); }

Tensor single(const Tensor& t) { return to(to(t, kFloat32), kFloat64).detach(); }

// Random weights of float32, the same for both dtypes.
Tensor weights(const Tensor& like, Generator& generator) {
  return to(to(randn(like.shape(), generator, kFloat64), kFloat32), like.dtype());
}

void note(Named& all, const char* what, const Tensors& ts) {
  for (size_t i = 0; i < ts.size(); ++i)
    if (floating(ts[i])) all.emplace_back(fmt::format("{} {}", what, i), ts[i].to_vector<double>());
}

Tensors derivatives(const Tensors& ys, const Tensors& xs, uint64_t seed, bool again) {
  Tensors cotangents;
  Generator generator(seed);
  for (const Tensor& y : ys) cotangents.push_back(weights(y, generator));
  Tensors dx = grad(ys, xs, {cotangents, true, again, true});
  for (size_t i = 0; i < dx.size(); ++i)
    if (!dx[i].defined()) dx[i] = zeros(xs[i].shape(), xs[i].dtype());
  return dx;
}

// Everything that is compared, by name.
Named evaluate(const SampleFunction& f, const Tensors& inputs, DType dtype) {
  Tensors arguments, xs, ys;
  for (const Tensor& t : inputs) {
    arguments.push_back(floating(t) ? to(t, dtype).detach().set_requires_grad() : t);
    if (floating(t)) xs.push_back(arguments.back());
  }
  Named all;
  const Tensors values = f(arguments);
  note(all, "value", values);
  for (const Tensor& y : values)
    if (y.requires_grad()) ys.push_back(y);
  if (ys.empty() || xs.empty()) return all;
  note(all, "gradient", derivatives(ys, xs, 1, false));
  const Tensors first = derivatives(ys, xs, 1, true);
  note(all, "recorded gradient", first);
  Tensors recorded;
  for (const Tensor& dx : first)
    if (dx.requires_grad()) recorded.push_back(dx);
  if (!recorded.empty()) note(all, "second gradient", derivatives(recorded, xs, 2, false));
  return all;
}

// The inputs, each number rounded a little off.
Tensors nudged(const Tensors& inputs, uint64_t seed) {
  Generator generator(seed);
  Tensors all;
  for (const Tensor& t : inputs)
    all.push_back(floating(t) ? t * (randn(t.shape(), generator, kFloat64) * kEpsilon + 1) : t);
  return all;
}

// Whether float32 may say `got` for `want`, where float64 itself moves by `spread` if its inputs
// are rounded, and the largest number of the tensor is `scale`.
bool right(double got, double want, double spread, double scale) {
  if (std::isnan(want) || std::isnan(spread)) return true;
  const double slack =
      64 * (spread + kEpsilon * std::abs(want)) + 8 * kEpsilon * scale + 64 * kLeast;
  if (std::abs(want) + slack > kMost / 2)
    return !std::isfinite(got) || std::abs(got - want) <= slack;
  if (!std::isfinite(got)) return false;
  return std::abs(got - want) <= slack;
}

double largest(const Numbers& numbers) {
  double most = 0;
  for (double v : numbers)
    if (std::isfinite(v)) most = std::max(most, std::abs(v));
  return most;
}

// Other paths may be taken where there is junk: they round differently.
bool near(const Numbers& a, const Numbers& b) {
  const double slack = 1e-12 * std::max(1.0, largest(b));
  for (size_t i = 0; i < b.size(); ++i)
    if (!(std::abs(a[i] - b[i]) <= slack) && a[i] != b[i]) return false;
  return true;
}

Tensors set(const Tensors& inputs, size_t input, const std::vector<bool>& where, double value) {
  Tensors all = inputs;
  Numbers numbers = inputs[input].to_vector<double>();
  for (size_t i = 0; i < numbers.size(); ++i)
    if (where[i]) numbers[i] = value;
  all[input] = from_vector(numbers, inputs[input].shape());
  return all;
}

Named values_of(const SampleFunction& f, const Tensors& inputs) {
  Named all;
  note(all, "value", f(inputs));
  return all;
}

// Which numbers of an input no value depends on.
std::vector<bool> unread(const SampleFunction& f, const Tensors& inputs, size_t input,
                         const Named& values) {
  const auto n = static_cast<size_t>(inputs[input].numel());
  std::vector<bool> found(n, false);
  for (size_t i = 0; i < n; ++i) {
    std::vector<bool> one(n, false);
    one[i] = true;
    found[i] = values_of(f, set(inputs, input, one, 7.5)) == values &&
               values_of(f, set(inputs, input, one, -1e3)) == values;
  }
  return found;
}

}  // namespace

Tensors replaced(const Tensors& inputs, double (*number)(double v, int64_t i)) {
  Tensors all;
  for (const Tensor& t : inputs) {
    if (!floating(t)) {
      all.push_back(t);
      continue;
    }
    Numbers numbers = t.to_vector<double>();
    for (size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = number(numbers[i], static_cast<int64_t>(i));
    all.push_back(single(from_vector(numbers, t.shape())));
  }
  return all;
}

Judgement judge_single(const SampleFunction& f, const Tensors& inputs) {
  const Named want = evaluate(f, inputs, kFloat64), got = evaluate(f, inputs, kFloat32);
  std::vector<Named> near;
  for (uint64_t seed = 1; seed <= 3; ++seed)
    near.push_back(evaluate(f, nudged(inputs, seed), kFloat64));
  Judgement j;
  for (size_t k = 0; k < want.size(); ++k) {
    const double scale = largest(want[k].second);
    for (size_t i = 0; i < want[k].second.size(); ++i) {
      double spread = 0;
      for (const Named& n : near) {
        const double moved = std::abs(n[k].second[i] - want[k].second[i]);
        if (!(moved <= spread)) spread = moved;
      }
      ++j.compared;
      if (!j.fault.empty() || right(got[k].second[i], want[k].second[i], spread, scale)) continue;
      j.fault = fmt::format("{} at {}: {:.6g} in float32, {:.6g} in float64 (moves by {:.1g})",
                            want[k].first, i, got[k].second[i], want[k].second[i], spread);
    }
  }
  return j;
}

Judgement judge_junk(const SampleFunction& f, const Tensors& inputs) {
  Judgement j;
  const Named values = values_of(f, inputs), clean = evaluate(f, inputs, kFloat64);
  size_t x = 0;  // the input, counted among the floating ones
  for (size_t input = 0; input < inputs.size(); ++input) {
    if (!floating(inputs[input])) continue;
    const std::vector<bool> free = unread(f, inputs, input, values);
    const auto count = std::count(free.begin(), free.end(), true);
    j.compared += static_cast<int>(count);
    if (count > 0 && j.fault.empty()) {
      const Named found =
          evaluate(f, set(inputs, input, free, std::numeric_limits<double>::quiet_NaN()), kFloat64);
      for (size_t k = 0; k < clean.size(); ++k)
        if (j.fault.empty() && !near(found[k].second, clean[k].second))
          j.fault = fmt::format("NaN in numbers of input {} that no value depends on: {} differs",
                                input, clean[k].first);
      const std::string own = fmt::format("gradient {}", x);
      for (const auto& [what, numbers] : found)
        for (size_t i = 0; what == own && i < free.size(); ++i)
          if (j.fault.empty() && free[i] && numbers[i] != 0)
            j.fault = fmt::format("input {} at {}, which no value depends on: gradient {}", input,
                                  i, numbers[i]);
    }
    ++x;
  }
  return j;
}

}  // namespace weft::extremes
