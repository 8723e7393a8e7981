// How sharply a loss curves: the largest eigenvalues of its Hessian or Gauss-Newton matrix, from
// products with vectors alone (Lanczos 1950).
//
//   const TensorFunction loss = ...;  // of some parameters, as functional_call() makes one
//   top_eigenvalues(loss, parameters, 5, 40, Generator(1)).values[0];  // sharpness
#pragma once

#include <weft/autograd/transforms/functional.h>
#include <weft/core/random.h>

#include <functional>
#include <vector>

namespace weft {

struct Eigenvalues {
  std::vector<double> values;  ///< the largest first, by sign: -3 comes after 2
  /// There is an eigenvalue within errors[i] of values[i], but for rounding: few steps leave much.
  std::vector<double> errors;
};

/// v -> A v for a symmetric A: takes and returns tensors of the same shapes.
using SymmetricProduct = std::function<Tensors(const Tensors& v)>;

/// The `count` largest eigenvalues of A by `steps` steps of Lanczos's method, one product each,
/// every new vector made orthogonal to all before it, in float64. v is like `like`, floating
/// tensors, N elements in all; the first is drawn from `generator`. No more than N steps are taken,
/// and so many give every eigenvalue, repeated ones too. (For the smallest, negate A and the
/// values.) Needs steps N numbers of memory. An Error if A v has elements that are not finite.
Eigenvalues lanczos(const SymmetricProduct& product, const Tensors& like, int64_t count,
                    int64_t steps, Generator generator);

/// Of the Hessian of f, which returns one number, at `inputs`: products by hvp().
Eigenvalues top_eigenvalues(const TensorFunction& f, const Tensors& inputs, int64_t count,
                            int64_t steps, Generator generator);

/// Of the Gauss-Newton matrix J^T H J of loss(model(inputs)): products by gvp().
Eigenvalues top_gauss_newton_eigenvalues(const TensorFunction& model, const TensorFunction& loss,
                                         const Tensors& inputs, int64_t count, int64_t steps,
                                         Generator generator);

}  // namespace weft
