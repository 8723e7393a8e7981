// Dropout: y_i = x_i / (1 - p) with probability 1 - p, else 0; the identity outside training.
#pragma once

#include <weft/nn/module.h>

namespace weft {

/// Every call in training takes a key from the generator, which layers share: its state decides all
/// masks to come.
class Dropout : public Layer<Dropout> {
 public:
  /// `p` in [0, 1).
  Dropout(double p, Generator generator);

  Tensor forward(const Tensor& x);

  /// What a fused op needs to drop as forward would: the rate (0 outside training), and the key of
  /// the mask, taken from the generator.
  struct Draw {
    double p = 0;
    RandomKey key = {};
  };
  Draw draw();

 private:
  double p_;
  Generator generator_;
};

}  // namespace weft
