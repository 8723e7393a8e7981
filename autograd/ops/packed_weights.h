// Weights that stay packed from one call of linear() to the next.
#pragma once

#include <weft/core/blas.h>
#include <weft/core/tensor.h>

#include <map>
#include <memory>
#include <tuple>
#include <type_traits>

namespace weft {

/// While one lives, what linear() and linear_activation() of this thread multiply by stays packed:
/// for decoding, whose steps are small products by the same weights, which would take as long to
/// pack as to multiply by. Nothing changes to the bit. A weight that is written to is packed again,
/// one that nobody else holds is let go. Only float32; what is packed takes as much memory again.
class PackedWeights {
 public:
  PackedWeights();
  ~PackedWeights();
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

  /// For products by the transpose of `weight`, [out, in]; null where none is kept.
  template <class T>
  static const RightOperand<T>* find(const Tensor& weight) {
    if constexpr (std::is_same_v<T, float>) return find_float(weight);
    return nullptr;
  }

 private:
  static const RightOperand<float>* find_float(const Tensor& weight);
  struct Entry {
    Tensor weight;  // holds the memory, so that no other weight comes to stand there
    uint32_t version;
    std::unique_ptr<RightOperand<float>> packed;
  };
  const RightOperand<float>* kept(const Tensor& weight);

  using Place = std::tuple<const void*, int64_t, int64_t>;  // first element, out, in
  std::map<Place, Entry> entries_;
  PackedWeights* before_;
};

}  // namespace weft
