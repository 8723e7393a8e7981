#include <weft/optim/adam.h>
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

}  // namespace

const std::vector<OptimizerKind>& builtin_optimizers() {
  static const std::vector<OptimizerKind> kinds{
      {"adam", "Adam with beta2 0.98", make_adam<Adam, AdamOptions>},
      {"adamw",
       "the same with decoupled weight decay",
       make_adam<AdamW, AdamWOptions>,
       {{"weight-decay", "0.01"}}},
      {"sgd", "stochastic gradient descent with momentum 0.9", make_sgd, {{"lr", "0.1"}}}};
  return kinds;
}

}  // namespace weft
