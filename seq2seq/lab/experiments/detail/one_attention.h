// One attention head between two recurrent layers, or between letters by themselves.
#pragma once

#include <weft/core/random.h>
#include <weft/nn/attention/multihead_attention.h>
#include <weft/nn/embedding.h>
#include <weft/nn/recurrent/recurrent.h>

#include <array>

namespace weft {

/// Letters, and what is to be written of them: from the last to the first.
struct Letters {
  Tensor source, read, written;  ///< [B, n], int64: 0 is read before the first, letters are from 1

  int64_t length() const { return source.size(1); }
};
inline constexpr int64_t kLetterKinds = 8, kFewestLetters = 4, kMostLetters = 8;

/// Sentences of one length.
Letters draw_letters(int64_t sentences, int64_t length, Generator& generator);

struct OneAttentionResult {
  Tensor logits;   ///< [B, n, kLetterKinds + 1]
  Tensor weights;  ///< [B, 1, n, n]
  std::array<Tensor*, 2> tensors() { return {&logits, &weights}; }
};

/// The models of explanation.h: what differs is whether letters are seen in their context.
class OneAttention : public Layer<OneAttention> {
 public:
  enum class Sees { context, token };
  OneAttention(Sees sees, Generator generator);

  /// With `weights` [B, 1, n, n], if defined, in place of its own.
  OneAttentionResult forward(const Letters& letters, const Tensor& weights = {});

 private:
  Sees sees_;
  Embedding& embedding_;
  GRU *encoder_ = nullptr, *decoder_ = nullptr;  // of one that sees context
  Linear* token_ = nullptr;                      // of one that does not
  MultiheadAttention& attention_;
  Linear &combine_, &output_;
};

}  // namespace weft
