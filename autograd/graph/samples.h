// Inputs on which an op is checked: its gradients against finite differences, float32 against
// float64, and its errors. They stand beside the op they are for.
#pragma once

#include <weft/core/tensor.h>

#include <concepts>
#include <functional>
#include <string>
#include <vector>

namespace weft {

using SampleFunction = std::function<Tensors(const Tensors&)>;

/// One call of an op. Floating inputs are float64 and are differentiated; others are passed along.
struct Sample {
  std::string name;
  Tensors inputs;
  SampleFunction f;
  /// What f must equal in value and gradient, if anything: a fused op's composition.
  SampleFunction composition;
};

/// A call that must throw exactly this message.
struct ErrorSample {
  Tensors inputs;
  SampleFunction f;
  std::string message;
};

/// Collects the samples of one op. Numbers come from a fixed seed.
class Samples {
 public:
  /// `f` takes `const Tensors&` and returns a Tensor or Tensors.
  template <class F>
  void add(std::string name, Tensors inputs, F f) {
    samples_.push_back({std::move(name), std::move(inputs), wrap(std::move(f)), nullptr});
  }
  /// The same for a fused op, with the composition of other ops that it must equal.
  template <class F, class C>
  void add(std::string name, Tensors inputs, F f, C composition) {
    samples_.push_back(
        {std::move(name), std::move(inputs), wrap(std::move(f)), wrap(std::move(composition))});
  }
  template <class F>
  void add_error(Tensors inputs, F f, std::string message) {
    errors_.push_back({std::move(inputs), wrap(std::move(f)), std::move(message)});
  }

  /// float64 inputs: standard normal; uniform in [lo, hi); at least `gap` away from each of
  /// `kinks`.
  Tensor normal(const Shape& shape);
  Tensor uniform(const Shape& shape, double lo, double hi);
  Tensor away_from(const Shape& shape, std::initializer_list<double> kinks, double gap = 0.05);
  /// All different, by at least 0.1: for ops with ties.
  Tensor distinct(const Shape& shape);
  /// Integers in [0, n), and booleans that are true with probability p.
  Tensor integers(const Shape& shape, int64_t n);
  Tensor booleans(const Shape& shape, double p = 0.5);
  /// A non-contiguous normal tensor of this shape (rank 2 or more).
  Tensor transposed(const Shape& shape);

  const std::vector<Sample>& samples() const { return samples_; }
  const std::vector<ErrorSample>& errors() const { return errors_; }

 private:
  template <class F>
  static SampleFunction wrap(F f) {
    if constexpr (std::same_as<std::invoke_result_t<F, const Tensors&>, Tensors>)
      return f;
    else
      return [f](const Tensors& in) { return Tensors{f(in)}; };
  }

  Generator generator_{20240229};
  std::vector<Sample> samples_;
  std::vector<ErrorSample> errors_;
};

}  // namespace weft
