// Training: from a corpus to a model directory, with checkpoints on the way.
#pragma once

#include <weft/seq2seq/training/config.h>

namespace weft {

/// Trains until a limit of `train` is reached, scores stop getting better, or the user interrupts;
/// then judges the best model. Writes into the model directory: config.json, vocabulary.json,
/// last.safetensors and best.safetensors (checkpoints), metrics.jsonl, summary.json and, for the
/// toy task, attention.svg. Throws errors that name the setting or the file.
void train(const ModelConfig& model, TrainConfig train);

}  // namespace weft
