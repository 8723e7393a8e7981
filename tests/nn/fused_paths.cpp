// Layers run fused ops unless somebody wants to see what these leave out: a hook on a part makes
// the parts run one by one, to the same numbers.
#include <weft/autograd/ops.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/catch.h>

#include <algorithm>

using namespace weft;

namespace {

enum class HookKind { before, after, backward };

struct Run {
  Tensor y, dx;
  int calls = 0;
};

void watch(Module& layer, const std::string& name, HookKind kind, int& calls) {
  const auto children = layer.children();
  const auto found = std::find_if(children.begin(), children.end(),
                                  [&](const auto& child) { return child.first == name; });
  REQUIRE(found != children.end());
  Module& part = *found->second;
  if (kind == HookKind::before)
    part.register_forward_pre_hook([&calls](ModuleCall&) { ++calls; });
  else if (kind == HookKind::after)
    part.register_forward_hook([&calls](ModuleCall&) { ++calls; });
  else
    part.register_backward_hook([&calls](int, const Tensor&) {
      ++calls;
      return Tensor();
    });
}

Tensor call(TransformerEncoderLayer& layer, const Tensor& x) { return layer(x); }
Tensor call(TransformerDecoderLayer& layer, const Tensor& x) {
  Generator gen(9);
  return layer(x, randn({2, 4, 8}, gen, kFloat64));
}

// One training call of a layer, with a hook on the part `watched` unless it is "".
template <class L>
Run run(FeedForwardActivation activation, bool norm_first, const std::string& watched = "",
        HookKind kind = HookKind::after) {
  Generator gen(3);
  L layer({.d_model = 8,
           .nhead = 2,
           .dim_feedforward = 12,
           .dropout = 0.3,
           .activation = activation,
           .batch_first = true,
           .norm_first = norm_first},
          gen);
  layer.to(kFloat64);
  Run result;
  if (!watched.empty()) watch(layer, watched, kind, result.calls);
  Tensor x = randn({2, 5, 8}, gen, kFloat64);
  x.set_requires_grad();
  result.y = call(layer, x);
  result.y.backward(randn({2, 5, 8}, gen, kFloat64));
  result.dx = x.grad();
  return result;
}

double difference(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

// Every part of a layer, watched by a hook of each kind.
template <class L>
void check_parts(const std::vector<std::string>& parts) {
  const auto activation = GENERATE(FeedForwardActivation::relu, FeedForwardActivation::gelu);
  const bool norm_first = GENERATE(false, true);
  const Run fused = run<L>(activation, norm_first);
  for (const std::string& part : parts)
    for (const HookKind kind : {HookKind::before, HookKind::after, HookKind::backward}) {
      CAPTURE(part, static_cast<int>(kind));
      const Run seen = run<L>(activation, norm_first, part, kind);
      CHECK(seen.calls == 1);
      CHECK(difference(seen.y, fused.y) < 1e-13);
      CHECK(difference(seen.dx, fused.dx) < 1e-12);
    }
}

}  // namespace

TEST_CASE("a hook on a part that a fused op would pass by fires: encoder layer") {
  check_parts<TransformerEncoderLayer>(
      {"self_attn", "linear1", "dropout", "linear2", "norm1", "norm2", "dropout1", "dropout2"});
}

TEST_CASE("a hook on a part that a fused op would pass by fires: decoder layer") {
  check_parts<TransformerDecoderLayer>({"self_attn", "multihead_attn", "linear1", "dropout",
                                        "linear2", "norm1", "norm2", "norm3", "dropout1",
                                        "dropout2", "dropout3"});
}
