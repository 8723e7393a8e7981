// Gated linear units: half of the numbers decide how much of the other half passes.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/nn/linear.h>

namespace weft {

/// y = a sigmoid(b), x = [a ; b] along `dim` (Dauphin et al. 2017, arXiv:1612.08083).
class GLU : public Layer<GLU> {
 public:
  explicit GLU(int dim = -1) : dim_(dim) {}

  Tensor forward(const Tensor& x) { return glu(x, dim_); }

 private:
  int dim_;
};

/// The feed-forward y = W_down (silu(W_gate x) * W_up x) (Shazeer 2020, arXiv:2002.05202), without
/// biases: x [..., width] -> [..., width].
class SwiGLU : public Layer<SwiGLU> {
 public:
  SwiGLU(int64_t width, int64_t hidden, const Generator& generator)
      : gate_(child<Linear>("gate_proj", width, hidden, generator, false)),
        up_(child<Linear>("up_proj", width, hidden, generator, false)),
        down_(child<Linear>("down_proj", hidden, width, generator, false)) {}

  Tensor forward(const Tensor& x) { return down_(silu(gate_(x)) * up_(x)); }

 private:
  Linear &gate_, &up_, &down_;
};

}  // namespace weft
