// Measures that give a number for every pair of positions.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/nn/inspect/contributions.h>
#include <weft/nn/inspect/detail/scoped_hooks.h>
#include <weft/nn/inspect/norm_weights.h>
#include <weft/nn/inspect/relevance.h>
#include <weft/nn/inspect/rollout.h>
#include <weft/nn/transformer/decoder_layer.h>
#include <weft/seq2seq/lab/detail/builtin.h>

namespace weft {
namespace {

constexpr std::pair<Place, Tensors AttentionTrace::*> kPlaces[] = {
    {Place::cross, &AttentionTrace::cross},
    {Place::encoder, &AttentionTrace::encoder},
    {Place::decoder, &AttentionTrace::decoder}};

// f(weights of a layer, their gradients), each [1, H, Tq, Tk], of every layer. A place of which f
// gives an undefined one is left out.
template <class F>
std::vector<Maps> of_each_layer(const Study& study, F f) {
  const NoGrad no_grad;
  std::vector<Maps> maps;
  for (const auto& [place, list] : kPlaces) {
    const Tensors &a = study.trace.*list, &da = study.gradients.*list;
    Tensors layers;
    for (size_t l = 0; l < a.size(); ++l)
      if (const Tensor found = f(a[l], da[l]); found.defined())
        layers.push_back(select(found, 0, 0));
    if (!a.empty() && layers.size() == a.size()) maps.push_back({place, layers});
  }
  return maps;
}

std::vector<Maps> weights(const Study& study) {
  return of_each_layer(study, [](const Tensor& a, const Tensor&) { return a.detach(); });
}

std::vector<Maps> gradient(const Study& study) {
  return of_each_layer(study, [](const Tensor&, const Tensor& da) { return da; });
}

std::vector<Maps> gradient_attention(const Study& study) {
  return of_each_layer(study, [](const Tensor& a, const Tensor& da) { return a * da; });
}

std::vector<Maps> weight_norms(const Study& study) {
  return of_each_layer(study, [&](const Tensor& a, const Tensor&) {
    const Study::Layer layer = study.layer_of(a);
    return layer.attention ? norm_weights(*layer.attention, layer.value, a).per_head : Tensor();
  });
}

bool is_encoder_decoder(const AttentionTrace& trace) {
  return !trace.encoder.empty() && !trace.cross.empty() &&
         trace.cross.size() == trace.decoder.size();
}

std::vector<Maps> relevances(const Study& study) {
  if (!is_encoder_decoder(study.trace)) return {};
  const NoGrad no_grad;
  const Relevance r = relevance(study.trace, study.gradients);
  return {{Place::cross, {r.cross}}, {Place::encoder, {r.encoder}}, {Place::decoder, {r.decoder}}};
}

// The blocks of a matrix [1, S + T, S + T] over the source's positions and the target's.
std::vector<Maps> blocks(const Tensor& whole, int64_t s) {
  const Tensor above = slice(whole, 1, 0, s), below = slice(whole, 1, s);
  return {{Place::cross, {slice(below, 2, 0, s)}},
          {Place::encoder, {slice(above, 2, 0, s)}},
          {Place::decoder, {slice(below, 2, s)}}};
}

std::vector<Maps> rollouts(const Study& study) {
  if (!is_encoder_decoder(study.trace)) return {};
  const NoGrad no_grad;
  return blocks(rollout(residual_layers(study.trace)), std::ssize(study.source));
}

bool has_transformer_layers(Module& model) {
  bool found = false;
  detail::for_each_module(
      model, [&](Module& m) { found |= dynamic_cast<TransformerDecoderLayer*>(&m) != nullptr; });
  return found;
}

std::vector<Maps> contributions_through_layers(const Study& study) {
  if (!is_encoder_decoder(study.trace) || !has_transformer_layers(study.model)) return {};
  const NoGrad no_grad;
  const PaddedIds source = pad_ids({&study.source, 1}), target = pad_ids({&study.target, 1});
  const Tensors layers = contribution_layers(
      study.model, [&](AttentionTrace* trace) { *trace = study.model.trace(source, target); });
  return blocks(rollout(layers), std::ssize(study.source));
}

// Its time grows like the fourth power of the length: 1.3 s for 60 positions and 6 layers.
constexpr int64_t kLongestFlow = 64;

std::vector<Maps> flows(const Study& study) {
  if (!is_encoder_decoder(study.trace)) return {};
  if (std::ssize(study.source) + study.rows() > kLongestFlow) return {};
  const NoGrad no_grad;
  return blocks(attention_flow(residual_layers(study.trace)), std::ssize(study.source));
}

}  // namespace

std::vector<Measure> attention_measures() {
  return {
      {.name = "weights",
       .label = "Attention weights",
       .formula = "A, as the layer computes it: softmax(QKᵀ/√d) in a Transformer",
       .words = "How much a row takes in of each column.",
       .reference = "Bahdanau et al. 2015; Vaswani et al. 2017",
       .maps = weights},
      {.name = "gradient",
       .label = "Gradient of weights",
       .formula = "∂s/∂A",
       .words = "How the score s, the log-probability of the target, changes for a small change "
                "of the weight.",
       .reference = "",
       .is_signed = true,
       .unit = "nats",
       .maps = gradient},
      {.name = "gradient_attention",
       .label = "Gradient × attention",
       .formula = "A ∂s/∂A",
       .words = "What the weight adds to the score, to first order.",
       .reference = "Michel et al. 2019; Chefer et al. 2021",
       .is_signed = true,
       .unit = "nats",
       .maps = gradient_attention},
      {.name = "norm_weights",
       .label = "Weights × value norms",
       .formula = "‖Aᵢⱼ f(xⱼ)‖, f(x) = (x W_V + b_V) W_O",
       .words = "The length of what a column adds to the row: a large weight on a short vector "
                "carries little.",
       .reference = "Kobayashi et al. 2020",
       .maps = weight_norms},
      {.name = "relevance",
       .label = "Relevance",
       .formula = "R ← R + ĀR by layer, Ā the mean over heads of (A ∂s/∂A)⁺",
       .words = "What the score rests on, through all layers.",
       .reference = "Chefer, Gur and Wolf 2021, equations 5 to 10",
       .per_layer = false,
       .maps = relevances},
      {.name = "rollout",
       .label = "Rollout",
       .formula = "A′_L ⋯ A′₁, A′ = A/2 + I/2",
       .words = "The part of a row, above the last layer, that stems from a column below the "
                "first.",
       .reference = "Abnar and Zuidema 2020",
       .per_layer = false,
       .maps = rollouts},
      {.name = "contributions",
       .label = "Contributions (ALTI+)",
       .formula = "C_L ⋯ C₁, Cᵢⱼ ∝ max(0, ‖yᵢ‖ − ‖yᵢ − partᵢⱼ‖) in l₁ lengths",
       .words = "The part of a row's vector that stems from a column, by what each adds to the "
                "output of every attention block, its residual connection and norm included.",
       .reference = "Ferrando et al. 2022 (ALTI, ALTI+)",
       .per_layer = false,
       .maps = contributions_through_layers},
      {.name = "flow",
       .label = "Attention flow",
       .formula = "the largest flow through edges A′, for up to 64 positions of both sides",
       .words = "How much can flow from a row, above the last layer, to a column below the "
                "first.",
       .reference = "Abnar and Zuidema 2020",
       .per_layer = false,
       .maps = flows}};
}

}  // namespace weft
