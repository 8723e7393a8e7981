#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/inspect/profiler.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/parallel.h>
#include <weft/optim/optimizer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

namespace weft {
namespace {

constexpr int64_t kUpdateUnit = 1024;  // elements: parameters are cut at multiples
constexpr double kUpdateCost = 0.3;    // nanoseconds to update one

// As a number of the gradient's type a tiny scale would lose digits: powers of 2 go ahead of it.
Tensor with_room_for(Tensor gradient, double& scale) {
  const double least = gradient.dtype() == kFloat32 ? std::numeric_limits<float>::min()
                                                    : std::numeric_limits<double>::min();
  for (; scale != 0 && std::abs(scale) < least; scale *= 0x1p60) gradient = gradient * 0x1p-60;
  return contiguous(gradient);
}

}  // namespace

Optimizer::Optimizer(const char* who, const std::vector<NamedTensors>& groups)
    : who_(who), num_groups_(groups.size()) {
  for (size_t g = 0; g < groups.size(); ++g)
    for (const NamedTensor& parameter : groups[g]) add(parameter, g);
  check(!slots_.empty(), "{}: there are no parameters", who_);
}

void Optimizer::add(const NamedTensor& parameter, size_t group) {
  const auto& [name, tensor] = parameter;
  check(
      tensor.defined() && tensor.is_leaf() && tensor.is_contiguous() && is_floating(tensor.dtype()),
      "{}: parameter \"{}\" must be a contiguous leaf of a floating dtype", who_, name);
  for (const Slot& other : slots_) {
    check(other.name != name, "{}: two parameters are named \"{}\"", who_, name);
    check(!other.parameter.same_handle(tensor),
          "{}: parameters \"{}\" and \"{}\" are the same tensor", who_, other.name, name);
  }
  slots_.push_back({name, group, tensor, 0, {}});
}

void Optimizer::step(double gradient_scale) {
  const NoGrad no_grad;
  const ProfileRegion region("optimizer step");
  Tensors gradients(slots_.size());
  std::vector<double> scales(slots_.size(), gradient_scale);
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Tensor gradient = slots_[i].parameter.grad();
    if (!gradient.defined() || !slots_[i].parameter.requires_grad()) continue;
    prepare(slots_[i]);
    gradients[i] = with_room_for(gradient, scales[i]);
  }
  for (size_t i = 0; i < slots_.size(); ++i)
    if (gradients[i].defined()) ++slots_[i].steps;
  if (has_kernel()) return run_kernels(gradients, scales);
  for (size_t i = 0; i < slots_.size(); ++i)
    if (gradients[i].defined()) run_rule(slots_[i], gradients[i] * scales[i]);
}

// Makes the buffers that are missing, and enters the write that is about to come.
void Optimizer::prepare(Slot& slot) const {
  Tensor& p = slot.parameter;
  const std::vector<std::string> names = buffer_names(slot.group);
  slot.buffers.resize(names.size());
  slot.fresh = false;
  for (size_t i = 0; i < names.size(); ++i) {
    Tensor& b = slot.buffers[i];
    const Shape shape = buffer_shape(names[i], p.shape());
    if (!b.defined()) {
      b = zeros(shape, p.dtype());
      slot.fresh = true;
    }
    check(b.shape() == shape && b.dtype() == p.dtype(),
          "{}: parameter \"{}\" became {} {} after its state was made as {} {}", who_, slot.name,
          to_string(p.dtype()), p.shape(), to_string(b.dtype()), b.shape());
  }
  dispatch_floating(who_, p.dtype(),
                    [&](auto tag) { p.mutable_data<typename decltype(tag)::type>(who_); });
}

void Optimizer::run_rule(Slot& slot, const Tensor& gradient) const {
  std::vector<std::string> names = buffer_names(slot.group);
  Tensors olds = slot.buffers;
  const Tensor p = update(slot, gradient);
  Tensors news = std::exchange(slot.buffers, olds);
  check(news.size() == olds.size(), "{}: the rule must keep {} buffers; got {}", who_, olds.size(),
        news.size());
  names.emplace_back("parameter");
  olds.push_back(slot.parameter);
  news.push_back(p);
  for (size_t i = 0; i < news.size(); ++i) {
    check_new(slot, names[i], olds[i], news[i]);
    // A rule may give one old tensor as another's new value; each is read before it is written.
    const auto shares = [&](const Tensor& old) { return news[i].same_storage(old); };
    if (std::any_of(olds.begin(), olds.end(), shares)) news[i] = clone(news[i]);
  }
  for (size_t i = 0; i < news.size(); ++i) copy_into(olds[i], news[i]);
}

