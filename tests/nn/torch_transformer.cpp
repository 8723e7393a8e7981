// Encoder and decoder layers, stacks of them and the whole Transformer as PyTorch's.
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/nn/torch_case.h>

using namespace weft;

namespace {

TransformerLayerOptions options_of(const TorchCase& c) {
  return {.d_model = c.get<int64_t>("d_model", 0),
          .nhead = c.get<int64_t>("nhead", 0),
          .dim_feedforward = c.get<int64_t>("dim_feedforward", 0),
          .dropout = c.get("dropout", 0.1),
          .activation = c.get<std::string>("activation", "relu") == "gelu"
                            ? FeedForwardActivation::gelu
                            : FeedForwardActivation::relu,
          .layer_norm_eps = c.get("layer_norm_eps", 1e-5),
          .batch_first = c.get("batch_first", false),
          .norm_first = c.get("norm_first", false),
          .bias = c.get("bias", true)};
}

// `<side>_mask` and `<side>_key_padding_mask` of PyTorch's arguments, where they are there.
Mask mask_of(const TensorsByName& in, const std::string& side) {
  Mask mask;
  if (in.count(side + "_mask")) mask = Mask::from_torch_mha(in.at(side + "_mask"));
  if (in.count(side + "_key_padding_mask"))
    mask = mask & Mask::from_torch_key_padding(in.at(side + "_key_padding_mask"));
  return mask;
}

DecoderCall masks_of(const TensorsByName& in) {
  return {.tgt_mask = mask_of(in, "tgt"), .memory_mask = mask_of(in, "memory")};
}

constexpr TorchTolerance kStack{.value = 1e-10, .gradient = 1e-10, .second = 1e-10};

TorchTally encoder_layer() {
  TorchTally all;
  for (const TorchCase& c : torch_cases("encoder_layer")) {
    TransformerEncoderLayer layer(options_of(c), Generator(1));
    all += c.check(layer, [&](const TensorsByName& in) {
      return TensorsByName{{"output", layer(in.at("src"), {.src_mask = mask_of(in, "src")})}};
    });
  }
  return all;
}

TorchTally decoder_layer() {
  TorchTally all;
  for (const TorchCase& c : torch_cases("decoder_layer")) {
    TransformerDecoderLayer layer(options_of(c), Generator(1));
    all += c.check(layer, [&](const TensorsByName& in) {
      return TensorsByName{{"output", layer(in.at("tgt"), in.at("memory"), masks_of(in))}};
    });
  }
  return all;
}

TorchTally encoder() {
  TorchTally all;
  for (const TorchCase& c : torch_cases("encoder")) {
    TransformerEncoder stack(options_of(c), c.get("num_layers", 0), Generator(1), true);
    auto forward = [&](const TensorsByName& in) {
      return TensorsByName{{"output", stack(in.at("src"), {.src_mask = mask_of(in, "src")})}};
    };
    all += c.check(stack, forward, kStack);
  }
  return all;
}

TorchTally decoder() {
  TorchTally all;
  for (const TorchCase& c : torch_cases("decoder")) {
    TransformerDecoder stack(options_of(c), c.get("num_layers", 0), Generator(1), true);
    auto forward = [&](const TensorsByName& in) {
      return TensorsByName{{"output", stack(in.at("tgt"), in.at("memory"), masks_of(in))}};
    };
    all += c.check(stack, forward, kStack);
  }
  return all;
}

TorchTally transformer() {
  TorchTally all;
  for (const TorchCase& c : torch_cases("transformer")) {
    Transformer model({.layer = options_of(c),
                       .num_encoder_layers = c.get("num_encoder_layers", 6),
                       .num_decoder_layers = c.get("num_decoder_layers", 6)},
                      Generator(1));
    auto forward = [&](const TensorsByName& in) {
      const TransformerCall call{.src_mask = mask_of(in, "src"),
                                 .tgt_mask = mask_of(in, "tgt"),
                                 .memory_mask = mask_of(in, "memory")};
      return TensorsByName{{"output", model(in.at("src"), in.at("tgt"), call)}};
    };
    all += c.check(model, forward, kStack);
  }
  return all;
}

}  // namespace

TorchLayers torch_transformer_layers() {
  return {{"Transformer", transformer},
          {"TransformerDecoder", decoder},
          {"TransformerDecoderLayer", decoder_layer},
          {"TransformerEncoder", encoder},
          {"TransformerEncoderLayer", encoder_layer}};
}
