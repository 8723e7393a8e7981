#include <weft/autograd/ops/packed_weights.h>

#include <utility>

namespace weft {
namespace {

thread_local PackedWeights* t_packed = nullptr;

constexpr int64_t kOneRow = 1, kManyTimes = 1000;

}  // namespace

PackedWeights::PackedWeights() : before_(std::exchange(t_packed, this)) {}
PackedWeights::~PackedWeights() { t_packed = before_; }

const RightOperand<float>* PackedWeights::find_float(const Tensor& weight) {
  const bool fits = weight.dtype() == kFloat32 && weight.is_contiguous() && weight.numel() > 0;
  return t_packed && fits ? t_packed->kept(weight) : nullptr;
}

const RightOperand<float>* PackedWeights::kept(const Tensor& weight) {
  const int64_t out = weight.size(0), in = weight.size(1);
  const auto found = entries_.find({weight.raw(), out, in});
  if (found != entries_.end() && found->second.version == weight.storage().version())
    return found->second.packed.get();
  std::erase_if(entries_, [](const auto& item) { return item.second.weight.is_unique(); });
  auto packed = std::make_unique<RightOperand<float>>(true, kOneRow, out, in, weight.data<float>(),
                                                      in, kManyTimes);
  Entry& entry = entries_[{weight.raw(), out, in}];
  entry = {weight.strided_view(weight.shape(), weight.strides()), weight.storage().version(),
           std::move(packed)};
  return entry.packed.get();
}

}  // namespace weft
