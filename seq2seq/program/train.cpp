#include <weft/core/check.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/program/report.h>
#include <weft/seq2seq/program/train.h>
#include <weft/seq2seq/training/trainer.h>

#include <algorithm>

namespace weft {
namespace {

bool is_there(const std::filesystem::path& file) {
  std::error_code ignored;  // what cannot be looked at cannot be used either
  return std::filesystem::exists(file, ignored);
}

void require_checkpoint(const std::filesystem::path& dir) {
  const std::filesystem::path last = dir / kLastCheckpoint;
  check(is_there(last), "train: --resume needs a checkpoint; {} does not exist", last.string());
}

void require_free(const std::filesystem::path& dir) {
  check(!is_there(dir / kBestCheckpoint) && !is_there(dir / kLastCheckpoint),
        "train: {} holds a model already; go on with --resume, replace it with --overwrite, "
        "or name another directory",
        dir.string());
}

// The settings of the run that goes on.
ModelConfig resumed_config(const ModelConfig& asked, const TrainConfig& train) {
  const ModelConfig saved = load_config(train.model_dir);
  check_model_options(asked, saved, train.given);
  return saved;
}

// A new run's directory: without an older run's files, with what the model is made of.
void prepare_directory(const std::filesystem::path& dir, const ModelConfig& model,
                       const Vocabulary& vocabulary) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  check(!error, "train: cannot create '{}': {}", dir.string(), error.message());
  for (const char* file : {kBestCheckpoint, kLastCheckpoint, "metrics.jsonl", "summary.json"}) {
    std::filesystem::remove(dir / file, error);
    check(!error, "train: cannot remove '{}': {}", (dir / file).string(), error.message());
  }
  vocabulary.save(dir);
  save_config(dir, model);
}

std::unique_ptr<Vocabulary> make_vocabulary(const TrainConfig& train, const ParallelText& text) {
  if (train.resume) return load_vocabulary(train.model_dir);
  if (train.task == "toy") return word_vocabulary(text.source, text.target);
  std::vector<std::string> sentences = text.source;
  sentences.insert(sentences.end(), text.target.begin(), text.target.end());
  return train_subwords(sentences, train.subwords);
}

}  // namespace

void train(const ModelConfig& asked, TrainConfig config) {
  const Stopwatch since_start;
  validate(config);
  ModelConfig model = asked;
  model.vocabulary = kSpecials;  // until the corpus was read
  validate(model);
  if (config.resume) {
    require_checkpoint(config.model_dir);
    model = resumed_config(asked, config);
  } else if (!config.overwrite) {
    require_free(config.model_dir);
  }
  const Corpus corpus = config.task == "toy" ? toy_corpus() : read_corpus(config.files);
  if (config.metric.empty()) config.metric = corpus.metric;
  const std::unique_ptr<Vocabulary> vocabulary = make_vocabulary(config, corpus.train.text);
  if (!config.resume) model.vocabulary = vocabulary->size();
  Trainer trainer(model, config, *vocabulary, corpus, since_start);
  if (!config.resume) prepare_directory(config.model_dir, model, *vocabulary);
  if (!trainer.run()) return;
  const Position& at = trainer.position();
  report({config.task,
          at.step,
          at.seconds,
          trainer.parameters(),
          static_cast<double>(at.tokens) / std::max(at.seconds, 1e-9),
          at.best_step,
          config.metric,
          at.best_score,
          {}},
         corpus, config.model_dir);
}

}  // namespace weft
