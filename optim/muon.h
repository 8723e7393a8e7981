// Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon), as torch.optim.Muon:
// momentum whose singular values are all brought near 1, by the Newton-Schulz iteration
//   X = M / ||M||;  repeat:  A = X X^T,  X = a X + (b A + c A A) X
// for matrices of hidden layers. What has no such meaning, vectors, embeddings and output layers,
// takes AdamW's step instead, in groups with `orthogonal` false.
//   m = momentum m + (1 - momentum) g,   s = X of (1 - momentum) g + momentum m  (Nesterov; else m)
//   p = (1 - lr weight_decay) p - lr f s,  f = sqrt(max(1, rows / columns)) or 0.2 sqrt(max(both))
#pragma once

#include <weft/optim/optimizer.h>

namespace weft {

/// f above: of the authors, or so that steps are as large as AdamW's (Liu et al. 2025,
/// arXiv:2502.16982), whose learning rate then suits.
enum class MuonScale { original, match_rms_adamw };

struct MuonOptions {
  double lr = 1e-3;
  double weight_decay = 0.1;
  double momentum = 0.95;
  bool nesterov = true;
  int iterations = 5;
  double eps = 1e-7;  ///< the least norm that M is divided by
  MuonScale scale = MuonScale::original;
  bool orthogonal = true;  ///< false: AdamW, with the next three
  double beta1 = 0.9, beta2 = 0.999, adam_eps = 1e-8;
};

/// State: `momentum_buffer` of a matrix, `exp_avg` and `exp_avg_sq` of others. Computed in the
/// parameter's dtype (PyTorch iterates in bfloat16).
class Muon : public OptimizerOf<MuonOptions> {
 public:
  explicit Muon(const NamedTensors& parameters, const MuonOptions& options = {})
      : Muon(Groups{{parameters, options}}) {}
  /// Error if an option is out of range, or what is to be orthogonal is no matrix.
  explicit Muon(const Groups& groups);

 private:
  std::vector<std::string> buffer_names(size_t group) const override;
  Tensor update(Slot& slot, const Tensor& gradient) const override;
  Tensor adamw(Slot& slot, const Tensor& gradient) const;
};

/// The matrix with the same singular vectors and singular values of about 1, by so many iterations:
/// x [rows, columns] -> the same shape.
Tensor orthogonalize(const Tensor& x, int iterations = 5, double eps = 1e-7);

}  // namespace weft
