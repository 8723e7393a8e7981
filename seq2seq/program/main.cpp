// weft: trains a cross-attention encoder-decoder on parallel text, translates with it, scores
// translations, and shows what its attention looks at. This file is the whole command line: the
// options of every subcommand, and the only use of CLI11, whose header takes seconds to compile.
#include <weft/seq2seq/program/commands.h>
#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdio>
#include <exception>

namespace weft {
namespace {

void add_model_dir(CLI::App& command, std::string& dir) {
  command.add_option("--model-dir", dir, "Directory of the model")->required();
}

void add_threads(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "Threads to use; by default one for each core")
      ->check(CLI::Range(1, 1024));
}

void add_corpus_options(CLI::App& command, TrainConfig& t) {
  CLI::Option* task =
      command.add_option("--task", t.task, "toy: the built-in English-German grammar")
          ->check(CLI::IsMember({"toy"}))
          ->group("Corpus");
  CLI::Option* first = nullptr;
  for (const auto& [name, file, what] :
       {std::tuple{"--train-source", &t.files.train_source, "Sentences to train on, one a line"},
        {"--train-target", &t.files.train_target, "Their translations"},
        {"--valid-source", &t.files.valid_source, "Sentences to validate on"},
        {"--valid-target", &t.files.valid_target, "Their translations"}}) {
    CLI::Option* option = command.add_option(name, *file, what)->excludes(task)->group("Corpus");
    if (first)
      first->needs(option);
    else
      first = option;
  }
  command
      .add_option("--vocab-size", t.subwords, "Subwords of both languages, special ids included")
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

// CLI11 takes -1 for the largest seed there is.
std::string check_seed(const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole ? "" : "must be a whole number in [0, 2^64); got " + text;
}

void add_training_options(CLI::App& command, TrainConfig& t) {
  auto add = [&command](const char* name, auto& value, const char* what) {
    return command.add_option(name, value, what)->capture_default_str()->group("Training");
  };
  add("--max-tokens", t.max_tokens,
      "Size of a batch: its longest side times its sentences (toy: 512)");
  add("--accumulate", t.accumulate, "Batches whose gradients make one update");
  add("--lr", t.learning_rate, "Learning rate at the end of warm-up");
  add("--warmup", t.warmup, "Updates of linear warm-up (toy: 800)");
  add("--decay", t.decay,
      "Then the rate falls as (warmup / update)^decay; 0.5: inverse square root (toy: 2)");
  add("--label-smoothing", t.label_smoothing, "Label smoothing");
  add("--metric", t.metric,
      "Chooses the best model: bleu, chrf, exact (match) or tokens (accuracy); by default as "
      "suits the task");
  add("--clip", t.clip, "Largest gradient norm; 0: no clipping (toy: 1)");
  add("--epochs", t.epochs, "Stop after so many passes; 0: no limit (toy: 4)");
  add("--steps", t.steps, "Stop after so many updates; 0: no limit");
  add("--minutes", t.minutes, "Stop after so many minutes of training; 0: no limit");
  add("--patience", t.patience, "Stop after so many validations without a better score");
  add("--validate-every", t.validate_every, "Updates between validations; 0: after each epoch");
  add("--log-every", t.log_every, "Updates between lines of metrics.jsonl");
  add("--seed", t.seed, "Seed of weights, dropout and order")->check(check_seed);
}

// Names without dashes of the options that were on the command line.
std::set<std::string> given_options(const CLI::App& command) {
  std::set<std::string> names;
  for (const CLI::Option* option : command.get_options())
    if (option->count() > 0) names.insert(option->get_lnames().at(0));
  return names;
}

void add_train(CLI::App& app, TrainOptions& o) {
  CLI::App* command =
      app.add_subcommand("train", "Train a model: on the toy task, or on files of parallel text");
  command->add_option("--model-dir", o.train.model_dir, "Directory of the model")->required();
  add_corpus_options(*command, o.train);
  add_model_options(*command, o.model);
  add_training_options(*command, o.train);
  add_threads(*command, o.threads);
  command->add_flag("--profile", o.profile,
                    "Print time and calls per op and per module at the end");
  command->add_flag("--resume", o.train.resume,
                    "Go on from the last checkpoint in the model directory");
  command
      ->add_flag("--overwrite", o.train.overwrite,
                 "Replace the model that is in the model directory")
      ->excludes("--resume");
  command->callback([&o, command] {
    o.train.given = given_options(*command);
    if (o.train.given.contains("train-source")) o.train.task = "files";
    train_command(o);
  });
}

void add_run(CLI::App& app, RunOptions& o) {
  CLI::App* command = app.add_subcommand("run", "Translate standard input, line by line");
  add_model_dir(*command, o.model_dir);
  command->add_option("--beam", o.beam, "Beginnings kept at every step; 1 is greedy search")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command
      ->add_option("--length-penalty", o.length_penalty,
                   "0 favours short translations, more favours long")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  add_threads(*command, o.threads);
  command->callback([&o] { run_command(o); });
}

void add_score(CLI::App& app, ScoreOptions& o) {
  CLI::App* command = app.add_subcommand("score", "Score translations by BLEU, as sacreBLEU does");
  command->add_option("--hypothesis", o.hypothesis, "File of translations, one a line")->required();
  command->add_option("--reference", o.reference, "File of references, one a line")->required();
  command->add_option("--tokenize", o.tokenize, "13a for plain text, none for tokenized text")
      ->check(CLI::IsMember({"13a", "none"}))
      ->capture_default_str();
  command->add_flag("--lowercase", o.lowercase, "Ignore case");
  command->callback([&o] { score_command(o); });
}

void add_show(CLI::App& app, ShowOptions& o) {
  CLI::App* command =
      app.add_subcommand("show", "Show the cross-attention of a sentence, by layer and head");
  add_model_dir(*command, o.model_dir);
  command->add_option("--sentence", o.sentence, "What to translate")->required();
  command->add_option("--svg", o.svg, "Also write the picture to this file");
  command->callback([&o] { show_command(o); });
}

int run_program(int argc, char** argv) {
  CLI::App app{"Train a sequence-to-sequence model and translate with it.", "weft"};
  // Scripts give a recipe and pass the user's options on behind it.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.failure_message([](const CLI::App* failed, const CLI::Error& e) {
    std::string help = "weft";
    for (const CLI::App* command : failed->get_subcommands()) help += " " + command->get_name();
    return "weft: " + std::string(e.what()) + "; see " + help + " --help\n";
  });
  TrainOptions train;
  RunOptions run;
  ScoreOptions score;
  ShowOptions show;
  add_train(app, train);
  add_run(app, run);
  add_score(app, score);
  add_show(app, show);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) throw CLI::RequiredError("A subcommand");
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  return 0;
}

}  // namespace
}  // namespace weft

int main(int argc, char** argv) {
  try {
    return weft::run_program(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "weft: %s\n", e.what());
    return 1;
  }
}
