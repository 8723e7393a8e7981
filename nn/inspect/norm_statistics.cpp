#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/detail/scoped_hooks.h>
#include <weft/nn/inspect/norm_statistics.h>
#include <weft/nn/layer_norm.h>
#include <weft/nn/rms_norm.h>

namespace weft {
namespace {

// (x - centre) / deviation * weight + bias, centre and deviation those that x has.
Tensor scaled(const Tensor& x, const LayerNorm& norm) {
  const Tensor plain = x.detach();
  const Tensor y =
      (x - mean(plain, {-1}, true)) * rsqrt(var(plain, {-1}, 0, true) + norm.eps()) * norm.weight;
  return norm.bias.defined() ? y + norm.bias : y;
}

Tensor scaled(const Tensor& x, const RMSNorm& norm) {
  const Tensor plain = x.detach();
  return x * rsqrt(mean(plain * plain, {-1}, true) + norm.eps()) * norm.weight;
}

// The norm's own value, with the gradient of what is scaled alone.
template <class Norm>
HookHandle freeze(Norm& norm) {
  return norm.register_forward_hook([&norm](ModuleCall& call) {
    const Tensor y = scaled(*call.inputs[0], norm);
    *call.outputs[0] = call.outputs[0]->detach() + (y - y.detach());
  });
}

}  // namespace

HookHandle freeze_norm_statistics(Module& module) {
  std::vector<HookHandle> handles;
  detail::for_each_module(module, [&](Module& m) {
    if (auto* norm = dynamic_cast<LayerNorm*>(&m)) handles.push_back(freeze(*norm));
    if (auto* norm = dynamic_cast<RMSNorm*>(&m)) handles.push_back(freeze(*norm));
  });
  check(!handles.empty(), "freeze_norm_statistics: expected a LayerNorm or RMSNorm; got none");
  return HookHandle([handles]() mutable {
    for (HookHandle& handle : handles) handle.remove();
  });
}

}  // namespace weft
