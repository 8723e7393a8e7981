// A model directory: config.json, vocabulary.json and the best weights, best.safetensors; or what
// PyTorch saved (docs/pytorch.md), with model.safetensors in its place and a config.json of its
// own.
#pragma once

#include <weft/seq2seq/models/model_kind.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <filesystem>
#include <memory>
#include <span>

namespace weft {

/// The checkpoint in a model directory that scored best in validation.
inline constexpr const char* kBestCheckpoint = "best.safetensors";
/// That from which training goes on.
inline constexpr const char* kLastCheckpoint = "last.safetensors";

void save_config(const std::filesystem::path& dir, const ModelConfig& config);
/// Throws if config.json is missing, damaged, or asks for what cannot be.
ModelConfig load_config(const std::filesystem::path& dir);

struct LoadedModel {
  std::unique_ptr<Vocabulary> vocabulary;
  std::unique_ptr<Seq2SeqModel> model;  ///< in eval mode, with the best weights
  ModelConfig config;
};
/// Reads a model directory, PyTorch's if it has no best.safetensors but a model.safetensors;
/// `kinds` holds the kind of its model. Throws errors that name the file and the fault.
LoadedModel load_model(const std::filesystem::path& dir,
                       std::span<const ModelKind> kinds = builtin_models());

}  // namespace weft
