// A training run of a few milliseconds, as the program makes it: words in two orders.
#pragma once

#include <fmt/format.h>
#include <weft/optim/adam.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/metrics/metric.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>
#include <weft/seq2seq/run/freeze.h>
#include <weft/seq2seq/run/saved_model.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/text/seal.h>
#include <weft/seq2seq/training/trainer.h>

#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace weft {

inline Corpus tiny_corpus() {
  Corpus corpus{{"train", {}, {}}, {"valid", {}, {}}, {}, {}};
  const std::vector<std::string> words{"a", "b", "c", "d", "e"};
  for (const std::string& x : words)
    for (const std::string& y : words) {
      ParallelText& text = x == y ? corpus.valid.text : corpus.train.text;
      text.source.push_back(fmt::format("{} {}", x, y));
      text.target.push_back(fmt::format("{} {}", y, x));
    }
  return corpus;
}

/// What is written to standard error while one lives.
class CapturedErrors {
 public:
  CapturedErrors() : before_(std::cerr.rdbuf(text_.rdbuf())) {}
  ~CapturedErrors() { std::cerr.rdbuf(before_); }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* before_;
};

struct TinySettings {
  int64_t steps = 12;
  bool resume = false, overwrite = false;
  int64_t seed = 1, save_every = 0;
  double learning_rate = 0.01;
  Corpus corpus = tiny_corpus();
  LrFactor lr_factor = {};
  Curriculum curriculum = {};
  const Metric* metric = nullptr;               ///< null: exact
  std::function<void(RunConfig&)> change = {};  ///< of other settings
};

/// A run up to the moment where it trains.
class TinyRun {
 public:
  TinyRun(const std::filesystem::path& dir, const TinySettings& s)
      : corpus_(s.corpus), directory_(dir), generator_(static_cast<uint64_t>(s.seed)) {
    if (s.resume) directory_.go_on();
    settle(dir, s);
    vocabulary_ = s.resume ? load_vocabulary(directory_.folder(), config_.model.run)
                           : word_vocabulary(corpus_.train.text.source);
    config_.model.vocabulary = vocabulary_->size();
    model_ = std::make_unique<TransformerSeq2Seq>(transformer(), generator_);
    if (!config_.train.freeze.value().empty()) freeze(*model_, config_.train.freeze);
    adam_ = std::make_unique<Adam>(model_->named_parameters(), AdamOptions{.lr = s.learning_rate});
    trainer_ =
        std::make_unique<Trainer>(config_, TrainingParts{.model = *model_,
                                                         .optimizer = *adam_,
                                                         .generator = generator_,
                                                         .vocabulary = *vocabulary_,
                                                         .corpus = corpus_,
                                                         .metric = s.metric ? *s.metric : exact_,
                                                         .directory = directory_,
                                                         .lr_factor = s.lr_factor,
                                                         .curriculum = s.curriculum});
    if (!s.resume) begin(s.overwrite);
  }

  int train() { return trainer_->run(); }
  NamedTensors parameters() const { return model_->named_parameters(); }
  const Position& position() const { return trainer_->position(); }

 private:
  void settle(const std::filesystem::path& dir, const TinySettings& s) {
    config_.train.model_dir = dir.string();
    config_.train.steps = s.steps;
    config_.train.resume = s.resume;
    config_.train.seed = s.seed;
    config_.train.max_tokens = 16;
    config_.train.validate_every = 4;
    config_.train.save_every = s.save_every;
    config_.train.log_every = 3;
    config_.train.warmup = 5;
    config_.model.d_model = 8;
    config_.model.layers = 1;
    config_.model.heads = 2;
    config_.model.ffn = 8;
    if (s.change) s.change(config_);
    if (s.resume) config_.model.run = load_config(directory_.folder()).run;
  }
  TransformerSeq2SeqOptions transformer() const { return transformer_options(config_.model); }
  void begin(bool overwrite) {
    directory_.begin(overwrite);
    config_.model.run = new_run_id();
    vocabulary_->save(directory_.folder(), config_.model.run);
    save_config(directory_.folder(), config_.model);
    config_.save(directory_.folder());
  }

  const Metric& exact_ = find_named(builtin_metrics(), "exact", "metric");
  Corpus corpus_;
  RunConfig config_;
  RunDirectory directory_;
  Generator generator_;
  std::unique_ptr<Vocabulary> vocabulary_;
  std::unique_ptr<TransformerSeq2Seq> model_;
  std::unique_ptr<Adam> adam_;
  std::unique_ptr<Trainer> trainer_;
};

/// Trains in `dir`; what it says.
inline std::string train_tiny(const std::filesystem::path& dir, const TinySettings& s = {}) {
  const CapturedErrors errors;
  TinyRun(dir, s).train();
  return errors.text();
}

/// What the best model makes of the validation set, with its probabilities.
inline std::vector<std::pair<std::string, double>> tiny_translations(
    const std::filesystem::path& dir) {
  const LoadedModel loaded = load_model(dir);
  std::vector<std::pair<std::string, double>> all;
  for (const auto& found : translations(*loaded.model, *loaded.vocabulary,
                                        tiny_corpus().valid.text.source, BeamSearch()))
    all.emplace_back(found[0].text, found[0].log_prob);
  return all;
}

/// All that a checkpoint holds but the time that it took.
inline std::vector<std::string> contents(const std::filesystem::path& checkpoint) {
  const SafetensorsFile file = load_safetensors(checkpoint.string());
  std::vector<std::string> all;
  for (const NamedTensor& t : file.tensors) {
    all.push_back(t.name);
    for (const double x : t.tensor.to_vector<double>()) all.push_back(std::to_string(x));
  }
  for (const auto& [key, value] : file.metadata)
    if (key.find("milliseconds") == std::string::npos && key != "progress.run")
      all.push_back(fmt::format("{} = {}", key, value));
  return all;
}

}  // namespace weft
