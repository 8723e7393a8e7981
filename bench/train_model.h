// The Transformer whose training steps are timed.
#pragma once

#include <weft/weft.h>

#include <array>
#include <cmath>

namespace weft {

struct TrainCase {
  const char* name;
  int64_t d_model, ffn, heads, encoder, decoder, vocabulary, batch, source, target;
};

/// 1e9 floating-point operations of the products in a step: forward, and twice as many backward.
inline double gflop(const TrainCase& c) {
  const auto [d, f, v] = std::array{static_cast<double>(c.d_model), static_cast<double>(c.ffn),
                                    static_cast<double>(c.vocabulary)};
  const double s = static_cast<double>(c.source), t = static_cast<double>(c.target);
  const double encoder = s * (4 * d * d + 2 * d * f + 2 * s * d);
  const double decoder = t * (6 * d * d + 2 * d * f + 2 * (t + s) * d) + s * 2 * d * d;
  return 6e-9 * static_cast<double>(c.batch) *
         (static_cast<double>(c.encoder) * encoder + static_cast<double>(c.decoder) * decoder +
          t * d * v);
}

class TrainModel : public Layer<TrainModel> {
 public:
  TrainModel(const TrainCase& c, Generator gen)
      : source_(child<Embedding>("source", c.vocabulary, c.d_model, gen)),
        target_(child<Embedding>("target", c.vocabulary, c.d_model, gen)),
        transformer_(child<Transformer>(
            "transformer",
            TransformerOptions{.layer = {.d_model = c.d_model,
                                         .nhead = c.heads,
                                         .dim_feedforward = c.ffn,
                                         .batch_first = true},
                               .num_encoder_layers = static_cast<int>(c.encoder),
                               .num_decoder_layers = static_cast<int>(c.decoder)},
            gen)),
        output_(child<Linear>("output", c.d_model, c.vocabulary, gen)),
        scale_(std::sqrt(static_cast<double>(c.d_model))) {}

  Tensor forward(const Tensor& x, const Tensor& y, const Tensor& next) {
    const Tensor hidden = transformer_(source_(x) * scale_, target_(y) * scale_,
                                       TransformerCall{.tgt_mask = Mask::causal()});
    return linear_cross_entropy(hidden, output_.weight, output_.bias, next,
                                {.label_smoothing = 0.1});
  }

 private:
  Embedding &source_, &target_;
  Transformer& transformer_;
  Linear& output_;
  double scale_;
};

}  // namespace weft
