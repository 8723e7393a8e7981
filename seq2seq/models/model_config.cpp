#include <weft/core/detail/check.h>
#include <weft/seq2seq/models/model_config.h>

namespace weft {
namespace {

constexpr double kMostParameters = 1e9;

// Weights of the matrices, roughly: embedding, attention (three times 4 d^2 a layer), feed-forward.
double parameters(const ModelConfig& c) {
  const double d = static_cast<double>(c.d_model), ffn = static_cast<double>(c.ffn);
  const double layers = 0.5 * static_cast<double>(c.encoder_depth() + c.decoder_depth());
  return static_cast<double>(c.vocabulary) * d + layers * (12 * d * d + 4 * d * ffn);
}

}  // namespace

void validate(const ModelConfig& c) {
  check(kSize.has(static_cast<double>(c.vocabulary)), "vocabulary: must be in {}; got {}",
        kSize.to_string(), c.vocabulary);
  for (const AnySetting* setting : c.settings()) setting->check_range();
  check(parameters(c) <= kMostParameters,
        "model: must be of at most {:g} parameters; got {:g}, with vocabulary {}, d-model {}, "
        "layers {} and ffn {}",
        kMostParameters, parameters(c), c.vocabulary, c.d_model.value(), c.layers.value(),
        c.ffn.value());
}

}  // namespace weft
