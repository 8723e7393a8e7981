// Layers run fused ops unless somebody wants to see what these leave out: a hook on a part makes
// the parts run one by one, to the same numbers.
#include <weft/autograd/ops.h>
#include <weft/nn/transformer.h>
#include <weft/tests/catch.h>

using namespace weft;

namespace {

struct Run {
  Tensor y, dx;
  int calls = 0;
};

Module& part(Module& layer, const std::string& name) {
  for (const auto& [found, module] : layer.children())
    if (found == name) return *module;
  throw std::runtime_error("no child " + name);
}

// One training call of a layer, with a hook on the part `watched` unless it is "".
Run run(FeedForwardActivation activation, bool norm_first, const std::string& watched) {
  Generator gen(3);
  TransformerEncoderLayer layer({.d_model = 8,
                                 .nhead = 2,
                                 .dim_feedforward = 12,
                                 .dropout = 0.3,
                                 .activation = activation,
                                 .batch_first = true,
                                 .norm_first = norm_first},
                                gen);
  layer.to(kFloat64);
  Run result;
  if (!watched.empty())
    part(layer, watched).register_forward_hook([&](ModuleCall& call) {
      ++result.calls;
      CHECK(call.outputs.size() == 1);
    });
  Tensor x = randn({2, 5, 8}, gen, kFloat64);
  x.set_requires_grad();
  result.y = layer(x);
  result.y.backward(randn({2, 5, 8}, gen, kFloat64));
  result.dx = x.grad();
  return result;
}

double difference(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

}  // namespace

TEST_CASE("a hook on a part that a fused op would pass by fires") {
  const auto activation = GENERATE(FeedForwardActivation::relu, FeedForwardActivation::gelu);
  const bool norm_first = GENERATE(false, true);
  const Run fused = run(activation, norm_first, "");
  for (const char* name : {"linear1", "dropout", "linear2", "norm1", "dropout1", "dropout2"}) {
    CAPTURE(name);
    const Run seen = run(activation, norm_first, name);
    CHECK(seen.calls == 1);
    CHECK(difference(seen.y, fused.y) < 1e-13);
    CHECK(difference(seen.dx, fused.dx) < 1e-12);
  }
}
