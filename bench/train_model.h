// The Transformer whose training steps are timed.
#pragma once

#include <weft/weft.h>

#include <cmath>

namespace weft {

struct TrainCase {
  const char* name;
  int64_t d_model, ffn, heads, encoder, decoder, vocabulary, batch, source, target;
};

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
