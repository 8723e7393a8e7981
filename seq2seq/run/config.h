// The settings of a training run. A model directory keeps them in run.toml, to go on from.
#pragma once

#include <weft/core/parallel.h>
#include <weft/seq2seq/models/model_config.h>
#include <weft/seq2seq/run/split_settings.h>
#include <weft/seq2seq/tasks/corpus.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace weft {

struct TrainConfig : SettingGroup {
  using enum OnResume;

  // Not inline: so many settings are slow to compile.
  TrainConfig();
  TrainConfig(const TrainConfig& other);
  TrainConfig& operator=(const TrainConfig& other);
  ~TrainConfig();

  // clang-format off
  Setting<std::string> model_dir{*this, "", {"model-dir", "Run",
      "Directory of the model", {}, kForget}};
  Setting<int64_t> threads{*this, num_threads(), {"threads", "Run",
      "Threads to use; by default one for each core", {.least = 1, .most = 1024}, kForget}};
  Setting<bool> profile{*this, false, {"profile", "Run",
      "Print time and calls per op and per module at the end", {}, kForget}};
  Setting<bool> resume{*this, false, {"resume", "Run",
      "Go on from the last checkpoint in the model directory, with the settings of that run; a "
      "limit given anew replaces its limits, and --lr and --patience may be others", {}, kForget}};
  Setting<std::string> init_from{*this, "", {"init-from", "Run",
      "Begin with the weights, the vocabulary and the model settings of this model directory"}};
  Setting<bool> overwrite{*this, false, {"overwrite", "Run",
      "Replace the model that is in the model directory", {}, kForget}};

  Setting<std::string> task{*this, "", {"task", "Corpus",
      "Files, those named below, or a task that weft tasks shows"}};
  SplitSettings train_files{*this, "data",
      "File of pairs to train on, a source <tab> its target a line", "train"};
  SplitSettings valid_files{*this, "valid-data",
      "Pairs to validate on; without, a part of those to train on is held out", "valid"};
  SplitSettings test_files{*this, "test-data",
      "Pairs to judge the best model on, once, after training", "test"};
  Setting<std::string> tokens{*this, "subword", {"tokens", "Corpus",
      "What sentences are cut into: char, word or subword; the task's choice unless given", {}, kSame,
      {"char", "word", "subword"}}};
  Setting<int64_t> subwords{*this, 10000, {"vocab-size", "Corpus",
      "Subwords of both languages, special ids included; fewer for a small corpus",
      {.least = 5, .most = kMost}}};

