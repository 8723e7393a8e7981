// Ranks that train alone and meet now and then: local SGD with an outer optimizer, as in DiLoCo
// (Douillard et al. 2023, arXiv:2311.08105). After H steps of its own, with any optimizer and its
// own data, rank k has come from the shared parameters theta to theta_k; then on all ranks
//   g = mean over k of (theta - theta_k)      the outer gradient
//   theta = SGD(theta, g)                     with Nesterov momentum;  theta_k = theta
// Traffic falls to 1/H. Averaging of parameters (Stich 2019, arXiv:1805.09767) is an outer lr of 1
// without momentum.
//
//   LocalSgd local(communicator, model.named_parameters());
//   loss(batch_of(rank, i)).backward();
//   adam.step(); adam.zero_grad();
//   local.step();                             // every 500th meets the others
#pragma once

#include <weft/optim/distributed/communicator.h>
#include <weft/optim/sgd.h>

#include <memory>

namespace weft {

class Exchange;

struct LocalSgdOptions {
  int64_t steps = 500;  ///< from one meeting to the next: H
  SgdOptions outer = {.lr = 0.7, .momentum = 0.9, .nesterov = true};
};

class LocalSgd {
 public:
  /// Gives the parameters of all ranks the values of rank 0. The communicator must outlive this.
  /// Frozen parameters are left alone. Keeps two copies of the others: where they were when ranks
  /// last met, and the momentum. Error unless ranks have the same parameters, all contiguous, and
  /// steps is positive.
  LocalSgd(Communicator& communicator, const NamedTensors& parameters,
           const LocalSgdOptions& options = {});
  ~LocalSgd();

  /// Counts a step of this rank. Every H-th takes the outer step, for which all ranks must come;
  /// then parameters have the same bits on all ranks, the mean is summed in an order that depends
  /// on nothing but the number of ranks (pairwise_sum.h), and it returns true.
  bool step();

  /// Its lr and momentum may be changed. The state of the outer steps is its state_dict().
  Sgd& outer() { return outer_; }
  /// Parameters were loaded that are the same on all ranks: local steps count from here.
  void restart();
  /// Throws an Error that names the first parameter whose bits are not those of rank 0, as none is
  /// right after an outer step. All ranks must call this together.
  void check_equal();

  /// What ranks that have just met go on from, beside their parameters: the outer optimizer's state
  /// as `outer.<name>`, that of each rank's own one as `rank<k>.<name>`, and their number, `ranks`;
  /// on rank 0, nothing on others. All ranks must call this together.
  NamedTensors state_dict(const Optimizer& inner);
  /// Takes such a state, of as many ranks; parameters are loaded apart, and then comes restart().
  /// All is checked first: an Error names the numbers of ranks, or is as of
  /// Optimizer::load_state_dict().
  void load_state_dict(const NamedTensors& state, Optimizer& inner);
  /// Throws what load_state_dict would throw, and changes nothing.
  void check_state_dict(const NamedTensors& state, const Optimizer& inner) const;

 private:
  void meet();
  NamedTensors own_part(const NamedTensors& state) const;

  Communicator& communicator_;
  NamedTensors parameters_;  // those that move
  NamedTensors shared_;      // where they were when ranks met last
  Sgd outer_;
  std::unique_ptr<Exchange> exchange_;
  int64_t every_, taken_ = 0;
};

}  // namespace weft
