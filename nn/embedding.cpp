#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/nn/embedding.h>
#include <weft/nn/init.h>

namespace weft {

Embedding::Embedding(int64_t count, int64_t width, Generator generator,
                     std::optional<int64_t> padding_idx)
    : Embedding(Tensor({count, width}), padding_idx) {
  init::normal(weight, 0, 1, generator);
  if (!padding_idx) return;
  NoGrad no_grad;
  init::zeros(select(weight, 0, *padding_idx));
}

Embedding::Embedding(const Tensor& shared_weight, std::optional<int64_t> padding_idx)
    : weight(parameter("weight", shared_weight)), padding_idx_(padding_idx) {}

Tensor Embedding::forward(const Tensor& ids) { return embedding(ids, weight, padding_idx_); }

}  // namespace weft
