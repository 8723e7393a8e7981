#include <weft/core/detail/check.h>
#include <weft/core/serialize.h>
#include <weft/seq2seq/exchange/detail/folder.h>
#include <weft/seq2seq/exchange/torch_export.h>
#include <weft/seq2seq/models/torch_model.h>
#include <weft/seq2seq/text/text_file.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace weft {
namespace {

constexpr const char* kPositionsName = "positions";

void check_exportable(const TransformerSeq2SeqOptions& o) {
  const bool added = o.positions == Positions::none || o.positions == Positions::sinusoidal ||
                     o.positions == Positions::learned;
  check(added,
        "export: --torch: torch.nn.Transformer takes positions that are added to embeddings; got "
        "--positions {}",
        to_string(o.positions));
  const TransformerLayerOptions& layer = o.transformer.layer;
  check(layer.activation != FeedForwardActivation::swiglu,
        "export: --torch: torch.nn.Transformer has activations relu and gelu; got --activation "
        "swiglu");
  check(!layer.qk_norm,
        "export: --torch: torch.nn.Transformer does not normalize queries and keys; got --qk-norm");
  check(o.transformer.final_norm,
        "export: --torch: torch.nn.Transformer has a norm behind each stack; the model has none");
}

std::string config_json(const TransformerSeq2SeqOptions& o) {
  const TransformerLayerOptions& layer = o.transformer.layer;
  const nlohmann::ordered_json json{
      {"d_model", layer.d_model},
      {"nhead", layer.nhead},
      {"num_encoder_layers", o.transformer.num_encoder_layers},
      {"num_decoder_layers", o.transformer.num_decoder_layers},
      {"dim_feedforward", layer.dim_feedforward},
      {"dropout", layer.dropout},
      {"activation", layer.activation == FeedForwardActivation::gelu ? "gelu" : "relu"},
      {"layer_norm_eps", layer.layer_norm_eps},
      {"batch_first", true},
      {"norm_first", layer.norm_first},
      {"bias", layer.bias},
      {"embedding_scale", std::sqrt(static_cast<double>(layer.d_model))},
      {"positions", o.positions == Positions::learned      ? kPositionsName
                    : o.positions == Positions::sinusoidal ? "sinusoidal"
                                                           : "none"}};
  return json.dump(2) + '\n';
}

// torch.nn.Transformer has weights of its own in every layer: those of the one layer of each stack
// once more under every other number.
void append_copies(const TransformerOptions& o, NamedTensors& state) {
  const NamedTensors one = state;
  for (const auto& [stack, layers] :
       {std::pair("encoder", o.num_encoder_layers), std::pair("decoder", o.num_decoder_layers)}) {
    const std::string prefix = fmt::format("transformer.{}.layers.", stack), first = prefix + "0.";
    for (int i = 1; i < layers; ++i)
      for (const NamedTensor& t : one)
        if (t.name.starts_with(first))
          state.push_back(
              {fmt::format("{}{}.{}", prefix, i, t.name.substr(first.size())), t.tensor});
  }
}

// Under the names that docs/pytorch.md gives them.
NamedTensors torch_state(const TransformerSeq2Seq& model) {
  const TransformerSeq2SeqOptions& o = model.options();
  const Tensor source = model.find("embedding.weight");
  const Tensor target = o.tied_embeddings ? source : model.find("target_embedding.weight");
  const Tensor output = o.tied_embeddings ? source : model.find("output.weight");
  NamedTensors state{{"src_embedding.weight", source},
                     {"tgt_embedding.weight", target},
                     {"generator.weight", output},
                     {"generator.bias", o.output_bias ? model.find("output_bias")
                                                      : zeros({o.vocabulary}, output.dtype())}};
  if (o.positions == Positions::learned)
    state.push_back({kPositionsName, model.find("positions.weight")});
  for (const NamedTensor& t : model.state_dict())
    if (t.name.starts_with("transformer.")) state.push_back(t);
  if (o.transformer.share_layers) append_copies(o.transformer, state);
  return state;
}

}  // namespace

void export_torch(const TransformerSeq2Seq& model, const Vocabulary& vocabulary,
                  const std::filesystem::path& dir) {
  check_exportable(model.options());
  make_folder(dir);
  save_safetensors((dir / kTorchWeights).string(), torch_state(model));
  write_file(dir / "config.json", config_json(model.options()));
  vocabulary.save(dir);
}

}  // namespace weft
