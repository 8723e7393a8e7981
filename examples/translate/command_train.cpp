// translate train: from a corpus to a model directory.
#include <examples/translate/commands.h>
#include <examples/translate/config.h>
#include <examples/translate/trainer.h>
#include <weft/core/error.h>
#include <weft/core/parallel.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

namespace translate {
namespace {

struct TrainOptions {
  std::string model_dir;
  ModelConfig model;
  TrainConfig train;
  int threads = 0;
};

// What suits the toy task, where the user does not say otherwise.
void set_toy_defaults(const CLI::App& command, TrainOptions& o) {
  auto unless_given = [&command](const char* option, auto& setting, auto value) {
    if (command.count(option) == 0) setting = value;
  };
  unless_given("--d-model", o.model.d_model, 64);
  unless_given("--ffn", o.model.ffn, 128);
  unless_given("--dropout", o.model.dropout, 0.0);
  unless_given("--max-tokens", o.train.max_tokens, 1536);
  unless_given("--warmup", o.train.warmup, 400);
  unless_given("--clip", o.train.clip, 1.0);
  unless_given("--decay", o.train.decay, 1.5);
  if (!command.count("--steps") && !command.count("--epochs") && !command.count("--minutes"))
    o.train.epochs = 4;
}

void run(const CLI::App& command, TrainOptions& o) {
  o.train.model_dir = o.model_dir;
  if (o.train.task == "toy") set_toy_defaults(command, o);
  if (o.threads > 0) weft::set_num_threads(o.threads);
  train(o.model, o.train);
  flush_output();
}

void add_corpus_options(CLI::App& command, TrainOptions& o) {
  CLI::Option* task =
      command.add_option("--task", o.train.task, "toy: the built-in English-German grammar")
          ->check(CLI::IsMember({"toy"}))
          ->group("Corpus");
  CLI::Option* first = nullptr;
  for (const auto& [name, file, what] :
       {std::tuple{"--train-source", &o.train.files.train_source,
                   "Sentences to train on, one a line"},
        {"--train-target", &o.train.files.train_target, "Their translations"},
        {"--valid-source", &o.train.files.valid_source, "Sentences to validate on"},
        {"--valid-target", &o.train.files.valid_target, "Their translations"}}) {
    CLI::Option* option = command.add_option(name, *file, what)->excludes(task)->group("Corpus");
    if (first)
      first->needs(option);
    else
      first = option;
  }
  command
      .add_option("--vocab-size", o.train.subwords,
                  "Subwords of both languages, special ids included")
      ->excludes(task)
      ->capture_default_str()
      ->group("Corpus");
}

void add_model_options(CLI::App& command, ModelConfig& m) {
  auto add = [&command](const char* name, auto& value, const char* what) {
    command.add_option(name, value, what)->capture_default_str()->group("Model");
  };
  add("--d-model", m.d_model, "Width (toy: 64)");
  add("--layers", m.layers, "Layers of the encoder, and of the decoder");
  add("--heads", m.heads, "Attention heads");
  add("--ffn", m.ffn, "Width of the feed-forward layers (toy: 128)");
  add("--dropout", m.dropout, "Dropout of embeddings and residual branches (toy: 0)");
  add("--attention-dropout", m.attention_dropout, "Dropout of attention weights");
  add("--activation-dropout", m.activation_dropout, "Dropout inside feed-forward layers");
}

void add_training_options(CLI::App& command, TrainConfig& t) {
  auto add = [&command](const char* name, auto& value, const char* what) {
    command.add_option(name, value, what)->capture_default_str()->group("Training");
  };
  add("--max-tokens", t.max_tokens,
      "Size of a batch: its longest side times its sentences (toy: 1536)");
  add("--accumulate", t.accumulate, "Batches whose gradients make one update");
  add("--lr", t.learning_rate, "Learning rate at the end of warm-up");
  add("--warmup", t.warmup, "Updates of linear warm-up (toy: 400)");
  add("--decay", t.decay,
      "Then the rate falls as (warmup / update)^decay; 0.5: inverse square root (toy: 1.5)");
  add("--label-smoothing", t.label_smoothing, "Label smoothing");
  add("--clip", t.clip, "Largest gradient norm; 0: no clipping (toy: 1)");
  add("--epochs", t.epochs, "Stop after so many passes; 0: no limit (toy: 4)");
  add("--steps", t.steps, "Stop after so many updates; 0: no limit");
  add("--minutes", t.minutes, "Stop after so many minutes of training; 0: no limit");
  add("--patience", t.patience, "Stop after so many validations without a better score");
  add("--validate-every", t.validate_every, "Updates between validations; 0: after each epoch");
  add("--log-every", t.log_every, "Updates between lines of metrics.jsonl");
  add("--seed", t.seed, "Seed of weights, dropout and order");
}

}  // namespace

void add_train(CLI::App& app) {
  auto o = std::make_shared<TrainOptions>();
  CLI::App* command =
      app.add_subcommand("train", "Train a model: on the toy task, or on files of parallel text");
  add_model_dir(*command, o->model_dir);
  add_corpus_options(*command, *o);
  add_model_options(*command, o->model);
  add_training_options(*command, o->train);
  add_threads(*command, o->threads);
  command->add_flag("--resume", o->train.resume,
                    "Go on from the last checkpoint in the model directory");
  command
      ->add_flag("--overwrite", o->train.overwrite,
                 "Replace the model that is in the model directory")
      ->excludes("--resume");
  command->callback([o, command] {
    if (o->train.task.empty() && o->train.files.train_source.empty())
      throw weft::Error(
          "train: needs a corpus: --task toy, or --train-source, --train-target, --valid-source "
          "and --valid-target");
    if (o->train.task.empty()) o->train.task = "files";
    run(*command, *o);
  });
}

void flush_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw weft::Error("standard output cannot be written");
}

void add_model_dir(CLI::App& command, std::string& dir) {
  command.add_option("--model-dir", dir, "Directory of the model")->required();
}

void add_threads(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "Threads to use; by default one for each core")
      ->check(CLI::Range(1, 1024));
}

}  // namespace translate
