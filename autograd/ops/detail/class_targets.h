// Shared by the losses on class targets: nll_loss, cross_entropy, linear_cross_entropy. Not public.
#pragma once

#include <weft/autograd/graph/op.h>
#include <weft/autograd/ops.h>

namespace weft {

/// Checked targets of N rows over V classes.
struct ClassTargets {
  Tensor rows;       ///< int64 [N]; -1 where a row does not count
  Tensor weight;     ///< [V] in the dtype of the logits, or undefined; of a mean: shares of the sum
  Shape shape;       ///< of the targets as given
  double scale = 1;  ///< what the sum of the losses is multiplied by
};

/// `batch` is the shape that the targets must have. With Reduction::mean, each class weight is
/// divided by the sum of those of the rows that count, which keeps weights of any size in range;
/// without weights `scale` is one over the number of these rows. Where the sum is 0, so is the loss
/// with its gradients, as of a batch in which nothing counts (PyTorch: NaN).
ClassTargets class_targets(const char* who, const Shape& batch, int64_t classes, DType dtype,
                           const Tensor& target, const CrossEntropyOptions& options);

/// x [..., D], N rows, with zeros in those that do not count: then what stands there, be it NaN,
/// reaches no gradient of ops that would multiply it by 0.
Tensor counted_rows(const Tensor& x, const ClassTargets& targets);

/// Targets and class weights as a vjp keeps them: changed in place by the user, they are an error.
class SavedTargets {
 public:
  /// `target` and `options` as the user gave them, and what class_targets() made of them.
  SavedTargets(const Tensor& target, const CrossEntropyOptions& options,
               const ClassTargets& checked);
  Tensor target(const Backward& b) const { return b.saved(target_); }
  CrossEntropyOptions options(const Backward& b) const;
  ClassTargets checked(const Backward& b) const;

 private:
  Saved target_, weight_, rows_, row_weight_;
  CrossEntropyOptions options_;
  Shape shape_;
  double scale_;
};

/// Losses [N] of the rows as asked for: each, in the shape of the targets, or their scaled sum.
Tensor reduced(const Tensor& losses, const ClassTargets& targets, Reduction reduction);

/// The loss from log-probabilities [..., V], in ops that have gradients of any order.
Tensor loss_of_log_probs(const Tensor& log_probs, const ClassTargets& targets,
                         const CrossEntropyOptions& options);

}  // namespace weft
