// A translation model that PyTorch trained: torch.nn.Transformer between embeddings and an output
// layer, as docs/pytorch.md says to save it.
#pragma once

#include <weft/seq2seq/models/model_config.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>

#include <filesystem>
#include <memory>

namespace weft {

/// The weights in a directory that PyTorch filled.
inline constexpr const char* kTorchWeights = "model.safetensors";

struct TorchModel {
  ModelConfig config;  ///< what of it weft's own settings can say
  std::unique_ptr<TransformerSeq2Seq> model;
};

/// Reads config.json and model.safetensors of `dir`, for a vocabulary of so many ids, the four
/// special ones first. The model is of the file's dtype. Throws errors that name the file and what
/// is missing, of a wrong shape or not used.
TorchModel load_torch_model(const std::filesystem::path& dir, int64_t vocabulary);

}  // namespace weft