void Optimizer::check_new(const Slot& slot, const std::string& what, const Tensor& old,
                          const Tensor& value) const {
  check(value.defined() && value.shape() == old.shape() && value.dtype() == old.dtype(),
        "{}: the rule must make the new {} of \"{}\" {} {}; got {}", who_, what, slot.name,
        to_string(old.dtype()), old.shape(),
        value.defined() ? fmt::format("{} {}", to_string(value.dtype()), value.shape())
                        : "an undefined tensor");
}

void Optimizer::copy_into(Tensor into, const Tensor& value) const {
  dispatch_floating(who_, into.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Tensor values = contiguous(value);
    std::copy_n(values.data<T>(), into.numel(), into.mutable_data<T>(who_));
  });
}

void Optimizer::run_kernels(const Tensors& gradients, const std::vector<double>& scales) const {
  // All gradients in units, one after another: those of the i-th end before ends[i].
  std::vector<int64_t> ends;
  int64_t units = 0;
  for (const Tensor& g : gradients)
    ends.push_back(units += ((g.defined() ? g.numel() : 0) + kUpdateUnit - 1) / kUpdateUnit);
  parallel_for(units, grain_of_cost(kUpdateCost * kUpdateUnit), [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end;) {
      const auto after = std::upper_bound(ends.begin(), ends.end(), unit);
      const auto i = static_cast<size_t>(after - ends.begin());
      const int64_t at = (unit - (i == 0 ? 0 : ends[i - 1])) * kUpdateUnit;
      const int64_t n = std::min((end - unit) * kUpdateUnit, gradients[i].numel() - at);
      run_kernel(slots_[i], gradients[i], {at, n, scales[i]});
      unit = std::min(end, *after);
    }
  });
}

void Optimizer::zero_grad() {
  for (Slot& slot : slots_)
    if (slot.parameter.grad().defined()) slot.parameter.set_grad({});
}

Tensors Optimizer::parameters() const {
  Tensors all;
  for (const Slot& slot : slots_) all.push_back(slot.parameter);
  return all;
}

NamedTensors Optimizer::state_dict() const {
  NamedTensors state{{"lr_factor", scalar(lr_factor_, kFloat64)}};
  for (const Slot& slot : slots_) {
    if (slot.steps == 0) continue;
    state.push_back({fmt::format("step.{}", slot.name), from_vector<int64_t>({slot.steps}, {})});
    const std::vector<std::string> names = buffer_names(slot.group);
    for (size_t b = 0; b < std::min(names.size(), slot.buffers.size()); ++b)
      if (slot.buffers[b].defined())
        state.push_back({fmt::format("{}.{}", names[b], slot.name), slot.buffers[b]});
  }
  return state;
}

void Optimizer::load_state_dict(const NamedTensors& state) {
  slots_ = restored(state);
  for (const NamedTensor& entry : state)
    if (entry.name == "lr_factor") lr_factor_ = entry.tensor.item();
}

std::vector<Optimizer::Slot> Optimizer::restored(const NamedTensors& state) const {
  std::map<std::string, Tensor> given;
  for (const NamedTensor& entry : state) given[entry.name] = entry.tensor;
  const auto take = [&](const std::string& name, const Shape& shape, DType dtype) {
    const auto found = given.find(name);
    check(found != given.end(), "{}: the state lacks \"{}\"", who_, name);
    Tensor t = found->second;
    check(t.shape() == shape && t.dtype() == dtype, "{}: \"{}\" must be {} {}; the state has {} {}",
          who_, name, to_string(dtype), shape, to_string(t.dtype()), t.shape());
    given.erase(found);
    return t;
  };
  const NoGrad no_grad;
  take("lr_factor", {}, kFloat64);
  std::vector<Slot> slots = slots_;
  for (Slot& slot : slots) {
    const std::string step = fmt::format("step.{}", slot.name);
    slot.buffers.clear();
    slot.steps = given.contains(step) ? take(step, {}, kInt64).item<int64_t>() : 0;
    check(slot.steps >= 0, "{}: \"{}\" must not be negative; got {}", who_, step, slot.steps);
    if (slot.steps == 0) continue;
    for (const std::string& buffer : buffer_names(slot.group)) {
      const std::string name = fmt::format("{}.{}", buffer, slot.name);
      const bool may_lack = slot.buffers.size() >= always_buffers() && !given.contains(name);
      slot.buffers.push_back(may_lack
                                 ? Tensor()
                                 : clone(take(name, buffer_shape(buffer, slot.parameter.shape()),
                                              slot.parameter.dtype())));
    }
  }
  if (!given.empty()) fail("{}: the state has an unexpected \"{}\"", who_, given.begin()->first);
  return slots;
}

}  // namespace weft
