// All of autograd: ops and their gradients, ops of one's own, transforms of functions, the gradient
// check, and looking inside.
#pragma once

#include <weft/autograd/check/check_op.h>
#include <weft/autograd/check/gradcheck.h>
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/graph/named.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/inspect/anomaly.h>
#include <weft/autograd/inspect/intermediates.h>
#include <weft/autograd/inspect/profiler.h>
#include <weft/autograd/inspect/recorded_graph.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/activation_checkpoint.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/autograd/transforms/grad.h>
