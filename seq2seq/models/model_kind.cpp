#include <weft/core/detail/check.h>
#include <weft/seq2seq/models/model_kind.h>
#include <weft/seq2seq/models/recurrent_seq2seq.h>

#include <algorithm>

namespace weft {
namespace {

FeedForwardActivation activation_named(const std::string& name) {
  constexpr const char* kNames[] = {"relu", "gelu", "swiglu"};  // in the order of the enum
  return static_cast<FeedForwardActivation>(std::find(kNames, kNames + 3, name) - kNames);
}

template <RecurrentCell cell>
RecurrentSeq2SeqOptions recurrent_options(const ModelConfig& c) {
  return {.vocabulary = c.vocabulary,
          .d_model = c.d_model,
          .num_layers = c.layers,
          .cell = cell,
          .attention = c.attention.value() == "luong" ? RecurrentAttention::luong
                                                      : RecurrentAttention::bahdanau,
          .dropout = c.dropout};
}

template <class Model, class Options>
MakeModel maker(Options (*options)(const ModelConfig&)) {
  return [options](const ModelConfig& config, Generator generator) {
    return std::make_unique<Model>(options(config), std::move(generator));
  };
}

}  // namespace

bool ModelKind::has_use_for(const std::string& setting) const {
  return setting == "model" || reads.empty() ||
         std::find(reads.begin(), reads.end(), setting) != reads.end();
}

TransformerSeq2SeqOptions transformer_options(const ModelConfig& c) {
  check(c.d_model % c.heads == 0, "d-model: must be a multiple of heads; got {} and {}",
        c.d_model.value(), c.heads.value());
  const auto positions = positions_named(c.positions);
  const bool waves = positions == Positions::sinusoidal || positions == Positions::transformer_xl;
  check(c.d_model % 2 == 0 || !waves,
        "d-model: must be even, for the positions' sines and cosines; got {}", c.d_model.value());
  check(c.d_model / c.heads % 2 == 0 || positions != Positions::rotary,
        "d-model: heads must be of an even width for rotary positions; got {} and {} heads",
        c.d_model.value(), c.heads.value());
  return {.vocabulary = c.vocabulary,
          .transformer = {.layer = {.d_model = c.d_model,
                                    .nhead = c.heads,
                                    .dim_feedforward = c.ffn,
                                    .dropout = c.dropout,
                                    .attention_dropout = c.attention_dropout,
                                    .activation_dropout = c.activation_dropout,
                                    .activation = activation_named(c.activation),
                                    .norm_first = c.norm.value() == "pre",
                                    .rotary = positions == Positions::rotary,
                                    .relative = positions == Positions::transformer_xl,
                                    .qk_norm = c.qk_norm},
                          .num_encoder_layers = static_cast<int>(c.encoder_depth()),
                          .num_decoder_layers = static_cast<int>(c.decoder_depth()),
                          .share_layers = c.share_layers},
          .positions = positions,
          .tied_embeddings = c.embeddings.value() == "tied"};
}

const std::vector<ModelKind>& builtin_models() {
  static const std::vector<std::string> of_transformer{"d-model",
                                                       "layers",
                                                       "encoder-layers",
                                                       "decoder-layers",
                                                       "share-layers",
                                                       "heads",
                                                       "ffn",
                                                       "activation",
                                                       "norm",
                                                       "positions",
                                                       "qk-norm",
                                                       "embeddings",
                                                       "dropout",
                                                       "attention-dropout",
                                                       "activation-dropout"};
  static const std::vector<std::string> of_recurrent{"d-model", "layers", "attention", "dropout"};
  // Chosen by exact matches on the drawn tasks.
  static const Settings recurrent{
      {"layers", "1"}, {"lr", "5e-3"}, {"warmup", "400"}, {"decay", "1"}};
  static const std::vector<ModelKind> kinds{
      {"transformer", "multi-head attention in every layer",
       maker<TransformerSeq2Seq>(transformer_options), of_transformer},
      {"gru", "gated recurrent units with attention",
       maker<RecurrentSeq2Seq>(recurrent_options<RecurrentCell::gru>), of_recurrent, recurrent},
      {"lstm", "long short-term memory with attention",
       maker<RecurrentSeq2Seq>(recurrent_options<RecurrentCell::lstm>), of_recurrent, recurrent}};
  return kinds;
}

}  // namespace weft
