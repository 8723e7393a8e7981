// Recomputation instead of storage (Chen et al. 2016, "Training deep nets with sublinear memory
// cost"). A first run of f finds what its graph hangs on, and lets the graph go; the one node that
// is recorded in its place has edges to all of that. Its backward runs f again and asks the new
// graph for the gradients.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/graph/substitution.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/activation_checkpoint.h>
#include <weft/autograd/transforms/detail/recorded_call.h>
#include <weft/core/detail/check.h>
#include <weft/core/random.h>

namespace weft {
namespace {

using Want = RecordedCall::Want;

Tensors two_layers(const Tensors& in) {
  const Tensor hidden = tanh(matmul(in[0], in[1]));
  return {matmul(hidden, in[2]), sum(hidden)};
}

const Op kCheckpoint{
    "checkpoint", [](Samples& s) {
      auto layers = [&s] { return Tensors{s.normal({3, 4}), s.normal({4, 2}), s.normal({2, 3})}; };
      s.add(
          "two outputs", layers(), [](const Tensors& in) { return checkpoint(two_layers, in); },
          two_layers);
      s.add(
          "what f reaches by itself", layers(),
          [](const Tensors& in) {
            return checkpoint(
                [in](const Tensors& x) {
                  return two_layers({x[0], in[1], in[2]});
                },
                Tensors{in[0]});
          },
          two_layers);
      s.add(
          "nested", layers(),
          [](const Tensors& in) {
            auto inner = [](const Tensors& x) { return checkpoint(two_layers, x); };
            return checkpoint(inner, in);
          },
          two_layers);
      s.add(
          "transposed", {s.transposed({3, 4}), s.transposed({4, 2}), s.normal({2, 1})},
          [](const Tensors& in) { return checkpoint(two_layers, in); }, two_layers);
      s.add_error(
          {s.normal({2})},
          [](const Tensors& in) {
            return checkpoint([](const Tensors&) { return Tensors(1); }, in);
          },
          "checkpoint: output 0 of the function is undefined");
    }};

// What it takes to call the function again.
struct Recipe {
  TensorFunction f;
  std::vector<Saved> inputs, outside;
  std::vector<Saved> watched;  // must be as they were
  std::vector<GeneratorState> generators;
  std::vector<Substitution::Pair> substitution;  // in force at the first call
  std::vector<size_t> recorded;                  // which outputs the node stands for
  std::vector<TensorInfo> outputs;
};

void check_the_same(const Recipe& r, const Tensors& again) {
  check(again.size() == r.outputs.size(),
        "checkpoint: the function must compute the same again in backward; it returned {} tensors, "
        "then {}",
        r.outputs.size(), again.size());
  for (const size_t i : r.recorded)
    check(again[i].defined() && again[i].requires_grad() &&
              again[i].shape() == r.outputs[i].shape && again[i].dtype() == r.outputs[i].dtype,
          "checkpoint: the function must compute the same again in backward; output {} was {} {} "
          "with a gradient, then {}",
          i, to_string(r.outputs[i].dtype), r.outputs[i].shape,
          !again[i].defined()
              ? "undefined"
              : fmt::format("{} {} {} one", to_string(again[i].dtype()), again[i].shape(),
                            again[i].requires_grad() ? "with" : "without"));
}

Tensors backward(const Recipe& r, Backward& b) {
  Tensors inputs, outside, dy(r.outputs.size());
  for (const Saved& s : r.inputs) inputs.push_back(b.saved(s));
  for (const Saved& s : r.outside) outside.push_back(b.saved(s));
  for (const Saved& s : r.watched) b.saved(s);
  for (size_t k = 0; k < r.recorded.size(); ++k) dy[r.recorded[k]] = b.dy(static_cast<int>(k));
  const RandomReplay replay(r.generators);
  const Substitution substitution(r.substitution);
  auto again = [&r](const Tensors& in) {
    const detail::InsideOp told(false);
    return r.f(in);
  };
  const RecordedCall call("checkpoint", again, inputs, Want::requiring, outside);
  check_the_same(r, call.outputs());
  return call.vjp(dy);
}

}  // namespace

Tensors checkpoint(const TensorFunction& f, const Tensors& inputs) {
  if (!grad_enabled()) return f(inputs);
  Recipe recipe{f, {}, {}, {}, {}, Substitution::in_force(), {}, {}};
  Tensors results, recorded, edges = inputs;
  {
    const RandomRecorder recorder;
    const RecordedCall call("checkpoint", f, inputs, Want::requiring);
    recipe.generators = recorder.states();
    for (const Tensor& t : call.reached_outside()) {
      recipe.outside.push_back(save(t));
      edges.push_back(t);
    }
    for (const Tensor& t : call.saved_of_outside()) recipe.watched.push_back(save(t));
    for (size_t i = 0; i < call.outputs().size(); ++i) {
      const Tensor& y = call.outputs()[i];
      check(y.defined(), "checkpoint: output {} of the function is undefined", i);
      recipe.outputs.push_back({y.shape(), y.dtype()});
      results.push_back(y.detach());
      if (y.requires_grad()) recipe.recorded.push_back(i);
    }
  }  // the graph goes
  for (const Tensor& x : inputs) recipe.inputs.push_back(save(x));
  for (const size_t i : recipe.recorded) recorded.push_back(results[i]);
  const std::vector<size_t> which = recipe.recorded;
  recorded = record_all(kCheckpoint, recorded, edges,
                        [r = std::move(recipe)](Backward& b) { return backward(r, b); });
  for (size_t k = 0; k < which.size(); ++k) results[which[k]] = recorded[k];
  return results;
}

Tensor checkpoint(const TensorFunction& f, const Tensor& input) {
  const Tensors results = checkpoint(f, Tensors{input});
  check(results.size() == 1, "checkpoint: a function of one tensor must return one; got {}",
        results.size());
  return results[0];
}

}  // namespace weft
