#include <weft/autograd/graph/node.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/detail/recorded_call.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/detail/check.h>
#include <weft/nn/check_module.h>
#include <weft/nn/functional_call.h>
#include <weft/nn/init.h>

#include <algorithm>

namespace weft::detail {
namespace {

bool same_bits(const Tensors& a, const Tensors& b) {
  auto same = [](const Tensor& x, const Tensor& y) {
    return x.shape() == y.shape() && to(x.detach(), kFloat64).to_vector<double>() ==
                                         to(y.detach(), kFloat64).to_vector<double>();
  };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same);
}

Tensors values(const NamedTensors& named) {
  Tensors found;
  for (const NamedTensor& t : named) found.push_back(t.tensor);
  return found;
}

// A module's values, dtypes, gradients and modes, to put them back.
class ModuleSnapshot {
 public:
  explicit ModuleSnapshot(Module& module) {
    note_modes(module);
    const NoGrad no_grad;
    for (const NamedTensors& part : {module.named_parameters(), module.named_buffers()})
      for (const NamedTensor& t : part)
        tensors_.push_back({t.tensor, clone(t.tensor), t.tensor.grad()});
  }

  void restore() const {
    const NoGrad no_grad;
    for (const auto& [module, training] : modes_) module->train(training);
    for (const auto& [tensor, values, gradient] : tensors_) {
      Tensor t = tensor;
      t.set_data(clone(values));
      Leaf* leaf = leaf_of(t);
      if (!leaf) continue;
      leaf->match(t);
      leaf->grad = gradient;
    }
  }

 private:
  struct Held {
    Tensor tensor, values, gradient;
  };

  void note_modes(Module& module) {  // from above: train() reaches what is below
    modes_.emplace_back(&module, module.training());
    for (const auto& c : module.children()) note_modes(*c.second);
  }

  std::vector<std::pair<Module*, bool>> modes_;
  std::vector<Held> tensors_;
};

// A call that draws the same random numbers each time, and leaves generators as they were.
class RepeatedCall {
 public:
  explicit RepeatedCall(const std::function<Tensors(const Tensors&)>& call) : call_(call) {}
  ~RepeatedCall() {
    for (GeneratorState& s : states_) s.generator.set_state(s.seed, s.position);
  }
  RepeatedCall(const RepeatedCall&) = delete;
  RepeatedCall& operator=(const RepeatedCall&) = delete;

  Tensors operator()(const Tensors& in) {
    const RandomReplay replay(states_);
    const RandomRecorder recorder;
    Tensors ys = call_(in);
    if (states_.empty()) states_ = recorder.states();
    return ys;
  }

 private:
  const std::function<Tensors(const Tensors&)>& call_;
  std::vector<GeneratorState> states_;
};

class ModuleChecker {
 public:
  ModuleChecker(const ModuleMaker& make, const Tensors& inputs, const ModuleCheckOptions& options)
      : make_(make), inputs_(inputs), options_(options) {
    const ModuleProbe probe = fresh(kFloat64);
    Generator generator(11);
    NoGrad no_grad;
    for (const NamedTensor& p : probe.module->named_parameters()) {
      names_.push_back(p.name);  // moved, so that none is 0 or 1 throughout
      parameters_.push_back(p.tensor.detach() + randn(p.tensor.shape(), generator, kFloat64) * 0.1);
    }
  }

  ModuleReport run() {
    if (!same_bits(values(make_().module->state_dict()), values(make_().module->state_dict())))
      fail_with("two modules of the factory differ; seed the generator inside of it");
    gradients();
    reached();
    registered();
    state();
    evaluation();
    single_precision();
    return std::move(report_);
  }

 private:
  ModuleProbe fresh(DType dtype) const {
    ModuleProbe probe = make_();
    probe.module->to(dtype);
    probe.call = [call = std::move(probe.call)](const Tensors& in) {
      Tensors ys = call(in);
      for (size_t i = 0; i < ys.size(); ++i)
        check(ys[i].defined(), "check_module: output {} of the module is undefined", i);
      return ys;
    };
    return probe;
  }

  // A new module with `inputs` then parameters taken from `all`.
  Tensors call_bound(const Tensors& all) const {
    const ModuleProbe probe = fresh(kFloat64);
    const auto split = all.begin() + static_cast<std::ptrdiff_t>(inputs_.size());
    const Tensors inputs(all.begin(), split), parameters(split, all.end());
    return functional_call(*probe.module, parameters, [&] { return probe.call(inputs); });
  }

  void gradients() {
    Tensors all = inputs_;
    all.insert(all.end(), parameters_.begin(), parameters_.end());
    const SampleFunction f = [this](const Tensors& in) { return call_bound(in); };
    GradcheckOptions o{.tolerance = options_.tolerance,
                       .order = 3,
                       .directions = {options_.directions, 2},
                       .names = {}};
    for (size_t i = 0; i < inputs_.size(); ++i) o.names.push_back(fmt::format("input {}", i));
    o.names.insert(o.names.end(), names_.begin(), names_.end());
    const GradcheckReport r = gradcheck("module", f, all, o);
    report_.gradients = r.gradients;
    report_.worst = r.worst;
    if (!r.failure.empty()) fail_with(r.failure);
  }

