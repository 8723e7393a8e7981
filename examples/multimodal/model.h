// Text that looks at a picture: the words of a question attend to the patches.
#pragma once

#include <weft/weft.h>

// Question [B, T] and the ink of a picture [B, P, pixels] -> logits of answers [B, A]; if asked
// for, which takes longer, with the attention weights [B, H, T, P] of words on patches. Words are
// 48 wide, patches 32. A patch is what is seen there plus what its row and its column stand for.
class Answerer : public weft::Layer<Answerer> {
 public:
  Answerer(int64_t words, int64_t pixels, int64_t answers, weft::Combine combine,
           weft::Generator gen)
      : words_(child<weft::Embedding>("words", words, kWidth, gen, /*padding_idx=*/0)),
        word_places_(child<weft::SinusoidalPositions>("word_places", true)),
        read_(child<weft::TransformerEncoderLayer>("read", kLayer, gen)),
        see_(child<weft::Sequential>("see")),
        seen_norm_(child<weft::LayerNorm>("seen_norm", kPatchWidth)),
        rows_(parameter("rows", weft::randn({kSide, 1, kPatchWidth}, gen))),
        columns_(parameter("columns", weft::randn({1, kSide, kPatchWidth}, gen))),
        look_(child<weft::CrossAttention>("look",
                                          weft::CrossAttentionOptions{.embed_dim = kWidth,
                                                                      .num_heads = 2,
                                                                      .kdim = kPatchWidth,
                                                                      .vdim = kPatchWidth,
                                                                      .combine = combine,
                                                                      .batch_first = true},
                                          gen)),
        think_(child<weft::TransformerEncoderLayer>("think", kLayer, gen)),
        answer_(child<weft::Linear>("answer", kWidth, answers, gen)) {
    see_.add<weft::Linear>(pixels, 64, gen)
        .add<weft::Activation>([](const weft::Tensor& x) { return relu(x); })
        .add<weft::Linear>(64, kPatchWidth, gen);
    if (combine == weft::Combine::concatenate)  // what it learns begins as a sum
      weft::init::copy(look_.find("projection.weight"),
                       weft::cat({weft::eye(kWidth), weft::eye(kWidth)}, 1));
  }

  weft::AttentionResult forward(const weft::Tensor& question, const weft::Tensor& ink,
                                weft::AttentionWeights asked = weft::AttentionWeights::none) {
    const weft::Mask words = weft::Mask::padding(question, 0);
    const weft::Tensor text = read_(word_places_(words_(question)), {words});  // [B, T, 48]
    const weft::Tensor places = reshape(rows_ + columns_, {-1, kPatchWidth});  // [P, 32]
    const weft::Tensor patches = seen_norm_(see_(ink)) + places;               // [B, P, 32]
    const auto [found, weights] = look_(text, patches, {.weights = asked});
    return {answer_(select(think_(found, {words}), 1, 0)), weights};
  }

 private:
  static constexpr int64_t kSide = 4, kWidth = 48, kPatchWidth = 32;
  static constexpr weft::TransformerLayerOptions kLayer{.d_model = kWidth,
                                                        .nhead = 4,
                                                        .dim_feedforward = 128,
                                                        .dropout = 0,
                                                        .batch_first = true,
                                                        .norm_first = true};

  weft::Embedding& words_;
  weft::SinusoidalPositions& word_places_;
  weft::TransformerEncoderLayer& read_;
  weft::Sequential& see_;
  weft::LayerNorm& seen_norm_;
  weft::Tensor rows_, columns_;
  weft::CrossAttention& look_;
  weft::TransformerEncoderLayer& think_;
  weft::Linear& answer_;
};
