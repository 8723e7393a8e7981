// Positions, added to embeddings or turned into queries and keys.
#pragma once

#include <weft/nn/module.h>

#include <mutex>

namespace weft {

/// P[t, 2i] = sin(t / 10000^(2i / width)), P[t, 2i + 1] = cos(the same) for t = first ... first +
/// length - 1 (Vaswani et al. 2017): [length, width].
Tensor sinusoidal_positions(int64_t length, int64_t width, DType dtype = kFloat32,
                            int64_t first = 0);

namespace detail {

/// Positions computed so far, but for those far out; several threads may call one model.
class PositionTable {
 public:
  /// Positions [first, first + length), below 0 too, in the width (last dim) and dtype of x.
  Tensor rows(int64_t first, int64_t length, const Tensor& x);

 private:
  std::mutex mutex_;
  Tensor table_;
  int64_t begin_ = 0;  // position of its first row
};

}  // namespace detail

/// x [B, T, D] (or [T, B, D]) -> x + P. Nothing to learn, and no longest length.
class SinusoidalPositions : public Layer<SinusoidalPositions> {
 public:
  explicit SinusoidalPositions(bool batch_first = false) : batch_first_(batch_first) {}

  /// `first` is the position of the first token, in decoding step by step.
  Tensor forward(const Tensor& x, int64_t first = 0);

 private:
  bool batch_first_;
  detail::PositionTable table_;
};

/// The same with a learned table: parameter `weight` [longest, width], normal with deviation 0.02
/// (Devlin et al. 2019).
class LearnedPositions : public Layer<LearnedPositions> {
 public:
  LearnedPositions(int64_t longest, int64_t width, Generator generator, bool batch_first = false);

  Tensor forward(const Tensor& x, int64_t first = 0);

  Tensor weight;

 private:
  bool batch_first_;
};

/// Rotary positions (Su et al. 2021, arXiv:2104.09864), for queries and keys: each pair of
/// neighbours (x_2i, x_2i+1) of the vector at position t is turned by the angle t / 10000^(2i /
/// width), so that the product of a query and a key depends on their distance. Nothing to learn.
/// (Llama's files pair x_i with x_(i + width / 2): reorder the rows of their projections.)
class RotaryPositions : public Layer<RotaryPositions> {
 public:
  /// x [..., T, width] with an even width -> the same shape. `first` as above.
  Tensor forward(const Tensor& x, int64_t first = 0);

 private:
  detail::PositionTable table_;
};

}  // namespace weft