  void reached() {
    Tensors leaves, outputs, cotangents;
    for (const Tensor& p : parameters_) leaves.push_back(p.detach().set_requires_grad());
    Tensors all = inputs_;
    all.insert(all.end(), leaves.begin(), leaves.end());
    for (const Tensor& y : call_bound(all))
      if (y.requires_grad()) {
        outputs.push_back(y);
        cotangents.push_back(ones(y.shape(), y.dtype()));
      }
    if (leaves.empty()) return;
    Tensors found(leaves.size());
    if (!outputs.empty()) found = grad(outputs, leaves, {cotangents, false, false, true});
    for (size_t i = 0; i < leaves.size(); ++i)
      if (!found[i].defined()) fail_with(fmt::format("{}: no output depends on it", names_[i]));
  }

  // Nobody would train or save a tensor that learns but is not a parameter.
  void registered() {
    const ModuleProbe probe = fresh(kFloat64);
    const Tensors own = probe.module->parameters();
    const RecordedCall call("check_module", probe.call, inputs_);
    for (const Tensor& t : call.reached_outside()) {
      auto same = [&](const Tensor& p) { return p.slot() == t.slot(); };
      if (std::none_of(own.begin(), own.end(), same))
        fail_with(
            fmt::format("a tensor of shape {} gets a gradient but is not a parameter", t.shape()));
    }
  }

  // A module in evaluation mode with the moved parameters.
  ModuleProbe evaluated(DType dtype) const {
    ModuleProbe probe = fresh(dtype);
    probe.module->eval();
    const Tensors own = probe.module->parameters();
    for (size_t i = 0; i < own.size(); ++i) init::copy(own[i], parameters_[i]);
    return probe;
  }

  void state() {
    NoGrad no_grad;
    const ModuleProbe a = evaluated(kFloat64);
    NamedTensors saved = a.module->state_dict();
    for (NamedTensor& t : saved) t.tensor = clone(t.tensor);
    const Tensors wanted = a.call(inputs_);
    const ModuleProbe b = fresh(kFloat64);
    b.module->eval();
    b.module->load_state_dict(saved);
    if (!same_bits(wanted, b.call(inputs_)))
      fail_with("a module that loaded the state of another computes something else");
  }

  void evaluation() {
    NoGrad no_grad;
    const ModuleProbe probe = evaluated(kFloat64);
    if (!same_bits(probe.call(inputs_), probe.call(inputs_)))
      fail_with("two evaluations of the same inputs differ");
  }

  // In evaluation: the outputs, then the gradients by inputs and parameters of <c, outputs> with a
  // random c; undefined where there is none.
  Tensors outputs_and_gradients(DType dtype) const {
    const ModuleProbe probe = evaluated(dtype);
    Tensors xs, wanted, outputs, cotangents;
    for (const Tensor& x : inputs_) {
      xs.push_back(differentiable(x) ? to(x, dtype).detach().set_requires_grad() : x);
      if (differentiable(x)) wanted.push_back(xs.back());
    }
    for (const Tensor& p : probe.module->parameters()) wanted.push_back(p);
    Tensors all = probe.call(xs);
    Generator generator(13);
    for (const Tensor& y : all) {
      const Tensor c = randn(y.shape(), generator, kFloat64);
      if (!y.requires_grad()) continue;
      outputs.push_back(y);
      cotangents.push_back(to(c, dtype));
    }
    if (!outputs.empty())
      for (const Tensor& g : grad(outputs, wanted, {cotangents, false, false, true}))
        all.push_back(g);
    return all;
  }

  void single_precision() {
    constexpr double kSingle = 2e-4;
    const Tensors exact = outputs_and_gradients(kFloat64), single = outputs_and_gradients(kFloat32);
    for (size_t i = 0; i < exact.size(); ++i) {
      if (!exact[i].defined() || !differentiable(exact[i]) || exact[i].numel() == 0) continue;
      report_.singles += static_cast<int>(exact[i].numel());
      const Tensor want = exact[i].detach(), found = to(single[i].detach(), kFloat64);
      const double error = max(abs(found - want) / maximum(abs(want), ones({}, kFloat64))).item();
      if (!(error <= kSingle))
        fail_with(
            fmt::format("float32 and float64 differ by {:.3g} in result {} (outputs, then "
                        "gradients of inputs and parameters)",
                        error, i));
    }
  }

  void fail_with(const std::string& what) { report_.failures.push_back(what); }

  const ModuleMaker& make_;
  const Tensors& inputs_;
  ModuleCheckOptions options_;
  std::vector<std::string> names_;
  Tensors parameters_;
  ModuleReport report_;
};

}  // namespace

ModuleReport check_module(const ModuleMaker& make, const Tensors& inputs,
                          const ModuleCheckOptions& options) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    check(inputs[i].defined(), "check_module: input {} is undefined", i);
    check(!differentiable(inputs[i]) || inputs[i].dtype() == kFloat64,
          "check_module: floating inputs must be float64; input {} is {}", i,
          to_string(inputs[i].dtype()));
  }
  GradMode record_ops(true);
  return ModuleChecker(make, inputs, options).run();
}

ModuleReport check_module(Module& module, std::function<Tensors(const Tensors&)> call,
                          const Tensors& inputs, const ModuleCheckOptions& options) {
  const ModuleSnapshot before(module);
  RepeatedCall repeated(call);
  const ModuleMaker make = [&] {
    before.restore();
    return ModuleProbe{{&module, [](Module*) {}},
                       [&repeated](const Tensors& in) { return repeated(in); }};
  };
  try {
    const ModuleReport report = check_module(make, inputs, options);
    before.restore();
    return report;
  } catch (...) {
    before.restore();
    throw;
  }
}

}  // namespace weft::detail
