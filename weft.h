// Everything: tensors, ops, gradients, layers, optimizers.
#pragma once

#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/core/tensor.h>
