// Data-parallel training: every rank has the whole model and computes the gradients of its share of
// each update; the sums of gradients go around while backward still runs. Parameters stay equal to
// the bit on all ranks, and the same at any number of ranks.
//
//   DataParallel ranks(communicator, model.named_parameters());
//   ranks.sum_gradients(batches.size(), [&](int64_t i) { loss(batches[i]).backward(); });
//   adam.step(); adam.zero_grad();
#pragma once

#include <weft/core/serialize.h>
#include <weft/optim/distributed/communicator.h>
#include <weft/optim/distributed/parts.h>

#include <functional>
#include <memory>

namespace weft {

class Exchange;

struct DataParallelOptions {
  /// Gradients travel in buckets of about this size, each as soon as it is full.
  int64_t bucket_bytes = int64_t{4} << 20;
};

class DataParallel {
 public:
  /// Gives the parameters of all ranks the values of rank 0. The communicator must outlive this
  /// and be used by nobody else during sum_gradients(). Error unless all ranks have as many
  /// parameters of the same names, shapes and dtypes.
  DataParallel(Communicator& communicator, NamedTensors parameters,
               const DataParallelOptions& options = {});
  ~DataParallel();

  /// Calls `backward(part)` for this rank's share of parts 0, 1, ..., which adds the part's
  /// gradients to those of the parameters, and leaves in every parameter's grad() the sum over all
  /// parts of all ranks: the bits do not depend on the number of ranks (pairwise_sum.h). Gradients
  /// must be undefined before; a parameter that no part reaches has none afterwards. Throws what
  /// `backward` throws; then other ranks wait, until this process ends.
  void sum_gradients(int64_t parts, const std::function<void(int64_t part)>& backward);

  /// Throws an Error that names the first parameter whose bits are not those of rank 0.
  void check_equal();

  Communicator& communicator() { return communicator_; }

 private:
  struct Sums;

  void take(size_t parameter, Tensor gradient);
  void take_the_rest();
  void set_sums();

  Communicator& communicator_;
  NamedTensors parameters_;
  std::unique_ptr<Sums> sums_;
  std::unique_ptr<Exchange> exchange_;  // null where there is one rank
  std::vector<HookHandle> hooks_;
};

}  // namespace weft
