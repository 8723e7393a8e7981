// The settings of a model and of a training run. A model directory keeps the model's in
// config.json.
#pragma once

#include <weft/seq2seq/tasks/corpus.h>

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

namespace weft {

/// What the weights' shapes follow from, and the rates of dropout.
struct ModelConfig {
  int64_t vocabulary = 0;  ///< number of ids
  int64_t d_model = 128, layers = 2, heads = 4, ffn = 256;
  double dropout = 0.1;  ///< of residual branches and embeddings
  double attention_dropout = 0, activation_dropout = 0;
};

/// Throws an error that names the setting and its value.
void validate(const ModelConfig& config);

void save_config(const std::filesystem::path& dir, const ModelConfig& config);
/// Throws if config.json is missing, damaged, or asks for what cannot be.
ModelConfig load_config(const std::filesystem::path& dir);

struct TrainConfig {
  std::filesystem::path model_dir;
  std::string task;             ///< "toy", or "files"
  CorpusFiles files;            ///< of task "files"
  int64_t subwords = 10000;     ///< size of the subword vocabulary of task "files"
  int64_t max_tokens = 4096;    ///< of a batch: its longest side times its sentences
  int64_t accumulate = 1;       ///< batches per update
  double learning_rate = 5e-3;  ///< reached after warm-up
  int64_t warmup = 2000;        ///< updates
  double decay = 0.5;           ///< the rate then falls as (warmup / update)^decay
  double label_smoothing = 0.1;
  std::string metric;  ///< decides which model is the best; empty: the task's choice
  double clip = 0;     ///< largest gradient norm; 0: no clipping
  int64_t epochs = 0;  ///< limits; 0: none
  int64_t steps = 0;
  double minutes = 0;
  int64_t patience = 10;       ///< validations without a better score before training stops
  int64_t validate_every = 0;  ///< updates between validations; 0: after each epoch
  int64_t log_every = 50;      ///< updates between lines of metrics.jsonl
  uint64_t seed = 1;
  bool resume = false;     ///< go on from the last checkpoint
  bool overwrite = false;  ///< replace a model that is there
  /// Names of the options that the user gave, without dashes: a run that goes on must not
  /// contradict them.
  std::set<std::string> given;
};

/// Throws an error that names the setting and its value.
void validate(const TrainConfig& config);

}  // namespace weft
