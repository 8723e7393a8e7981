#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/curvature.h>
#include <weft/nn/inspect/detail/symmetric_eigen.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

constexpr const char* kLanczos = "lanczos";

double dot(const Tensor& x, const Tensor& y) { return sum(x * y).item(); }
double norm(const Tensor& x) { return std::sqrt(dot(x, x)); }

// Tensors as one float64 vector, and back.
Tensor flat(const Tensors& parts) {
  Tensors rows;
  for (const Tensor& part : parts) rows.push_back(to(reshape(part, {-1}), kFloat64));
  return cat(rows, 0);
}
Tensors shaped(const Tensor& vector, const Tensors& like) {
  Tensors parts;
  int64_t begin = 0;
  for (const Tensor& t : like) {
    parts.push_back(to(reshape(slice(vector, 0, begin, begin + t.numel()), t.shape()), t.dtype()));
    begin += t.numel();
  }
  return parts;
}

// An orthonormal basis that grows, and A in it: the diagonal and what is beside it.
struct Krylov {
  Tensors basis;
  std::vector<double> diagonal, beside;

  // x less what lies along the basis. Twice is enough: once leaves what rounding makes large.
  Tensor orthogonal(Tensor x) const {
    for (int pass = 0; pass < 2; ++pass)
      for (const Tensor& q : basis) x = x - q * dot(q, x);
    return x;
  }

  double scale() const {
    double largest = 0;
    for (size_t i = 0; i < diagonal.size(); ++i)
      largest = std::max({largest, std::abs(diagonal[i]), i < beside.size() ? beside[i] : 0});
    return largest;
  }

  std::vector<std::vector<double>> matrix() const {
    std::vector<std::vector<double>> t(diagonal.size(), std::vector<double>(diagonal.size()));
    for (size_t i = 0; i < diagonal.size(); ++i) {
      t[i][i] = diagonal[i];
      if (i > 0) t[i][i - 1] = t[i - 1][i] = beside[i - 1];
    }
    return t;
  }
};

// Takes the steps; the length of what A makes of the last vector outside of the basis.
double grow(Krylov& k, const std::function<Tensor(const Tensor&)>& product, int64_t size,
            int64_t steps, Generator generator) {
  constexpr double kNothing = 1e-14;  // beside A's elements, rounding
  Tensor next = randn({size}, generator, kFloat64);
  for (int64_t step = 0;; ++step) {
    k.basis.push_back(next / norm(next));
    const Tensor image = product(k.basis.back());
    k.diagonal.push_back(dot(k.basis.back(), image));
    next = k.orthogonal(image);
    const double length = norm(next);
    check(std::isfinite(length) && std::isfinite(k.diagonal.back()),
          "{}: a product has elements that are not finite", kLanczos);
    if (step + 1 == steps) return length;
    // The basis is closed under A: what else there is lies anywhere orthogonal to it.
    const bool closed = length <= kNothing * k.scale();
    if (closed) next = k.orthogonal(randn({size}, generator, kFloat64));
    k.beside.push_back(closed ? 0 : length);
  }
}

}  // namespace

Eigenvalues lanczos(const SymmetricProduct& product, const Tensors& like, int64_t count,
                    int64_t steps, Generator generator) {
  int64_t size = 0;
  for (const Tensor& t : like) {
    check(t.defined() && is_floating(t.dtype()), "{}: expected floating tensors; got {}", kLanczos,
          t.defined() ? to_string(t.dtype()) : "an undefined one");
    size += t.numel();
  }
  const int64_t taken = std::min(steps, size);
  check(count >= 1 && count <= taken,
        "{}: expected a count in [1, min(steps, N)]; got {} of {} steps, N = {}", kLanczos, count,
        steps, size);
  const NoGrad no_grad;
  Krylov k;
  const double outside = grow(
      k, [&](const Tensor& v) { return flat(product(shaped(v, like))); }, size, taken, generator);
  const detail::SymmetricEigen found = detail::symmetric_eigen(k.matrix());
  Eigenvalues top;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    top.values.push_back(found.values[i]);
    top.errors.push_back(taken == size ? 0 : outside * found.last[i]);
  }
  return top;
}

Eigenvalues top_eigenvalues(const TensorFunction& f, const Tensors& inputs, int64_t count,
                            int64_t steps, Generator generator) {
  return lanczos([&](const Tensors& v) { return hvp(f, inputs, v); }, inputs, count, steps,
                 generator);
}

Eigenvalues top_gauss_newton_eigenvalues(const TensorFunction& model, const TensorFunction& loss,
                                         const Tensors& inputs, int64_t count, int64_t steps,
                                         Generator generator) {
  return lanczos([&](const Tensors& v) { return gvp(model, loss, inputs, v); }, inputs, count,
                 steps, generator);
}

}  // namespace weft
