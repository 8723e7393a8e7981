// What a kind of model is to the program: a name and how to make one. A new one is its file and a
// line in model_kind.cpp; one of your own, a call of Program::add_model().
#pragma once

#include <weft/core/random.h>
#include <weft/seq2seq/models/model_config.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weft {

/// A model of these settings, its weights drawn from the generator. Throws an error that names the
/// settings that do not go together.
using MakeModel = std::function<std::unique_ptr<Seq2SeqModel>(const ModelConfig&, Generator)>;

struct ModelKind {
  std::string name;  ///< on the command line and in files: "transformer"
  std::string help;  ///< one line
  MakeModel make;
  std::vector<std::string> reads{};  ///< settings of ModelConfig that it reads; if empty, all
  Settings defaults{};               ///< that suit it, and override those of the task

  /// Whether a setting of ModelConfig, "d-model", says anything to it.
  bool has_use_for(const std::string& setting) const;
};

/// What the settings say of a Transformer. Throws an error that names those that do not go
/// together.
TransformerSeq2SeqOptions transformer_options(const ModelConfig& config);

/// "transformer", "gru", "lstm".
const std::vector<ModelKind>& builtin_models();

}  // namespace weft
