// Every op, on its samples: the gradient of one input is the same whether or not the others want
// theirs. Vjps leave out what nobody asks for, which other checks never do: they ask for all.
#include <weft/autograd/autograd.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/tests/catch.h>

#include <algorithm>

using namespace weft;

namespace {

bool floating(const Tensor& t) { return t.defined() && is_floating(t.dtype()); }

// Gradients of the inputs that `wanted` says, for output gradients from a fixed seed; undefined for
// the others and where no output depends.
Tensors gradients(const Sample& sample, const std::vector<bool>& wanted) {
  Tensors in, leaves, outputs, seeds, found(sample.inputs.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    in.push_back(floating(sample.inputs[i]) ? sample.inputs[i].detach() : sample.inputs[i]);
    if (wanted[i]) leaves.push_back(in[i].set_requires_grad());
  }
  Generator generator(3);
  for (const Tensor& y : sample.f(in)) {
    const Tensor dy = floating(y) ? randn(y.shape(), generator, y.dtype()) : Tensor();
    if (!y.requires_grad()) continue;
    outputs.push_back(y);
    seeds.push_back(dy);
  }
  if (outputs.empty()) return found;
  const Tensors d = grad(outputs, leaves, {.grad_outputs = seeds, .allow_unused = true});
  for (size_t i = 0, next = 0; i < wanted.size(); ++i)
    if (wanted[i]) found[i] = d[next++];
  return found;
}

bool same(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  return a.numel() == 0 || max(abs(a - b)).item() <= 1e-12;
}

}  // namespace

TEST_CASE("the gradient of one input does not depend on whether the others want one") {
  int compared = 0;
  for (const Op* op : registered_ops()) {
    if (std::string(op->name).rfind("test_", 0) == 0) continue;  // some are wrong on purpose
    Samples samples;
    op->samples(samples);
    for (const Sample& sample : samples.samples()) {
      std::vector<bool> all;
      for (const Tensor& t : sample.inputs) all.push_back(floating(t));
      if (std::count(all.begin(), all.end(), true) < 2) continue;
      const Tensors together = gradients(sample, all);
      for (size_t i = 0; i < all.size(); ++i) {
        if (!all[i]) continue;
        std::vector<bool> one(all.size(), false);
        one[i] = true;
        INFO(op->name << "/" << sample.name << ", input " << i);
        CHECK(same(gradients(sample, one)[i], together[i]));
        ++compared;
      }
    }
  }
  CHECK(compared > 300);
}
