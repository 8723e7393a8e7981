// Optimizer state cut among ranks: ZeRO, stage 1 (Rajbhandari et al. 2020, arXiv:1910.02054). All
// ranks have all parameters and gradients, but each keeps the state (of Adam: two moments, twice
// the model) of its share of the parameters only, steps those, and gets the others' new values.
//
//   Adam adam(model.named_parameters());
//   ShardedOptimizer sharded(communicator, model.named_parameters(), adam);
//   ranks.sum_gradients(...);      // DataParallel
//   sharded.step(clip_factor(grad_norm(adam.parameters()), 1.0));
//   adam.zero_grad();
#pragma once

#include <weft/optim/distributed/communicator.h>
#include <weft/optim/optimizer.h>

#include <vector>

namespace weft {

class ShardedOptimizer {
 public:
  /// For any optimizer, which must outlive this, as must the communicator; `parameters` are those
  /// that it was made with, in any order. State that it has is kept for this rank's share. Shares
  /// are whole parameters, the largest given out first, so no rank holds less than the largest.
  /// An Error unless the parameters are the optimizer's.
  ShardedOptimizer(Communicator& communicator, const NamedTensors& parameters,
                   Optimizer& optimizer);

  /// optimizer.step(gradient_scale), to the same bits. All ranks must have the same gradients and
  /// parameters, and call this together.
  void step(double gradient_scale = 1);

  /// The whole state, as one optimizer alone would have it, on rank 0; nothing on others. All ranks
  /// must call this together. Names of the optimizer's buffers must have no dot.
  NamedTensors state_dict();
  /// Keeps this rank's share of a whole state. Errors as in Optimizer::load_state_dict().
  void load_state_dict(const NamedTensors& state);

 private:
  bool is_mine(size_t parameter) const { return owners_[parameter] == communicator_.rank(); }
  NamedTensors own_part(const NamedTensors& state) const;
  void gather_values(const std::vector<size_t>& moved);
  size_t index_of(const std::string& parameter) const;

  Communicator& communicator_;
  NamedTensors parameters_;
  Optimizer& optimizer_;
  std::vector<int> owners_;  // of parameters: ranks
};

}  // namespace weft
