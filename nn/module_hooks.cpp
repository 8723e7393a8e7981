// Hooks of modules: how they are kept, called and taken away.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/graph/node.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/error.h>
#include <weft/nn/detail/hook_list.h>
#include <weft/nn/module.h>

#include <algorithm>
#include <exception>

namespace weft {

struct Module::Hooks {
  detail::HookList<ModuleHook> before, after;
  detail::HookList<std::shared_ptr<ModuleBackwardHook>> backward;  // graphs keep the call too
};

Module::Hooks& Module::hooks() {
  if (!hooks_) hooks_ = std::make_shared<Hooks>();
  return *hooks_;
}

HookHandle Module::register_forward_pre_hook(ModuleHook hook) {
  return hooks().before.add(std::move(hook));
}

HookHandle Module::register_forward_hook(ModuleHook hook) {
  return hooks().after.add(std::move(hook));
}

// Graphs that outlive the module call the hook as well, until it is removed.
HookHandle Module::register_backward_hook(ModuleBackwardHook hook) {
  const auto call = std::make_shared<ModuleBackwardHook>(std::move(hook));
  return HookHandle(
      [in_module = hooks().backward.add(call), in_graphs = std::weak_ptr(call)]() mutable {
        if (const auto live = in_graphs.lock()) *live = nullptr;
        in_module.remove();
      });
}

bool Module::any_hook() const {
  return !hooks_->before.empty() || !hooks_->after.empty() || !hooks_->backward.empty();
}

namespace {

void run(const detail::HookList<ModuleHook>& hooks, const char* kind, ModuleCall& call) {
  for (const auto& hook : hooks.all()) try {
      (*hook)(call);
    } catch (...) {
      std::throw_with_nested(Error(fmt::format("module \"{}\": a {} threw: {}", call.module.path(),
                                               kind, what_was_thrown())));
    }
}

// Another look at x with a node of its own.
Tensor alias(const Tensor& x) {
  Shape dims;
  for (int d = 0; d < x.dim(); ++d) dims.push_back(d);
  return permute(x, dims);
}

// A hook on the node of such an output would see more than what flows through this call, and would
// stay behind on a leaf.
bool passed_through(const ModuleCall& call, const Tensor& y) {
  return y.is_leaf() || std::any_of(call.inputs.begin(), call.inputs.end(),
                                    [&](const Tensor* x) { return x->same_handle(y); });
}

}  // namespace

void Module::before_forward(ModuleCall& call) { run(hooks_->before, "forward pre-hook", call); }

void Module::after_forward(ModuleCall& call) {
  run(hooks_->after, "forward hook", call);
  if (hooks_->backward.empty() || !grad_enabled()) return;
  const std::string owner = fmt::format("a backward hook of module \"{}\"", path());
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    Tensor& y = *call.outputs[i];
    if (!y.requires_grad()) continue;
    if (passed_through(call, y)) y = alias(y);
    for (const auto& h : hooks_->backward.all())
      node_of(y)
          ->make_extras(y.output_index())
          .add_hook(
              [hook = *h, index = static_cast<int>(i)](const Tensor& gradient) {
                const ModuleBackwardHook call_now = *hook;  // a copy: it may remove itself
                return call_now ? call_now(index, gradient) : Tensor();
              },
              owner);
  }
}

}  // namespace weft
