// Text that looks at a picture: the words of a question attend to the patches.
#pragma once

#include <weft/weft.h>

// Question [B, T] and picture [B, P, pixels] -> logits of answers [B, A], with the attention
// weights [B, H, T, P] of words on patches. Words are 48 wide, patches 32.
class Answerer : public weft::Layer<Answerer> {
 public:
  Answerer(int64_t words, int64_t pixels, int64_t answers, weft::Combine combine,
           weft::Generator gen)
      : words_(child<weft::Embedding>("words", words, kWidth, gen, /*padding_idx=*/0)),
        word_places_(child<weft::SinusoidalPositions>("word_places", true)),
        read_(child<weft::TransformerEncoderLayer>("read", kLayer, gen)),
        see_(child<weft::Sequential>("see")),
        patch_places_(parameter("patch_places", weft::randn({16, kPatchWidth}, gen))),
        patch_norm_(child<weft::LayerNorm>("patch_norm", kPatchWidth)),
        look_(child<weft::CrossAttention>("look",
                                          weft::CrossAttentionOptions{.embed_dim = kWidth,
                                                                      .num_heads = 4,
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
  }

  weft::AttentionResult forward(const weft::Tensor& question, const weft::Tensor& picture) {
    const weft::Mask words = weft::Mask::padding(question, 0);
    const weft::Tensor text = read_(word_places_(words_(question)), {words});     // [B, T, 48]
    const weft::Tensor patches = patch_norm_(see_(1 - picture) + patch_places_);  // [B, P, 32]
    const auto [found, weights] =
        look_(text, patches, {.weights = weft::AttentionWeights::per_head});
    return {answer_(select(think_(found, {words}), 1, 0)), weights};
  }

 private:
  static constexpr int64_t kWidth = 48, kPatchWidth = 32;
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
  weft::Tensor patch_places_;
  weft::LayerNorm& patch_norm_;
  weft::CrossAttention& look_;
  weft::TransformerEncoderLayer& think_;
  weft::Linear& answer_;
};
