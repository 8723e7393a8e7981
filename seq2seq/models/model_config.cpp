#include <weft/core/detail/check.h>
#include <weft/seq2seq/models/model_config.h>

namespace weft {

ModelConfig::ModelConfig() = default;
ModelConfig::ModelConfig(const ModelConfig& other) = default;
ModelConfig& ModelConfig::operator=(const ModelConfig& other) = default;
ModelConfig::~ModelConfig() = default;

constexpr double kMostParameters = 1e9;

// Embedding, attention (three times 4 d^2 a layer), feed-forward (two or three matrices). Layers
// that share their weights count each by itself: time and memory are theirs.
double rough_parameters(const ModelConfig& c) {
  const double d = static_cast<double>(c.d_model), ffn = static_cast<double>(c.ffn);
  const double layers = 0.5 * static_cast<double>(c.encoder_depth() + c.decoder_depth());
  const double matrices = c.activation.value() == "swiglu" ? 6 : 4;
  return static_cast<double>(c.vocabulary) * d + layers * (12 * d * d + matrices * d * ffn);
}

void validate(const ModelConfig& c) {
  check(kSize.has(static_cast<double>(c.vocabulary)), "vocabulary: must be in {}; got {}",
        kSize.to_string(), c.vocabulary);
  for (const AnySetting* setting : c.settings()) setting->check_range();
  check(rough_parameters(c) <= kMostParameters,
        "model: must be of at most {:g} parameters; got {:g}, with vocabulary {}, d-model {}, "
        "layers {} and ffn {}",
        kMostParameters, rough_parameters(c), c.vocabulary, c.d_model.value(), c.layers.value(),
        c.ffn.value());
}

}  // namespace weft
