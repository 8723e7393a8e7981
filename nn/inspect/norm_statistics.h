// Normalization as a fixed scaling: what a gradient says once it no longer flows through the
// statistics of LayerNorm and RMSNorm.
#pragma once

#include <weft/nn/module.h>

namespace weft {

/// From now on until the handle removes it, every LayerNorm and RMSNorm in `module` treats its mean
/// and its deviation as constants in the gradient: dx = dy weight / deviation. Values stay the
/// same, bit for bit; gradients of weight and bias too. An Error if there is no norm.
HookHandle freeze_norm_statistics(Module& module);

}  // namespace weft