  Setting<int64_t> max_tokens{*this, 4096, {"max-tokens", "Training",
      "Size of a batch: its longest side times its sentences; less for a small corpus", kPositive}};
  Setting<int64_t> accumulate{*this, 1, {"accumulate", "Training",
      "Batches whose gradients make one update; by default one for each rank", kPositive}};
  Setting<std::string> optimizer{*this, "adam", {"optimizer", "Training",
      "Turns gradients into updates"}};
  Setting<bool> shard_optimizer{*this, false, {"shard-optimizer", "Training",
      "Each rank keeps its share of the optimizer's state alone, and gets the others' new weights; the "
      "result is the same", {}, kChange}};
  Setting<int64_t> local_steps{*this, 1, {"local-steps", "Training",
      "Updates that each rank makes alone, of its share of the batches, before all go on from where an "
      "outer optimizer takes the mean of their ways (DiLoCo; 50 say); 1: all make each update together",
      kPositive, kSame, {}, kNewer}};
  Setting<double> learning_rate{*this, 5e-3, {"lr", "Training",
      "Learning rate at the end of warm-up", kAboveZero, kChange}};
  Setting<int64_t> warmup{*this, 2000, {"warmup", "Training",
      "Updates of linear warm-up; fewer for a small corpus", kPositive}};
  Setting<double> decay{*this, 0.5, {"decay", "Training",
      "Of the schedule inverse-square-root: the rate falls as (warmup / update)^decay", kFinite}};
  Setting<std::string> schedule{*this, "inverse-square-root", {"schedule", "Training",
      "What becomes of the rate after warm-up", {}, kSame, {}, kNewer}};
  Setting<int64_t> decay_steps{*this, 0, {"decay-steps", "Training",
      "Updates over which cosine and linear bring it to 0, warm-up included; 0: --steps", kCount, kSame,
      {}, kNewer}};
  Setting<int64_t> plateau{*this, 0, {"plateau", "Training",
      "Halve the rate after so many validations in a row without a better score; 0: never", kCount,
      kSame, {}, kNewer}};
  Setting<std::string> curriculum{*this, "none", {"curriculum", "Training",
      "Which pairs are learnt from when", {}, kSame, {}, kNewer}};
  Setting<int64_t> curriculum_steps{*this, 1000, {"curriculum-steps", "Training",
      "Updates after which short-first has come to all pairs", kPositive, kSame, {}, kNewer}};
  Setting<double> weight_decay{*this, 0, {"weight-decay", "Training",
      "Weight decay", kFinite}};
  Setting<double> label_smoothing{*this, 0.1, {"label-smoothing", "Training",
      "Label smoothing", kRate}};
  Setting<double> r_drop{*this, 0, {"r-drop", "Training",
      "Weight of two passes' agreement under two dropouts (R-Drop; 5 is usual); 0: one pass",
      kFinite, kSame, {}, kNewer}};
  Setting<double> ema{*this, 0, {"ema", "Training",
      "Validate and keep an exponential average of the weights with this decay, 0.999 say; 0: the "
      "weights themselves", kRate, kSame, {}, kNewer}};
  Setting<int64_t> average{*this, 0, {"average", "Training",
      "Validate and keep the mean of the weights at so many validations, the last ones; 0: the "
      "weights themselves", {.least = 0, .most = 1000}, kSame, {}, kNewer}};
  Setting<double> word_dropout{*this, 0, {"word-dropout", "Training",
      "Share of the tokens that the model reads which are unknown to it in training", kRate, kSame, {},
      kNewer}};
  Setting<double> subword_dropout{*this, 0, {"subword-dropout", "Training",
      "Share of the merges that are left out when a subword vocabulary cuts the training pairs anew "
      "for each epoch (BPE-dropout; 0.1 is usual)", kRate, kSame, {}, kNewer}};
  Setting<std::string> freeze{*this, "", {"freeze", "Training",
      "Parameters that keep the values of --init-from: those whose names begin so; several with commas "
      "between them", {}, kSame, {}, kNewer}};
  Setting<double> clip{*this, 0, {"clip", "Training",
      "Largest gradient norm; 0: no clipping", kFinite}};
  Setting<std::string> precision{*this, "float32", {"precision", "Training",
      "Of the operands of large products: float32, or bf16, which rounds them to bfloat16 where the CPU "
      "has dot products of it", {}, kSame, {"float32", "bf16"}, kNewer}};
  Setting<std::string> metric{*this, "", {"metric", "Training",
      "Chooses the best model"}};
  Setting<int64_t> seed{*this, 1, {"seed", "Training",
      "Seed of weights, dropout and order", {.least = 0}}};
  Setting<int64_t> epochs{*this, 0, {"epochs", "Training",
      "Stop after so many passes; 0: no limit", kCount, kChange}};
  Setting<int64_t> steps{*this, 0, {"steps", "Training",
      "Stop after so many updates; 0: no limit", kCount, kChange}};
  Setting<double> minutes{*this, 0, {"minutes", "Training",
      "Stop after so many minutes of training; 0: no limit", kFinite, kChange}};
  Setting<int64_t> patience{*this, 10, {"patience", "Training",
      "Stop after so many validations without a better score; more for a small corpus",
      kPositive, kChange}};
  Setting<int64_t> validate_every{*this, 0, {"validate-every", "Training",
      "Updates between validations; 0: after each epoch", kCount, kChange}};
  Setting<int64_t> save_every{*this, 0, {"save-every", "Training",
      "Updates between saves to go on from; 0: only after validations and by time", kCount, kChange}};
  Setting<double> save_minutes{*this, 3, {"save-minutes", "Training",
      "Minutes between them, more where they would take over 1 % of the time; 0: not by time",
      kFinite, kChange}};
  Setting<std::string> on_divergence{*this, "stop", {"on-divergence", "Training",
      "What to do where loss or gradient leave the numbers or explode: stop, and say which op and "
      "module it began in; or skip the update and count it", {}, kChange, {"stop", "skip"}}};
  Setting<int64_t> log_every{*this, 50, {"log-every", "Training",
      "Updates between lines of metrics.jsonl", kPositive, kChange}};
  Setting<bool> tensorboard{*this, false, {"tensorboard", "Training",
      "Write the numbers of metrics.jsonl to a file of events too, for TensorBoard", {}, kChange}};
  Setting<int64_t> record_gradients{*this, 8, {"record-gradients", "Training",
      "Updates before each validation whose gradients film.jsonl tells of; 0: none", kCount, kChange}};
  // clang-format on

  std::filesystem::path directory() const { return model_dir.value(); }
  /// Throws an error that names the flags if they contradict each other.
  CorpusFiles files() const;
  std::array<SplitSettings*, 3> file_settings();
};

/// Throws an error that names the setting and its value.
void validate(const TrainConfig& config);

/// All that a call of `weft train` is made of.
struct RunConfig {
  ModelConfig model;
  TrainConfig train;

  /// Of both, in order.
  std::vector<AnySetting*> settings();
  std::vector<const AnySetting*> settings() const;
  /// The setting of that name. Throws an error that names it if there is none.
  AnySetting& find(const std::string& name);
  /// Gives a setting that says nothing to `what` its default back. Throws an error that names both
  /// if the user gave it another value; the default itself stands in every run.toml.
  void ignore(const std::string& name, const std::string& what);

  /// Takes what a file of TOML gives, a line `name = value` for each setting, where the user has
  /// not given a value already. Throws errors with the file's name and the line.
  void read_file(const std::filesystem::path& file);
  /// Takes the settings and the id of the run in a model directory, and what the user gave to
  /// change. Returns each change, as "--lr 0.001 instead of 0.005". Throws an error that names both
  /// values if the user gave what contradicts the run, and if run.toml is not what save() wrote.
  std::vector<std::string> go_on_from(const std::filesystem::path& dir);
  /// Writes run.toml: every setting but those of one call, with its help; and its seal (seal.h).
  void save(const std::filesystem::path& dir) const;
};

}  // namespace weft
