// Transforms of functions of tensors: what torch.func and torch.autograd.functional offer, under
// their names. docs/gradients.md shows each at work.
//
// All see f as a function of `inputs` alone: floating ones are differentiated, others passed along,
// and what f reaches otherwise is held constant: nn/transforms.h gives a module's parameters for
// inputs. An input that f does not reach at all is an Error unless allow_unused. Their results are
// themselves differentiable in grad mode, with respect to everything, so they nest to any order.
// Under NoGrad they are plain numbers, which costs less time and memory. Those that may be given
// one Tensor in place of Tensors return one for it.
#pragma once

#include <weft/autograd/transforms/grad.h>

#include <vector>

namespace weft {

struct ValueAndGrad {
  Tensor value;
  Tensors gradients;  ///< one per input; zeros where f is allowed not to use one
};

/// f, which must return one tensor of one element, and its gradients.
ValueAndGrad value_and_grad(const TensorFunction& f, const Tensors& inputs,
                            const TransformOptions& options = {});

/// J v: the tangents of f's outputs for tangents `v` of its inputs (undefined entries count as
/// zero). Exact: u -> J^T u is linear, and J v is its vjp, which costs one backward pass recorded
/// and one more through that record, or about 4 to 6 times f.
Tensors jvp(const TensorFunction& f, const Tensors& inputs, const Tensors& v,
            const TransformOptions& options = {});
Tensor jvp(const TensorFunction& f, const Tensor& input, const Tensor& v,
           const TransformOptions& options = {});

/// H v for the Hessian H of f, which must return one tensor of one element: the gradient of
/// <gradient of f, v>.
Tensors hvp(const TensorFunction& f, const Tensors& inputs, const Tensors& v,
            const TransformOptions& options = {});
Tensor hvp(const TensorFunction& f, const Tensor& input, const Tensor& v,
           const TransformOptions& options = {});

/// The Gauss-Newton product J^T H J v of loss(model(inputs)): J is the Jacobian of the model, H the
/// Hessian of the loss at the model's outputs. Positive semidefinite where the loss is convex
/// (Schraudolph 2002). allow_unused holds for the model's inputs, and its outputs in the loss.
Tensors gvp(const TensorFunction& model, const TensorFunction& loss, const Tensors& inputs,
            const Tensors& v, const TransformOptions& options = {});

struct JacobianOptions {
  /// f maps over a leading dim: row n of each output depends on row n of each input, and on no
  /// other. One vjp then gives a row of every sample's Jacobian, which is all that is returned.
  bool batched = false;
  /// Rows that one vjp gives, by calling a batched f on that many copies of its batch: memory grows
  /// with it, time falls. A function that is not batched gives one row a vjp.
  int64_t chunk_size = 1;
  bool allow_unused = false;  ///< an input that f does not use gives zeros, and no Error
};

/// Jacobians [i][j] of output i by input j, of shape [output's..., input's...]; if batched,
/// [N, output's..., input's...] without their leading dims. One vjp a row: as many as the outputs
/// have elements (of one sample), over chunk_size; under NoGrad memory beyond the result is that of
/// f recorded once and of one vjp. Undefined where an output or input is not floating.
std::vector<Tensors> jacobian(const TensorFunction& f, const Tensors& inputs,
                              const JacobianOptions& options = {});
Tensor jacobian(const TensorFunction& f, const Tensor& input, const JacobianOptions& options = {});

/// Hessians [i][j] by inputs i and j of f, which must return one tensor of one element; if batched,
/// one element a sample, of shape [N, input i's..., input j's...]. One vjp of the gradient a row.
std::vector<Tensors> hessian(const TensorFunction& f, const Tensors& inputs,
                             const JacobianOptions& options = {});
Tensor hessian(const TensorFunction& f, const Tensor& input, const JacobianOptions& options = {});

/// The gradient of each sample's loss, in one vjp: f maps over a leading dim, from inputs [N, ...]
/// to losses [N]. What all samples share may be an input too, stretched by expand() to [N, ...].
Tensors per_sample_grad(const TensorFunction& f, const Tensors& inputs,
                        const TransformOptions& options = {});
/// The same with respect to `parameters` that f uses besides its inputs, whatever it does with
/// them: f gets one sample [1, ...] after another and returns its loss, one element. One backward a
/// sample. -> [N, parameter's...]
Tensors per_sample_grad(const TensorFunction& f, const Tensors& inputs, const Tensors& parameters,
                        const TransformOptions& options = {});

}  // namespace weft
