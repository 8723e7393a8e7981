// Gradient clipping by norm (Pascanu et al. 2013), as torch.nn.utils.clip_grad_norm_:
//   g = g min(1, max_norm / (||g|| + 1e-6)), with the norm over all gradients together.
#pragma once

#include <weft/core/tensor.h>

namespace weft {

struct ClipOptions {
  double norm_type = 2;  ///< p of the p-norm, at least 1; infinity: the largest magnitude
  bool error_if_nonfinite = false;  ///< Error when the norm is inf or nan, before any change
};

/// Replaces the gradients of `parameters` by clipped ones and returns the norm that they had.
/// Parameters without a gradient are passed over. The same bits at any number of threads.
double clip_grad_norm(const Tensors& parameters, double max_norm, const ClipOptions& options = {});

}  // namespace weft
