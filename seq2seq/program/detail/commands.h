// The program's subcommands as functions of their options, which program.cpp reads off the command
// line, and of what there is to choose from by name.
#pragma once

#include <weft/core/parallel.h>
#include <weft/optim/distributed/communicator.h>
#include <weft/seq2seq/program/detail/output.h>
#include <weft/seq2seq/run/catalog.h>
#include <weft/seq2seq/run/config.h>
#include <weft/seq2seq/run/ranks.h>

#include <string>
#include <vector>

namespace weft {

/// From a corpus to a model directory, until a limit of the run is reached, scores stop getting
/// better, or the user interrupts; then judges the best model. Writes into the model directory:
/// run.toml and config.json (settings), vocabulary.json, last.safetensors and best.safetensors
/// (checkpoints), metrics.jsonl, summary.json and, where words are aligned, attention.svg. The exit
/// status: 0, or 128 and the signal that interrupted it. Throws errors that name the setting or the
/// file. Ranks make the call together: rank 0 alone writes, and gives `tell` the report of the end.
int train_command(RunConfig config, const Catalog& catalog, Communicator& communicator,
                  Tell tell = print);

/// Prints the tasks, each with a pair of its validation split, its tokens and its metric.
void tasks_command(const Catalog& catalog);

struct LeaderboardOptions : SettingGroup {
  // clang-format off
  Setting<std::string> out{*this, "runs/leaderboard", {"out", "",
      "Directory of the board and of its models; what is in it already is not done again"}};
  Setting<std::string> tasks{*this, "copy,sort,addition", {"tasks", "", "Tasks, by name"}};
  Setting<std::string> models{*this, "transformer,gru", {"models", "", "Kinds of models, by name"}};
  Setting<int64_t> seeds{*this, 3, {"seeds", "",
      "Runs of each model on each task, with seeds from 1 on", {.least = 1, .most = 1000}}};
  Setting<int64_t> threads{*this, num_threads(), {"threads", "",
      "Threads to use; by default one for each core", {.least = 1, .most = 1024}}};
  // clang-format on
};
/// Trains models on tasks, each by its recipe, and prints the table of what came of it
/// (docs/leaderboard.md). Writes into the directory: leaderboard.jsonl, a line for each run that is
/// done, from which another call goes on; leaderboard.md, the table; and a model directory for each
/// run. The exit status is that of train_command.
int leaderboard_command(const LeaderboardOptions& options, const Catalog& catalog);

struct RunOptions : SettingGroup {
  // clang-format off
  Setting<std::string> model_dir{*this, "", {"model-dir", "", "Directory of the model"}};
  Setting<int64_t> beam{*this, 1, {"beam", "",
      "Beginnings kept at every step; 1 is greedy search", {.least = 1, .most = 100}}};
  Setting<double> length_penalty{*this, 1, {"length-penalty", "",
      "0 favours short translations, more favours long", {.least = 0, .most = 10}}};
  Setting<int64_t> n_best{*this, 0, {"n-best", "",
      "Print up to so many translations of each line, best first, each as number of the line <tab> "
      "score <tab> log-probability <tab> translation; 0 prints the best one alone. The beam is at "
      "least as wide",
      {.least = 0, .most = 100}}};
  Setting<double> coverage_penalty{*this, 0, {"coverage-penalty", "",
      "Of the --n-best of the beam, those come first that also leave little of the source without "
      "attention; 0.2 is usual", {.least = 0, .most = 100}}};
  Setting<bool> sample{*this, false, {"sample", "",
      "Draw translations from the model's probabilities, --n-best of each line, instead of "
      "searching for the best"}};
  Setting<double> temperature{*this, 1, {"temperature", "",
      "Of --sample: towards 0 the likeliest pieces, more is more random",
      {.least = 0, .most = 1000, .with_least = false}}};
  Setting<int64_t> top_k{*this, 0, {"top-k", "",
      "Of --sample: draw from so many of the likeliest pieces; 0 from all", {.least = 0}}};
  Setting<double> top_p{*this, 1, {"top-p", "",
      "Of --sample: draw from the fewest of the likeliest pieces that have this share of the "
      "probability", {.least = 0, .most = 1, .with_least = false}}};
  Setting<int64_t> seed{*this, 0, {"seed", "",
      "Of --sample: the same seed draws the same for the same line of the input", {.least = 0}}};
  Setting<bool> prefixes{*this, false, {"prefixes", "",
      "Each line is a source <tab> the beginning of its translation"}};
  Setting<bool> alignments{*this, false, {"alignments", "",
      "After each translation <tab> which of its words come from which of the source, by attention: "
      "source-target pairs, from 0"}};
  Setting<std::string> ensemble{*this, "", {"ensemble", "",
      "Directories, separated by commas, of models that translate together with that of --model-dir"}};
  Setting<int64_t> threads{*this, num_threads(), {"threads", "",
      "Threads to use; by default one for each core", {.least = 1, .most = 1024}}};
  // clang-format on
};
/// Standard input to standard output, a translation for each line (with n_best several), as soon as
/// it is there. A line that is not UTF-8 gives U+FFFD and, after all others were translated, an
/// error. Ranks share out the lines that rank 0 reads. Errors: options that contradict each other.
void run_command(const RunOptions& options, const Catalog& catalog, Communicator& communicator);

struct ScoreOptions : SettingGroup {
  // clang-format off
  Setting<std::string> hypothesis{*this, "", {"hypothesis", "",
      "File of translations, one a line"}};
  Setting<std::string> reference{*this, "", {"reference", "", "File of references, one a line"}};
  Setting<std::string> metric{*this, "", {"metric", "",
      "All of them, unless one is named"}};
  Setting<bool> confidence{*this, false, {"confidence", "",
      "The interval that holds 95 % of the scores of --resamples"}};
  Setting<std::string> against{*this, "", {"against", "",
      "File of another system's translations of the same: both with intervals, and how likely their "
      "difference is by chance (paired bootstrap)"}};
  Setting<int64_t> resamples{*this, 1000, {"resamples", "",
      "Of --confidence and --against: so many draws of as many sentences as there are",
      {.least = 1, .most = 1000000}}};
  Setting<int64_t> seed{*this, 0, {"seed", "", "Of these draws", {.least = 0}}};
  Setting<std::string> tokenize{*this, "13a", {"tokenize", "",
      "Of bleu: 13a for plain text, none for tokenized text"}};
  Setting<bool> lowercase{*this, false, {"lowercase", "", "Ignore case"}};
  // clang-format on
};
/// Prints the scores of a file of translations, a line for each metric; with `against`, of two, and
/// whether they differ by more than chance. Errors: options that contradict each other, files that
/// cannot be read or have not as many lines.
void score_command(const ScoreOptions& options, const Catalog& catalog);

struct ShowOptions : SettingGroup {
  // clang-format off
  Setting<std::string> model_dir{*this, "", {"model-dir", "", "Directory of the model"}};
  Setting<std::string> sentence{*this, "", {"sentence", "", "What to translate"}};
  Setting<std::string> svg{*this, "", {"svg", "", "Also write the picture to this file"}};
  // clang-format on
};
/// Draws what the cross-attention looks at while a sentence is translated.
void show_command(const ShowOptions& options, const Catalog& catalog);

struct ExportOptions : SettingGroup {
  // clang-format off
  Setting<std::string> model_dir{*this, "", {"model-dir", "", "Directory of the model"}};
  Setting<std::string> onnx{*this, "", {"onnx", "",
      "Directory to write encoder.onnx and decoder_step.onnx into, and what decoding needs besides"}};
  Setting<std::string> torch{*this, "", {"torch", "",
      "Directory to write PyTorch's model.safetensors and config.json into"}};
  // clang-format on
};
/// Writes a Transformer for other programs (docs/export.md). Errors: nothing to write; another kind
/// of model, or a part of it that the other side does not have; files that cannot be read or
/// written.
void export_command(const ExportOptions& options, const Catalog& catalog);

struct BoardOptions : SettingGroup {
  std::vector<std::string> model_dirs{};
  // clang-format off
  Setting<int64_t> port{*this, 9338, {"port", "",
      "To serve the page at, on this machine alone; 0: any that is free", {.least = 0, .most = 65535}}};
  // clang-format on
};
/// Serves a page that follows the runs in model directories, which may be still to come, at
/// 127.0.0.1 until a signal ends it (run/interrupt.h), and prints where. Errors: a port
/// that cannot be had, what is no directory.
void board_command(const BoardOptions& options);

struct LabOptions : SettingGroup {
  // clang-format off
  Setting<std::string> model_dir{*this, "", {"model-dir", "", "Directory of the model"}};
  Setting<std::string> experiment{*this, "", {"experiment", "",
      "Instead of a report, an experiment's table and verdict; --out takes its plot, in SVG"}};
  Setting<std::string> reverse_model_dir{*this, "", {"reverse-model-dir", "",
      "Of --experiment alignment: directory of a model that translates the other way"}};
  Setting<int64_t> seed{*this, 0, {"seed", "", "Of --experiment", kCount}};
  Setting<std::string> sentence{*this, "", {"sentence", "",
      "What to look at; without, sentences of the validation set of the model's task"}};
  Setting<std::string> target{*this, "", {"target", "",
      "A translation of --sentence; without, the model's own"}};
  Setting<int64_t> token{*this, 0, {"token", "",
      "The token of the target, from 1, that scores are of; 0: all, and the end", kCount}};
  Setting<std::string> out{*this, "", {"out", "",
      "File to write; without, report and the format's ending; of text, standard output"}};
  Setting<std::string> format{*this, "html", {"format", "",
      "html (a page), json, csv, npz (NumPy) or text", {}, OnResume::kSame,
      {"html", "json", "csv", "npz", "text"}}};
  Setting<int64_t> sentences{*this, 1, {"sentences", "",
      "Validation sentences to show where --sentence does not say", {.least = 1, .most = 1000}}};
  Setting<int64_t> over{*this, 50, {"over", "",
      "Validation sentences that the tables are over", {.least = 0, .most = 100000}}};
  Setting<int64_t> threads{*this, num_threads(), {"threads", "",
      "Threads to use; by default one for each core", {.least = 1, .most = 1024}}};
  // clang-format on
};
/// Writes a report of what attention does in a model (docs/lab.md): of one sentence or of some of
/// the validation set, and tables over more of them. Ranks share out what the tables are over, and
/// make the call together; rank 0 alone writes. Errors: a sentence without words, options that
/// contradict each other, a model directory or a file that cannot be read or written.
void lab_command(const LabOptions& options, const Catalog& catalog, Communicator& communicator);
/// The same where an experiment is asked for (docs/experiments.md): prints its table and verdict
/// and, if `out` is given, writes its plot. Errors: an option that the experiment does not use; a
/// model directory that it needs and that cannot be read.
void experiment_command(const LabOptions& options, const Catalog& catalog, const Ranks& ranks);

}  // namespace weft
