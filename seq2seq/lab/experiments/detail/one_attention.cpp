#include <weft/autograd/ops.h>
#include <weft/nn/inspect/detail/scoped_hooks.h>
#include <weft/nn/inspect/interventions.h>
#include <weft/seq2seq/lab/experiments/detail/one_attention.h>

#include <vector>

namespace weft {
namespace {

constexpr int64_t kWidth = 32;

RecurrentOptions recurrent(bool bidirectional) {
  return {.input_size = kWidth,
          .hidden_size = kWidth,
          .batch_first = true,
          .bidirectional = bidirectional};
}

}  // namespace

Letters draw_letters(int64_t sentences, int64_t length, Generator& generator) {
  std::vector<int64_t> source, read, written;
  for (int64_t b = 0; b < sentences; ++b) {
    for (int64_t i = 0; i < length; ++i) source.push_back(1 + generator.below(kLetterKinds));
    read.push_back(0);
    for (int64_t i = 0; i < length; ++i)
      written.push_back(source[source.size() - 1 - static_cast<size_t>(i)]);
    read.insert(read.end(), written.end() - length, written.end() - 1);
  }
  const Shape shape{sentences, length};
  return {from_vector(source, shape), from_vector(read, shape), from_vector(written, shape)};
}

OneAttention::OneAttention(Sees sees, Generator generator)
    : sees_(sees),
      embedding_(child<Embedding>("embedding", kLetterKinds + 1, kWidth, generator)),
      attention_(child<MultiheadAttention>(
          "attention",
          MultiheadAttentionOptions{.embed_dim = kWidth,
                                    .num_heads = 1,
                                    .kdim = sees == Sees::context ? 2 * kWidth : kWidth,
                                    .vdim = sees == Sees::context ? 2 * kWidth : kWidth,
                                    .batch_first = true},
          generator)),
      combine_(
          child<Linear>("combine", sees == Sees::context ? 2 * kWidth : kWidth, kWidth, generator)),
      output_(child<Linear>("output", kWidth, kLetterKinds + 1, generator)) {
  if (sees == Sees::context) {
    encoder_ = &child<GRU>("encoder", recurrent(true), generator);
    decoder_ = &child<GRU>("decoder", recurrent(false), generator);
  } else {
    token_ = &child<Linear>("token", kWidth, kWidth, generator);
  }
}

OneAttentionResult OneAttention::forward(const Letters& letters, const Tensor& weights) {
  const Tensor source = embedding_(letters.source), read = embedding_(letters.read);  // [B, n, D]
  const bool context = sees_ == Sees::context;
  const Tensor memory = context ? (*encoder_)(source).output : tanh((*token_)(source));
  const Tensor query = context ? (*decoder_)(read).output : read;
  detail::ScopedHooks hooks;
  if (weights.defined()) hooks.add(set_weights(attention_, weights));
  const AttentionResult found =
      attention_(query, memory, memory, {.weights = AttentionWeights::per_head});
  const Tensor seen = context ? cat({found.output, query}, -1) : found.output;
  return {output_(tanh(combine_(seen))), found.weights};
}

}  // namespace weft
