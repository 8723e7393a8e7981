// A model directory: config.json, vocabulary.json and the best weights, best.safetensors. Each is
// sealed with a checksum and the id of the run that wrote it (text/seal.h; a checkpoint by the
// checksums of its tensors and metadata), so that damage and files that do not belong together are
// errors. Or what PyTorch saved (docs/pytorch.md), with model.safetensors in the place of the best
// weights and a config.json of its own.
#pragma once

#include <weft/seq2seq/models/model_kind.h>
#include <weft/seq2seq/run/run_directory.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <filesystem>
#include <memory>
#include <span>

namespace weft {

void save_config(const std::filesystem::path& dir, const ModelConfig& config);
/// Throws if config.json is missing, damaged, or asks for what cannot be. ModelConfig::run is empty
/// where a weft without seals wrote it.
ModelConfig load_config(const std::filesystem::path& dir);

struct LoadedModel {
  std::unique_ptr<Vocabulary> vocabulary;
  std::unique_ptr<Seq2SeqModel> model;  ///< in eval mode, with the best weights
  ModelConfig config;
};
/// Whether the directory is PyTorch's: it has no best.safetensors but a model.safetensors.
bool is_from_torch(const std::filesystem::path& dir);

/// Reads a model directory; `kinds` holds the kind of its model, unless it is PyTorch's. Throws
/// errors that name the file and the fault: what is damaged, what is of another run, what does not
/// fit the weights. Of a directory from before there were checksums it warns on standard error.
LoadedModel load_model(const std::filesystem::path& dir,
                       std::span<const ModelKind> kinds = builtin_models());

}  // namespace weft
