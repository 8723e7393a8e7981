// One pass over a flat parameter p with gradient g, formulas and order of operations as in
// PyTorch 2.6. `grad_scale` multiplies g first. T is float or double; one thread, any
// cut of the parameter gives the same bits.
#pragma once

#include <weft/core/kernels/kernel.h>

#include <cstdint>

namespace weft::kernels {

struct SgdStep {
  double lr = 1e-3, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false;
  bool first = true;  // the first step with momentum sets the buffer to g
  double grad_scale = 1;
};

struct AdamStep {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = false;  // AdamW: p *= 1 - lr weight_decay, instead of g += weight_decay p
  bool maximize = false;
  int64_t step = 1;  // 1 for the first update
  double grad_scale = 1;
};

/// momentum (buffer) may be null when step.momentum is 0.
WEFT_KERNEL(void, sgd_update, const SgdStep& step, T* p, const T* g, T* momentum, int64_t n)

/// m, v: moments. max_v is null unless AMSGrad.
WEFT_KERNEL(void, adam_update, const AdamStep& step, T* p, const T* g, T* m, T* v, T* max_v,
            int64_t n)

/// sum_i x_i^2 in double, one thread.
WEFT_KERNEL(double, sum_squares_block, const T* x, int64_t n)

}  // namespace weft::kernels
