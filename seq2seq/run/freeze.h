// Fine-tuning a part of a model: the rest is frozen.
#pragma once

#include <weft/nn/module.h>

#include <string>

namespace weft {

/// Takes the gradient from the parameters whose names begin with one of `prefixes`, which commas
/// separate; an optimizer does not move what has none. Throws if one is the beginning of no name,
/// or if nothing is left to train.
void freeze(Module& model, const std::string& prefixes);

}  // namespace weft
