// Properties: statements about random inputs, checked by RapidCheck, which shrinks what fails.
//
// The seed is fixed, so that a change is judged by the same cases twice; RC_PARAMS in the
// environment chooses others: RC_PARAMS="seed=7 max_success=10000"
// build/release/tests/test_property A failure prints the smallest case found and what to put in
// RC_PARAMS to see it again.
#pragma once

#include <weft/core/tensor.h>
#include <weft/tests/catch.h>

#include <rapidcheck.h>
#include <cstdlib>
#include <functional>
#include <string>

namespace weft {

// RapidCheck's name for how a counterexample is printed.
// NOLINTNEXTLINE(readability-identifier-naming)
inline void showValue(const Shape& shape, std::ostream& out) { out << to_string(shape); }

}  // namespace weft

namespace weft::property {

/// A Catch assertion that `f` holds. f draws with *gen and asserts with RC_ASSERT or expect_close.
template <class F>
void holds(const std::string& what, F f) {
  setenv("RC_PARAMS", "seed=20240607 max_success=250", 0);
  CHECK(rc::check(what, f));
}

/// A number in [lo, hi], of which small ones are tried first.
int64_t draw(int64_t lo, int64_t hi);
bool draw_bool();
uint64_t draw_seed();
/// A shape of at most `max_rank` dims (at least min_rank) with sizes in [min_size, max_size].
Shape draw_shape(int min_rank, int max_rank, int64_t min_size, int64_t max_size);
/// A shape that broadcasts to `shape`: leading dims left out, others of size 1.
Shape draw_broadcast(const Shape& shape);

/// Standard normal float64 numbers of this shape: row-major, or a transposed, shifted or stepping
/// view of more numbers.
Tensor draw_tensor(const Shape& shape);

using Function = std::function<Tensor(const Tensors&)>;

/// f at the inputs and its gradients for a random output gradient.
struct Evaluation {
  Tensor y, dy;
  Tensors gradients;  ///< of the floating inputs
};
/// The output gradient follows from `seed` alone. Inputs that are not reached give zeros.
Evaluation evaluate(const Function& f, const Tensors& inputs, uint64_t seed,
                    DType dtype = kFloat64);

/// RC_FAILs unless the shapes are equal and the numbers, up to `tolerance` times max(1, |wanted|).
void expect_close(const std::string& what, const Tensor& got, const Tensor& wanted,
                  double tolerance = 1e-12);
/// The same for the values and all gradients of two evaluations.
void expect_close(const Evaluation& got, const Evaluation& wanted, double tolerance = 1e-12);

/// Row-major numbers as a tensor, for expected results worked out by loops.
Tensor tensor_of(const std::vector<double>& numbers, const Shape& shape);
/// Where element i of a row-major tensor of `shape` is in one of shape `from` that broadcasts to
/// it.
size_t source_of(int64_t i, const Shape& shape, const Shape& from);

}  // namespace weft::property
