#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/nn/inspect/detail/scoped_hooks.h>
#include <weft/nn/inspect/head_importance.h>
#include <weft/seq2seq/lab/head_curvature.h>

#include <algorithm>
#include <numeric>

namespace weft {
namespace {

// The loss of one batch as a function of the masks of all layers that have heads.
class MaskedLoss {
 public:
  MaskedLoss(Seq2SeqModel& model, std::span<const Head> heads, std::span<const Pair> pairs)
      : model_(model) {
    for (const Head& head : heads)
      if (place_of(head) == attentions_.size()) attentions_.push_back(head.attention);
    Batch all(pairs.size());
    std::iota(all.begin(), all.end(), 0);
    source_ = pad_ids(pairs, all, &Pair::source);
    target_ = pad_ids(pairs, all, &Pair::target);
  }

  std::vector<double> growth(std::span<const Head> heads) const {
    const TensorFunction loss = [this](const Tensors& masks) { return at(masks); };
    Tensors ones_of;
    for (const MultiheadAttention* a : attentions_)
      ones_of.push_back(ones({a->options().num_heads}, model_.parameters()[0].dtype()));
    const NoGrad no_grad;
    const Tensors slope = value_and_grad(loss, ones_of).gradients;
    std::vector<double> found;
    for (const Head& head : heads) {
      const size_t place = place_of(head);
      std::vector<float> unit(static_cast<size_t>(ones_of[place].numel()), 0);
      unit[static_cast<size_t>(head.number)] = 1;
      Tensors direction(attentions_.size());
      direction[place] = to(from_vector(unit, ones_of[place].shape()), ones_of[place].dtype());
      const Tensor curvature = hvp(loss, ones_of, direction)[place];
      found.push_back(0.5 * curvature.at({head.number}) - slope[place].at({head.number}));
    }
    return found;
  }

 private:
  Tensor at(const Tensors& masks) const {
    detail::ScopedHooks hooks;
    for (size_t i = 0; i < masks.size(); ++i) hooks.add(mask_heads(*attentions_[i], masks[i]));
    return model_.loss(source_, target_, 0);
  }

  size_t place_of(const Head& head) const {
    return static_cast<size_t>(std::find(attentions_.begin(), attentions_.end(), head.attention) -
                               attentions_.begin());
  }

  Seq2SeqModel& model_;
  std::vector<MultiheadAttention*> attentions_;
  PaddedIds source_, target_;
};

}  // namespace

std::vector<double> growth_without(Seq2SeqModel& model, std::span<const Head> heads,
                                   std::span<const Pair> pairs) {
  return MaskedLoss(model, heads, pairs).growth(heads);
}

}  // namespace weft
