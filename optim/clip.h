// Gradient clipping by norm (Pascanu et al. 2013), as torch.nn.utils.clip_grad_norm_:
//   g = g min(1, max_norm / (||g|| + 1e-6)), with the norm over all gradients together.
#pragma once

#include <weft/core/tensor.h>

namespace weft {

struct ClipOptions {
  double norm_type = 2;  ///< p of the p-norm, at least 1; infinity: the largest magnitude
  bool error_if_nonfinite = false;  ///< Error when the norm is inf or nan, before any change
};

/// The norm of the gradients of `parameters`, all together; those without one are passed over. The
/// same bits at any number of threads.
double grad_norm(const Tensors& parameters, const ClipOptions& options = {});

/// min(1, max_norm / (norm + 1e-6)), for Optimizer::step: clipping that costs no pass of its own,
///
///   adam.step(clip_factor(grad_norm(adam.parameters()), 1.0));
double clip_factor(double norm, double max_norm);

/// Clips the gradients of `parameters` (in their own memory where nobody else holds it) and returns
/// the norm that they had. Parameters without a gradient are passed over.
double clip_grad_norm(const Tensors& parameters, double max_norm, const ClipOptions& options = {});

}  // namespace weft
