#include <weft/optim/adafactor.h>
#include <weft/optim/adam.h>
#include <weft/optim/lion.h>
#include <weft/optim/muon.h>
#include <weft/optim/sgd.h>
#include <weft/seq2seq/run/optimizer_kind.h>

namespace weft {
namespace {

// beta2 and eps as Vaswani et al. (2017) have them.
template <class Adam, class Options>
std::unique_ptr<Optimizer> make_adam(const NamedTensors& parameters, const TrainConfig& c) {
  return std::make_unique<Adam>(parameters, Options{.lr = c.learning_rate,
                                                    .beta1 = 0.9,
                                                    .beta2 = 0.98,
                                                    .eps = 1e-9,
                                                    .weight_decay = c.weight_decay});
}

std::unique_ptr<Optimizer> make_sgd(const NamedTensors& parameters, const TrainConfig& c) {
  return std::make_unique<Sgd>(
      parameters,
      SgdOptions{.lr = c.learning_rate, .momentum = 0.9, .weight_decay = c.weight_decay});
}

std::unique_ptr<Optimizer> make_lion(const NamedTensors& parameters, const TrainConfig& c) {
  return std::make_unique<Lion>(parameters,
                                LionOptions{.lr = c.learning_rate, .weight_decay = c.weight_decay});
}

std::unique_ptr<Optimizer> make_adafactor(const NamedTensors& parameters, const TrainConfig& c) {
  return std::make_unique<Adafactor>(
      parameters, AdafactorOptions{.lr = c.learning_rate, .weight_decay = c.weight_decay});
}

// A matrix between hidden states, neither of embeddings nor of the output layer.
bool is_hidden_matrix(const NamedTensor& p) {
  const auto has = [&](const char* part) { return p.name.find(part) != std::string::npos; };
  return p.tensor.dim() == 2 && !has("embedding") && !has("positions") && !has("output");
}

std::unique_ptr<Optimizer> make_muon(const NamedTensors& parameters, const TrainConfig& c) {
  const MuonOptions matrices{
      .lr = c.learning_rate, .weight_decay = c.weight_decay, .scale = MuonScale::match_rms_adamw};
  MuonOptions others = matrices;
  others.orthogonal = false;
  others.beta2 = 0.98;
  others.adam_eps = 1e-9;
  Muon::Groups groups{{{}, matrices}, {{}, others}};
  for (const NamedTensor& p : parameters)
    groups[is_hidden_matrix(p) ? 0 : 1].parameters.push_back(p);
  return std::make_unique<Muon>(groups);
}

}  // namespace

const std::vector<OptimizerKind>& builtin_optimizers() {
  static const std::vector<OptimizerKind> kinds{
      {"adam", "Adam with beta2 0.98", make_adam<Adam, AdamOptions>},
      {"adamw",
       "the same with decoupled weight decay",
       make_adam<AdamW, AdamWOptions>,
       {{"weight-decay", "0.01"}}},
      {"sgd", "stochastic gradient descent with momentum 0.9", make_sgd, {{"lr", "0.1"}}},
      {"lion", "steps by the sign of an average", make_lion, {{"lr", "0.001"}}},
      {"adafactor", "second moments of rows and columns alone", make_adafactor, {{"lr", "0.01"}}},
      {"muon", "orthogonal steps of hidden matrices, AdamW for the rest", make_muon}};
  return kinds;
}

}  // namespace weft
