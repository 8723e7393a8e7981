// The program's subcommands as functions of their options; main.cpp reads these off the command
// line.
#pragma once

#include <weft/seq2seq/training/config.h>

#include <string>

namespace weft {

struct TrainOptions {
  ModelConfig model;
  TrainConfig train;
  int threads = 0;       ///< 0: the library's default; also below
  bool profile = false;  ///< print time and calls per op and per module at the end
};
/// From a corpus to a model directory.
void train_command(TrainOptions options);

struct RunOptions {
  std::string model_dir;
  int64_t beam = 1;
  double length_penalty = 1;
  int threads = 0;
};
/// Standard input to standard output, a translation for each line, as soon as it is there. A line
/// that is not UTF-8 gives U+FFFD and, after all others were translated, an error.
void run_command(const RunOptions& options);

struct ScoreOptions {
  std::string hypothesis, reference, tokenize = "13a";
  bool lowercase = false;
};
/// Prints the BLEU of a file of translations.
void score_command(const ScoreOptions& options);

struct ShowOptions {
  std::string model_dir, sentence, svg;
};
/// Draws what the cross-attention looks at while a sentence is translated.
void show_command(const ShowOptions& options);

}  // namespace weft
