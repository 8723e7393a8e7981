// Recomputation of activations in backward instead of storing them.
#pragma once

#include <weft/autograd/transforms/grad.h>

namespace weft {

/// f(inputs), keeping nothing that f computes on the way: backward calls f again. Values and
/// gradients are the same bits, of inputs and of whatever else f uses; generators draw the same
/// numbers again, so dropout drops the same. Works under create_graph and nested. Costs one more
/// forward. f must live until backward, and compute the same again: parameters must not have moved
/// (an Error names one that backward needs and that has).
Tensors checkpoint(const TensorFunction& f, const Tensors& inputs);
Tensor checkpoint(const TensorFunction& f, const Tensor& input);

}  // namespace weft
