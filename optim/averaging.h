// Averages of the weights that a run goes through: usually better than the last ones, and never in
// the way of training.
//
//   ExponentialAverage (Polyak and Juditsky 1992): a = a + (1 - d) (w - a) after update t, with
//     d = min(decay, (1 + t) / (10 + t)), as TensorFlow has it, so that first weights are forgotten
//   AverageOfLast: the mean of the weights at the last n validations (Vaswani et al. 2017 average
//     the last checkpoints)
#pragma once

#include <weft/core/serialize.h>

#include <string>
#include <vector>

namespace weft {

/// An average of those parameters that require a gradient; others never change.
class WeightAverage {
 public:
  virtual ~WeightAverage() = default;
  WeightAverage(const WeightAverage&) = delete;
  WeightAverage& operator=(const WeightAverage&) = delete;

  /// To be called after every update, and before every validation.
  virtual void after_update() {}
  virtual void before_validation() {}

  /// Puts the average in the place of the parameters' values and lays those aside; called again,
  /// puts them back. Nothing is to be trained in between.
  void swap();

  /// All that it keeps, sharing memory: `updates`, `kept.<n>.<parameter>`, and `aside.<parameter>`
  /// while the average stands in their place.
  NamedTensors state_dict() const;
  /// Copies such a state in, after the parameters were loaded that were saved with it; what was
  /// laid aside goes back into them. All is checked first: an Error names the first tensor that is
  /// missing, unexpected or of another shape or dtype.
  void load_state_dict(const NamedTensors& state);
  /// Throws what load_state_dict would throw, and changes nothing.
  void check_state_dict(const NamedTensors& state) const { restored(state); }

 protected:
  explicit WeightAverage(const NamedTensors& parameters);

  /// The parameters' values, as copies.
  Tensors values() const;
  const NamedTensors& parameters() const { return parameters_; }

  int64_t updates_ = 0;
  std::vector<Tensors> kept_;  ///< in the order of parameters(); none before the first call

 private:
  struct State {
    int64_t updates;
    std::vector<Tensors> kept;
    Tensors aside;
  };
  Tensors mean() const;
  void put(const Tensors& values);
  State restored(const NamedTensors& state) const;

  NamedTensors parameters_;
  Tensors aside_;
};

/// Puts an average, where there is one, in the place of the weights for a scope.
class AverageScope {
 public:
  explicit AverageScope(WeightAverage* average) : average_(average) {
    if (average_) average_->swap();
  }
  ~AverageScope() {
    if (average_) average_->swap();
  }
  AverageScope(const AverageScope&) = delete;
  AverageScope& operator=(const AverageScope&) = delete;

 private:
  WeightAverage* average_;
};

class ExponentialAverage : public WeightAverage {
 public:
  /// `decay` in [0, 1): 0.999 forgets what was a thousand updates ago.
  ExponentialAverage(const NamedTensors& parameters, double decay);
  void after_update() override;

 private:
  double decay_;
};

/// Keeps n copies of the weights.
class AverageOfLast : public WeightAverage {
 public:
  AverageOfLast(const NamedTensors& parameters, int64_t n);
  void before_validation() override;

 private:
  int64_t n_;
};

}  // namespace weft
