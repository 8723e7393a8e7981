#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops/packed_weights.h>

#include <utility>

namespace weft {
namespace {

thread_local PackedWeights* t_packed = nullptr;

constexpr int64_t kFewEachTime = 0;

}  // namespace

PackedWeights::PackedWeights() : before_(std::exchange(t_packed, this)) {}
PackedWeights::~PackedWeights() { t_packed = before_; }

const RightOperand<float>* PackedWeights::find(const Tensor& weight) {
  if (!t_packed || grad_enabled() || weight.dtype() != kFloat32 || !weight.is_contiguous())
    return nullptr;
  return t_packed->kept(weight);
}

const RightOperand<float>* PackedWeights::kept(const Tensor& weight) {
  const int64_t out = weight.size(0), in = weight.size(1);
  if (weight.numel() == 0) return nullptr;
  const auto found = entries_.find({weight.raw(), out, in});
  if (found != entries_.end() && found->second.version == weight.storage().version())
    return found->second.packed.get();
  std::erase_if(entries_, [](const auto& item) { return item.second.weight.is_unique(); });
  auto packed =
      std::make_unique<RightOperand<float>>(true, kFewEachTime, out, in, weight.data<float>(), in);
  Entry& entry = entries_[{weight.raw(), out, in}];
  entry = {weight.strided_view(weight.shape(), weight.strides()), weight.storage().version(),
           std::move(packed)};
  return entry.packed.get();
}

}  // namespace weft
