// All of autograd: ops and their gradients, ops of one's own, transforms of functions, the gradient
// check, and looking inside.
#pragma once

#include <weft/autograd/activation_checkpoint.h>
#include <weft/autograd/anomaly.h>
#include <weft/autograd/check_op.h>
#include <weft/autograd/functional.h>
#include <weft/autograd/grad.h>
#include <weft/autograd/grad_mode.h>
#include <weft/autograd/gradcheck.h>
#include <weft/autograd/graph.h>
#include <weft/autograd/intermediates.h>
#include <weft/autograd/named.h>
#include <weft/autograd/op.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/profiler.h>
#include <weft/autograd/record_fused.h>
#include <weft/autograd/samples.h>
