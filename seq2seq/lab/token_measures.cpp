// Measures that give a number for every token.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/nn/inspect/attribution.h>
#include <weft/nn/inspect/quadrature.h>
#include <weft/nn/inspect/spread.h>
#include <weft/seq2seq/lab/detail/builtin.h>

namespace weft {
namespace {

constexpr int64_t kPoints = 16;  // of the path from the baseline

TensorFunction score_of(const Study& study) {
  return [&study](const Tensor& x) { return study.score_at(x); };
}

// Attributions of the source's vectors, [1, Ts, D] -> [Ts].
Tensor by_token(const Tensor& attributions) { return sum(select(attributions, 0, 0), {-1}); }

std::vector<TokenNumbers> mean_entropy(const Study& study) {
  if (study.trace.cross.empty()) return {};
  const NoGrad no_grad;
  Tensors layers;
  for (const Tensor& a : study.trace.cross) layers.push_back(mean(entropy(select(a, 0, 0)), {0}));
  return {{Place::decoder, mean(stack(layers, 0), {0})}};
}

std::vector<TokenNumbers> gradient_input(const Study& study) {
  if (!study.embeddings.defined()) return {};
  const NoGrad no_grad;
  return {{Place::encoder, by_token(gradient_times_input(score_of(study), {study.embeddings})[0])}};
}

// As integrated_gradients() (nn/inspect/attribution.h) from a baseline of 0, the points of the path
// in one batch.
std::vector<TokenNumbers> integrated(const Study& study) {
  if (!study.embeddings.defined()) return {};
  const NoGrad no_grad;
  const Tensor& x = study.embeddings;  // [1, Ts, D]
  const Quadrature q = gauss_legendre(kPoints);
  Tensors path;
  for (const double node : q.nodes) path.push_back(x * ((1 + node) / 2));
  const Tensor slopes = value_and_grad(score_of(study), {cat(path, 0)}).gradients[0];
  const Tensor weights = to(from_vector(q.weights, {kPoints, 1, 1}), x.dtype());
  const Tensor values = by_token(x * sum(slopes * weights, {0}, true) * 0.5);
  const double change = (study.score_at(x) - study.score_at(x * 0)).item();
  return {{Place::encoder, values, sum(values).item() - change}};
}

// The end of the sentence is never taken away: its share is 0.
Tensor with_end(const Tensor& values) { return cat({values, zeros({1}, values.dtype())}, 0); }

std::vector<TokenNumbers> left_out(const Study& study) {
  const auto score = [&](const Tensor& keep) { return study.subset_score(keep); };
  return {{Place::encoder, with_end(leave_one_out(score, study.units()))}};
}

std::vector<TokenNumbers> shapley(const Study& study) {
  if (study.units() > kMostShapleyUnits) return {};
  return {{Place::encoder, with_end(shapley_values(study.all_subsets()))}};
}

}  // namespace

std::vector<Measure> token_measures() {
  return {{.name = "entropy",
           .label = "Entropy",
           .formula = "−Σⱼ Aᵢⱼ log Aᵢⱼ, the mean over layers and heads of cross-attention",
           .words = "How widely a row looks: 0 is one column alone.",
           .reference = "Ghader and Monz 2017",
           .unit = "nats",
           .tokens = mean_entropy},
          {.name = "gradient_input",
           .label = "Gradient × input",
           .formula = "x · ∂s/∂x, x the token's vector",
           .words = "What the token's vector adds to the score, to first order.",
           .reference = "",
           .is_signed = true,
           .unit = "nats",
           .tokens = gradient_input},
          {.name = "integrated_gradients",
           .label = "Integrated gradients",
           .formula = "x · ∫₀¹ ∂s/∂x(t x) dt, by 16 points of Gauss and Legendre",
           .words = "The token's share in how the score differs from that of a source of zero "
                    "vectors.",
           .reference = "Sundararajan et al. 2017",
           .is_signed = true,
           .unit = "nats",
           .tokens = integrated},
          {.name = "leave_one_out",
           .label = "Leave one out",
           .formula = "s(all) − s(all but i), token i being unknown",
           .words = "How far the score falls where the token is replaced by the unknown one.",
           .reference = "",
           .is_signed = true,
           .unit = "nats",
           .tokens = left_out},
          {.name = "shapley",
           .label = "Shapley values",
           .formula = "the mean over all orders of what token i adds, exact over 2ⁿ subsets",
           .words = "The token's fair share in the score, beyond that of a source of unknown "
                    "tokens.",
           .reference = "Shapley 1953",
           .is_signed = true,
           .unit = "nats",
           .tokens = shapley}};
}

}  // namespace weft
