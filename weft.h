// Everything: tensors, ops, gradients, layers, optimizers.
#pragma once

#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/core/serialize.h>
#include <weft/core/tensor.h>
#include <weft/nn/attention.h>
#include <weft/nn/check_module.h>
#include <weft/nn/cross_attention.h>
#include <weft/nn/dropout.h>
#include <weft/nn/embedding.h>
#include <weft/nn/init.h>
#include <weft/nn/layer_norm.h>
#include <weft/nn/linear.h>
#include <weft/nn/mask.h>
#include <weft/nn/module.h>
#include <weft/nn/module_list.h>
#include <weft/nn/positional.h>
#include <weft/nn/sequential.h>
#include <weft/nn/transformer.h>
#include <weft/optim/adam.h>
#include <weft/optim/checkpoint.h>
#include <weft/optim/clip.h>
#include <weft/optim/schedules.h>
#include <weft/optim/sgd.h>
