// How much each element of the inputs did to a number that a function makes of them.
//
// f returns one tensor of one element. Results have an entry for each input, of its shape and
// undefined for one that is not floating (ids), which f gets as it is. In grad mode they are
// differentiable with respect to the inputs; under NoGrad they are plain numbers and need less
// memory.
#pragma once

#include <weft/autograd/transforms/grad.h>
#include <weft/core/random.h>

namespace weft {

/// x df/dx, elementwise.
Tensors gradient_times_input(const TensorFunction& f, const Tensors& inputs);

struct IntegratedGradients {
  Tensors attributions;  ///< an entry for each input
  /// What they sum to less f(inputs) - f(baselines): 0 but for the error of the sum over points.
  double completeness_error = 0;
};

/// Integrated gradients (Sundararajan, Taly and Yan 2017, arXiv:1703.01365):
///   (x - x') int_0^1 df/dx(x' + t (x - x')) dt,
/// with x' the baselines, one for each input and of its shape (of one that is not floating,
/// anything). The integral is Gauss and Legendre's at so many `points`: one gradient each, exact
/// where f is a polynomial of degree up to 2 `points` along the way; across kinks (of relu) the
/// error falls only like 1 / points. They change sign where inputs
/// and baselines are exchanged.
IntegratedGradients integrated_gradients(const TensorFunction& f, const Tensors& inputs,
                                         const Tensors& baselines, int64_t points = 16);

struct SmoothGradOptions {
  int64_t samples = 50;
  double noise = 0.1;  ///< standard deviation of what is added to every element
};

/// SmoothGrad (Smilkov et al. 2017, arXiv:1706.03825): the mean of df/dx at inputs with normal
/// noise added. (There the noise is given as a part of the range of the inputs.) The same state of
/// the generator gives the same bits.
Tensors smooth_grad(const TensorFunction& f, const Tensors& inputs, Generator generator,
                    const SmoothGradOptions& options = {});

}  // namespace weft
