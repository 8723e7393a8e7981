// The settings of the built-in models, all kinds of them; config.json in a model directory.
#pragma once

#include <weft/seq2seq/settings/setting.h>

#include <cstdint>
#include <string>

namespace weft {

/// Above this a model does not fit any machine that runs it; a damaged file stops here.
inline constexpr Range kSize{.least = 1, .most = 1 << 24, .with_most = false};
inline constexpr Range kSizeOrNone{.least = 0, .most = 1 << 24, .with_most = false};

/// What the weights' shapes follow from, and what is done with them.
struct ModelConfig : SettingGroup {
  using enum OnResume;

  // Not inline: so many settings are slow to compile.
  ModelConfig();
  ModelConfig(const ModelConfig& other);
  ModelConfig& operator=(const ModelConfig& other);
  ~ModelConfig();

  // clang-format off
  int64_t vocabulary = 0;  ///< number of ids
  std::string run;         ///< id of the run that made the model (text/seal.h); may be empty
  Setting<std::string> model{*this, "transformer", {"model", "Model",
      "Kind of the model"}};
  Setting<int64_t> d_model{*this, 128, {"d-model", "Model", "Width", kSize}};
  Setting<int64_t> layers{*this, 2, {"layers", "Model",
      "Layers of the encoder, and of the decoder", kSize}};
  Setting<int64_t> encoder_layers{*this, 0, {"encoder-layers", "Model",
      "Layers of the encoder alone; 0: --layers", kSizeOrNone}};
  Setting<int64_t> decoder_layers{*this, 0, {"decoder-layers", "Model",
      "Layers of the decoder alone; 0: --layers", kSizeOrNone}};
  Setting<bool> share_layers{*this, false, {"share-layers", "Model",
      "One layer's weights for all of the encoder, and one's for the decoder (Universal Transformer)",
      {}, kSame, {}, kNewer}};
  Setting<int64_t> heads{*this, 4, {"heads", "Model", "Attention heads", kSize}};
  Setting<int64_t> ffn{*this, 256, {"ffn", "Model", "Width of the feed-forward layers", kSize}};
  Setting<std::string> activation{*this, "relu", {"activation", "Model",
      "Of the feed-forward layers: relu, gelu or swiglu, which has a third matrix in each", {}, kSame,
      {"relu", "gelu", "swiglu"}}};
  Setting<std::string> norm{*this, "post", {"norm", "Model",
      "Normalize before (pre) or after (post) attention and feed-forward layers", {}, kSame,
      {"pre", "post"}}};
  Setting<std::string> positions{*this, "sinusoidal", {"positions", "Model",
      "Added to embeddings: sinusoidal or learned; in self-attention: relative (biases, as T5), rotary, "
      "alibi or transformer-xl (by what a query asks of a distance); or none", {}, kSame,
      {"sinusoidal", "learned", "relative", "rotary", "alibi", "transformer-xl", "none"}}};
  Setting<bool> qk_norm{*this, false, {"qk-norm", "Model",
      "Normalize queries and keys of every attention head", {}, kSame, {}, kNewer}};
  Setting<std::string> embeddings{*this, "tied", {"embeddings", "Model",
      "One matrix for source, target and output (tied), or one for each (separate)", {}, kSame,
      {"tied", "separate"}}};
  Setting<std::string> attention{*this, "bahdanau", {"attention", "Model",
      "Of a recurrent model: luong (general) or bahdanau (additive)", {}, kSame,
      {"luong", "bahdanau"}}};
  Setting<double> dropout{*this, 0.1, {"dropout", "Model",
      "Dropout of embeddings and of what layers hand on", kRate}};
  Setting<double> attention_dropout{*this, 0, {"attention-dropout", "Model",
      "Dropout of attention weights", kRate}};
  Setting<double> activation_dropout{*this, 0, {"activation-dropout", "Model",
      "Dropout inside feed-forward layers", kRate}};
  // clang-format on

  int64_t encoder_depth() const { return encoder_layers > 0 ? encoder_layers : layers; }
  int64_t decoder_depth() const { return decoder_layers > 0 ? decoder_layers : layers; }
};

/// Weights of the matrices, roughly.
double rough_parameters(const ModelConfig& config);

/// Throws an error that names the setting and its value.
void validate(const ModelConfig& config);

}  // namespace weft
