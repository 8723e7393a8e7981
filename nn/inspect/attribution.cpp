#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/attribution.h>
#include <weft/nn/inspect/quadrature.h>

namespace weft {
namespace {

// g(i) for every i whose input is floating; the others stay undefined.
template <class G>
Tensors for_floating(const Tensors& inputs, G g) {
  Tensors results(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].defined() && is_floating(inputs[i].dtype())) results[i] = g(i);
  return results;
}

// The inputs, with what is defined of `others` in their places.
Tensors replaced(const Tensors& inputs, const Tensors& others) {
  Tensors at = inputs;
  for (size_t i = 0; i < at.size(); ++i)
    if (others[i].defined()) at[i] = others[i];
  return at;
}

// Adds `weight` times what is defined of the gradients.
void add_scaled(Tensors& total, const Tensors& gradients, double weight) {
  for (size_t i = 0; i < total.size(); ++i)
    if (total[i].defined()) total[i] = total[i] + gradients[i] * weight;
}

Tensors zeros_like_floating(const Tensors& inputs) {
  return for_floating(inputs,
                      [&](size_t i) { return zeros(inputs[i].shape(), inputs[i].dtype()); });
}

double number(const TensorFunction& f, const Tensors& inputs) {
  const NoGrad no_grad;
  return f(inputs).at(0).item();
}

void check_baselines(const Tensors& inputs, const Tensors& baselines) {
  check(inputs.size() == baselines.size(),
        "integrated_gradients: expected a baseline for each input; got {} for {}", baselines.size(),
        inputs.size());
  for_floating(inputs, [&](size_t i) {
    const Tensor &x = inputs[i], &from = baselines[i];
    check(from.defined() && from.shape() == x.shape() && from.dtype() == x.dtype(),
          "integrated_gradients: baseline {} must be {} {} as the input is; got {}", i,
          to_string(x.dtype()), x.shape(),
          from.defined() ? fmt::format("{} {}", to_string(from.dtype()), from.shape())
                         : "an undefined tensor");
    return x;
  });
}

}  // namespace

Tensors gradient_times_input(const TensorFunction& f, const Tensors& inputs) {
  const Tensors gradients = value_and_grad(f, inputs).gradients;
  return for_floating(inputs, [&](size_t i) { return inputs[i] * gradients[i]; });
}

IntegratedGradients integrated_gradients(const TensorFunction& f, const Tensors& inputs,
                                         const Tensors& baselines, int64_t points) {
  check_baselines(inputs, baselines);
  const Tensors way = for_floating(inputs, [&](size_t i) { return inputs[i] - baselines[i]; });
  Tensors slopes = zeros_like_floating(inputs);
  const Quadrature q = gauss_legendre(points);
  for (size_t p = 0; p < q.nodes.size(); ++p) {
    const double t = (1 + q.nodes[p]) / 2;
    const Tensors at = for_floating(inputs, [&](size_t i) { return baselines[i] + way[i] * t; });
    add_scaled(slopes, value_and_grad(f, replaced(inputs, at)).gradients, q.weights[p] / 2);
  }
  IntegratedGradients found{for_floating(inputs, [&](size_t i) { return way[i] * slopes[i]; })};
  const Tensors start = for_floating(inputs, [&](size_t i) { return baselines[i]; });
  found.completeness_error = number(f, replaced(inputs, start)) - number(f, inputs);
  for (const Tensor& a : found.attributions)
    if (a.defined()) found.completeness_error += sum(a.detach()).item();
  return found;
}

Tensors smooth_grad(const TensorFunction& f, const Tensors& inputs, Generator generator,
                    const SmoothGradOptions& options) {
  check(options.samples >= 1 && options.noise >= 0,
        "smooth_grad: expected at least 1 sample and noise of at least 0; got {} and {}",
        options.samples, options.noise);
  Tensors total = zeros_like_floating(inputs);
  for (int64_t s = 0; s < options.samples; ++s) {
    const Tensors at = for_floating(inputs, [&](size_t i) {
      const Tensor& x = inputs[i];
      return x + randn(x.shape(), generator, x.dtype()) * options.noise;
    });
    add_scaled(total, value_and_grad(f, replaced(inputs, at)).gradients,
               1 / static_cast<double>(options.samples));
  }
  return total;
}

}  // namespace weft
