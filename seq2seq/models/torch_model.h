// A translation model that PyTorch trained: torch.nn.Transformer between embeddings and an output
// layer, as docs/pytorch.md says to save it.
#pragma once

#include <weft/seq2seq/models/model_config.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <filesystem>
#include <memory>

namespace weft {

/// The weights in a directory that PyTorch filled.
inline constexpr const char* kTorchWeights = "model.safetensors";

struct TorchModel {
  ModelConfig config;  ///< what of it weft's own settings can say
  std::unique_ptr<TransformerSeq2Seq> model;
};

/// The ids of the model as one side of the translator counts them.
struct TorchSide {
  int64_t size;  ///< of the side's vocabulary
  Ids ids;       ///< of each id of the model, the four special ones first; kUnknown: it has none
};
/// One side's vocabulary beside that of the model, which has all its words.
TorchSide torch_side(const Vocabulary& side, const Vocabulary& model);

/// Reads config.json and model.safetensors of `dir`, for these vocabularies of source and target.
/// The model is of the file's dtype; it reads a word that a side lacks as unknown there, and never
/// writes one that the target lacks. Throws errors that name the file and what is missing, of a
/// wrong shape or not used.
TorchModel load_torch_model(const std::filesystem::path& dir, const TorchSide& source,
                            const TorchSide& target);

}  // namespace weft
