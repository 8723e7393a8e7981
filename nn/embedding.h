// Embedding: y = W[ids], a table of vectors.
#pragma once

#include <weft/nn/module.h>

#include <optional>

namespace weft {

/// ids [...] (int64 in [0, count)) -> [..., width]. Parameter `weight` [count, width], standard
/// normal; the row `padding_idx` starts at zero and gets no gradient.
class Embedding : public Layer<Embedding> {
 public:
  Embedding(int64_t count, int64_t width, Generator generator,
            std::optional<int64_t> padding_idx = {});
  /// With a table that another layer owns too (tied weights).
  explicit Embedding(const Tensor& shared_weight, std::optional<int64_t> padding_idx = {});

  Tensor forward(const Tensor& ids);

  Tensor weight;

 private:
  std::optional<int64_t> padding_idx_;
};

}  // namespace weft
