#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/parallel.h>
#include <weft/optim/averaging.h>

#include <algorithm>
#include <map>

namespace weft {
namespace {

constexpr const char* kWeightAverage = "weight average";
constexpr int64_t kAtOnce = 1 << 16;  // elements

void copy_into(Tensor into, const Tensor& values) {
  dispatch_floating(kWeightAverage, into.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::copy_n(values.data<T>(), into.numel(), into.mutable_data<T>(kWeightAverage));
  });
}

// a + rate (w - a), in the memory of a.
void move_towards(Tensor average, const Tensor& weights, double rate) {
  dispatch_floating(kWeightAverage, average.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* a = average.mutable_data<T>(kWeightAverage);
    const T* w = weights.data<T>();
    parallel_for(average.numel(), kAtOnce, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) a[i] += static_cast<T>(rate) * (w[i] - a[i]);
    });
  });
}

std::string kept_name(size_t n, const std::string& parameter) {
  return fmt::format("kept.{}.{}", n, parameter);
}

std::string aside_name(const std::string& parameter) { return "aside." + parameter; }

}  // namespace

WeightAverage::WeightAverage(const NamedTensors& parameters) {
  for (const NamedTensor& p : parameters)
    if (p.tensor.requires_grad()) parameters_.push_back(p);
}

Tensors WeightAverage::values() const {
  const NoGrad no_grad;
  Tensors copies;
  for (const NamedTensor& p : parameters_) copies.push_back(clone(p.tensor));
  return copies;
}

void WeightAverage::put(const Tensors& values) {
  const NoGrad no_grad;
  for (size_t i = 0; i < parameters_.size(); ++i) copy_into(parameters_[i].tensor, values[i]);
}

Tensors WeightAverage::mean() const {
  const NoGrad no_grad;
  Tensors sums = kept_[0];
  for (size_t n = 1; n < kept_.size(); ++n)
    for (size_t i = 0; i < sums.size(); ++i) sums[i] = sums[i] + kept_[n][i];
  for (Tensor& sum : sums) sum = sum / static_cast<double>(kept_.size());
  return sums;
}

void WeightAverage::swap() {
  if (kept_.empty()) return;
  if (aside_.empty()) {
    aside_ = values();
    put(mean());
  } else {
    put(aside_);
    aside_.clear();
  }
}

NamedTensors WeightAverage::state_dict() const {
  NamedTensors state{{"updates", from_vector<int64_t>({updates_}, {})}};
  for (size_t n = 0; n < kept_.size(); ++n)
    for (size_t i = 0; i < parameters_.size(); ++i)
      state.push_back({kept_name(n, parameters_[i].name), kept_[n][i]});
  for (size_t i = 0; i < aside_.size(); ++i)
    state.push_back({aside_name(parameters_[i].name), aside_[i]});
  return state;
}

void WeightAverage::load_state_dict(const NamedTensors& state) {
  State found = restored(state);
  updates_ = found.updates;
  kept_ = std::move(found.kept);
  aside_.clear();
  if (!found.aside.empty()) put(found.aside);
}

WeightAverage::State WeightAverage::restored(const NamedTensors& state) const {
  std::map<std::string, Tensor> given;
  for (const NamedTensor& entry : state) given[entry.name] = entry.tensor;
  const auto take = [&](const std::string& name, const Shape& shape, DType dtype) {
    const auto found = given.find(name);
    check(found != given.end(), "{}: the state lacks \"{}\"", kWeightAverage, name);
    const Tensor t = found->second;
    check(t.shape() == shape && t.dtype() == dtype, "{}: \"{}\" must be {} {}; the state has {} {}",
          kWeightAverage, name, to_string(dtype), shape, to_string(t.dtype()), t.shape());
    given.erase(found);
    return t;
  };
  const NoGrad no_grad;
  const auto take_all = [&](auto name_of) {
    Tensors all;
    for (const NamedTensor& p : parameters_)
      all.push_back(clone(take(name_of(p.name), p.tensor.shape(), p.tensor.dtype())));
    return all;
  };
  State found{take("updates", {}, kInt64).item<int64_t>(), {}, {}};
  if (parameters_.empty()) return found;
  const std::string& first = parameters_[0].name;
  for (size_t n = 0; given.contains(kept_name(n, first)); ++n)
    found.kept.push_back(take_all([n](const std::string& name) { return kept_name(n, name); }));
  if (given.contains(aside_name(first))) found.aside = take_all(aside_name);
  check(given.empty(), "{}: the state has an unexpected \"{}\"", kWeightAverage,
        given.empty() ? "" : given.begin()->first);
  return found;
}

ExponentialAverage::ExponentialAverage(const NamedTensors& parameters, double decay)
    : WeightAverage(parameters), decay_(decay) {
  check(decay >= 0 && decay < 1, "exponential average: decay must be in [0, 1); got {}", decay);
}

void ExponentialAverage::after_update() {
  if (kept_.empty()) kept_ = {values()};
  const auto t = static_cast<double>(updates_++);
  const double decay = std::min(decay_, (1 + t) / (10 + t));
  for (size_t i = 0; i < parameters().size(); ++i)
    move_towards(kept_[0][i], parameters()[i].tensor, 1 - decay);
}

AverageOfLast::AverageOfLast(const NamedTensors& parameters, int64_t n)
    : WeightAverage(parameters), n_(n) {
  check(n > 0, "average of last: n must be positive; got {}", n);
}

void AverageOfLast::before_validation() {
  kept_.push_back(values());
  if (std::ssize(kept_) > n_) kept_.erase(kept_.begin());
}

}  // namespace weft
