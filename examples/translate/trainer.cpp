#include <examples/translate/evaluate.h>
#include <examples/translate/metrics_log.h>
#include <examples/translate/progress.h>
#include <examples/translate/report.h>
#include <examples/translate/trainer.h>
#include <fmt/format.h>
#include <unistd.h>
#include <weft/core/error.h>
#include <weft/optim/checkpoint.h>
#include <weft/weft.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <csignal>
#include <iostream>
#include <limits>

namespace translate {
namespace {

constexpr const char* kLastCheckpoint = "last.safetensors";

volatile std::sig_atomic_t g_interrupted = 0;

// Lets the first Ctrl-C ask for an orderly end; the second one kills as usual.
class InterruptScope {
 public:
  InterruptScope() {
    g_interrupted = 0;
    before_ = std::signal(SIGINT, [](int) {
      g_interrupted = 1;
      std::signal(SIGINT, SIG_DFL);
    });
  }
  ~InterruptScope() { std::signal(SIGINT, before_); }
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  void (*before_)(int);
};

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Where a run stands: all that a resumed run needs beside weights and optimizer.
struct Position {
  int64_t step = 0, epoch = 0, batch = 0;  // the next batch of the epoch
  double seconds = 0;                      // of training so far
  int64_t tokens = 0;                      // target tokens seen so far
  double best_score = -1;
  int64_t validations_since_best = 0;
};

class Trainer {
 public:
  Trainer(const ModelConfig& model, const TrainConfig& train, const Vocabulary& vocabulary,
          const Corpus& corpus)
      : config_(train),
        vocabulary_(vocabulary),
        corpus_(corpus),
        generator_(train.seed),
        model_(model, generator_),
        optimizer_(model_.named_parameters(),
                   {.lr = train.learning_rate, .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-9}),
        schedule_(optimizer_, weft::schedules::warmup_decay(train.warmup, train.decay)),
        pairs_(encode_pairs(vocabulary, corpus.train.text)),
        valid_(encode_pairs(vocabulary, corpus.valid.text)),
        metrics_(train.model_dir / "metrics.jsonl"),
        progress_(std::cerr, isatty(STDERR_FILENO) != 0) {
    if (config_.resume) restore();
  }

  /// False if the user interrupted it.
  bool run() {
    const InterruptScope interrupt;
    while (!finished()) train_epoch();
    if (g_interrupted) {
      if (at_.best_score < 0) save(kBestCheckpoint);  // so that there is a model to translate with
      save(kLastCheckpoint);
      progress_.print(
          fmt::format("interrupted at step {}; saved, --resume goes on from here", at_.step));
      return false;
    }
    if (validated_step_ != at_.step) validate();
    return true;
  }

  const Position& position() const { return at_; }
  int64_t parameters() const {
    int64_t count = 0;
    for (const weft::Tensor& p : optimizer_.parameters()) count += p.numel();
    return count;
  }

 private:
  bool finished() const {
    return g_interrupted || (config_.steps && at_.step >= config_.steps) ||
           (config_.epochs && at_.epoch >= config_.epochs) ||
           (config_.minutes > 0 && at_.seconds >= 60 * config_.minutes) ||
           at_.validations_since_best >= config_.patience;
  }

  void train_epoch() {
    const TrainingBatches epoch =
        training_batches(pairs_, config_.max_tokens, config_.seed, at_.epoch);
    if (epoch.batches.empty())
      throw weft::Error(
          fmt::format("train: no pair fits into --max-tokens {}", config_.max_tokens));
    if (epoch.skipped && at_.batch == 0 && at_.epoch == 0)
      progress_.print(fmt::format("{} pairs are longer than --max-tokens {} and are left out",
                                  epoch.skipped, config_.max_tokens));
    const auto count = static_cast<int64_t>(epoch.batches.size());
    batches_per_epoch_ = count;
    while (at_.batch < count && !finished()) {
      update(epoch.batches);
      if (config_.validate_every && at_.step % config_.validate_every == 0) validate();
    }
    if (at_.batch < count) return;
    at_.batch = 0;
    ++at_.epoch;
    if (!config_.validate_every) validate();
  }

  // One update from the next batches of the epoch.
  void update(const std::vector<Batch>& batches) {
    const Stopwatch watch;
    const auto end =
        std::min<int64_t>(at_.batch + config_.accumulate, static_cast<int64_t>(batches.size()));
    double loss = 0;
    int64_t tokens = 0;
    const auto parts = static_cast<double>(end - at_.batch);
    for (; at_.batch < end; ++at_.batch) {
      const Batch& batch = batches[static_cast<size_t>(at_.batch)];
      const PaddedIds target = pad_ids(pairs_, batch, &Pair::target);
      const weft::Tensor mean =
          model_.loss(pad_ids(pairs_, batch, &Pair::source), target, config_.label_smoothing);
      (mean * (1 / parts)).backward();
      loss += mean.item() / parts;
      tokens += predicted_tokens(target);
    }
    const double rate = optimizer_.lr();
    const double norm = step_optimizer();
    at_.seconds += watch.seconds();
    at_.tokens += tokens;
    ++at_.step;
    note({at_.step, at_.epoch, loss, 0, rate, norm, at_.seconds}, tokens, watch.seconds());
  }

  double step_optimizer() {
    constexpr double kNoLimit = std::numeric_limits<double>::infinity();
    const double norm =
        weft::clip_grad_norm(optimizer_.parameters(), config_.clip > 0 ? config_.clip : kNoLimit);
    if (!std::isfinite(norm))
      throw weft::Error(fmt::format(
          "train: the gradient's norm is {} at step {}; a lower --lr or a --clip may help", norm,
          at_.step));
    optimizer_.step();
    optimizer_.zero_grad();
    schedule_.step();
    return norm;
  }

  // Sums up the interval for the log and moves the progress line.
  void note(TrainingRecord record, int64_t tokens, double seconds) {
    interval_.loss += record.loss * static_cast<double>(tokens);
    interval_.tokens += tokens;
    interval_.seconds += seconds;
    record.loss = interval_.loss / static_cast<double>(interval_.tokens);
    record.tokens_per_second = static_cast<double>(interval_.tokens) / interval_.seconds;
    progress_.update(
        {at_.step, total_steps(), record.loss, record.tokens_per_second, at_.seconds, fraction()});
    if (at_.step % config_.log_every != 0) return;
    metrics_.write(record);
    interval_ = {};
  }

  int64_t total_steps() const {
    const int64_t by_epochs =
        config_.epochs * ((batches_per_epoch_ + config_.accumulate - 1) / config_.accumulate);
    if (!config_.steps || !by_epochs) return std::max(config_.steps, by_epochs);
    return std::min(config_.steps, by_epochs);
  }

  double fraction() const {
    const double by_steps =
        total_steps() ? static_cast<double>(at_.step) / static_cast<double>(total_steps()) : 0;
    return std::min(
        1.0, std::max(by_steps, config_.minutes > 0 ? at_.seconds / (60 * config_.minutes) : 0));
  }

  void validate() {
    model_.eval();
    const double loss = mean_loss(model_, valid_, config_.max_tokens);
    const TranslationScores scores = score_translations(model_, vocabulary_, corpus_.valid);
    model_.train();
    validated_step_ = at_.step;
    metrics_.write(ValidationRecord{at_.step, at_.seconds, loss, scores.bleu});
    progress_.print(fmt::format("step {}  validation: loss {:.3f}  BLEU {:.2f}  exact {:.1f} %",
                                at_.step, loss, scores.bleu, 100 * scores.exact_match));
    const bool best = scores.bleu > at_.best_score;
    at_.validations_since_best = best ? 0 : at_.validations_since_best + 1;
    if (best) {
      at_.best_score = scores.bleu;
      save(kBestCheckpoint);
    }
    save(kLastCheckpoint);
  }

  weft::TrainingRun state() { return {model_, &optimizer_, &schedule_, {{"dropout", generator_}}}; }

  void save(const char* name) {
    weft::save_checkpoint(
        (config_.model_dir / name).string(), state(),
        {{"step", std::to_string(at_.step)},
         {"epoch", std::to_string(at_.epoch)},
         {"batch", std::to_string(at_.batch)},
         {"tokens", std::to_string(at_.tokens)},
         {"validations_since_best", std::to_string(at_.validations_since_best)},
         {"milliseconds", std::to_string(std::llround(1e3 * at_.seconds))},
         {"best_score_bits", std::to_string(std::bit_cast<int64_t>(at_.best_score))},
         {"seed", std::to_string(config_.seed)},
         {"max_tokens", std::to_string(config_.max_tokens)},
         {"accumulate", std::to_string(config_.accumulate)}});
  }

  void restore() {
    const std::string file = (config_.model_dir / kLastCheckpoint).string();
    const weft::Metadata progress = weft::load_checkpoint(file, state());
    auto count = [&](const char* key) {
      const int64_t n = weft::integer_at(progress, key);
      if (n < 0)
        throw weft::Error(fmt::format("{}: {} must not be negative; got {}", file, key, n));
      return n;
    };
    // What the order of batches follows from: another order would not be the same run.
    auto same = [&](const char* option, const char* key, int64_t given) {
      if (const int64_t saved = count(key); saved != given)
        throw weft::Error(
            fmt::format("train: --resume needs the run's --{} {}; got {}", option, saved, given));
    };
    same("seed", "seed", static_cast<int64_t>(config_.seed));
    same("max-tokens", "max_tokens", config_.max_tokens);
    same("accumulate", "accumulate", config_.accumulate);
    at_.step = count("step");
    at_.epoch = count("epoch");
    at_.batch = count("batch");
    at_.tokens = count("tokens");
    at_.validations_since_best = count("validations_since_best");
    at_.seconds = 1e-3 * static_cast<double>(count("milliseconds"));
    at_.best_score = std::bit_cast<double>(weft::integer_at(progress, "best_score_bits"));
  }

  const TrainConfig& config_;
  const Vocabulary& vocabulary_;
  const Corpus& corpus_;
  weft::Generator generator_;  // of initial weights and dropout
  TranslationModel model_;
  weft::Adam optimizer_;
  weft::Schedule schedule_;
  std::vector<Pair> pairs_, valid_;
  MetricsLog metrics_;
  Progress progress_;
  Position at_;
  int64_t batches_per_epoch_ = 0, validated_step_ = -1;
  struct {
    double loss = 0, seconds = 0;
    int64_t tokens = 0;
  } interval_;
};

// The settings to train with: given, or those of the run that goes on.
ModelConfig starting_config(ModelConfig model, const TrainConfig& train) {
  const std::filesystem::path last = train.model_dir / kLastCheckpoint;
  if (train.resume) {
    if (!std::filesystem::exists(last))
      throw weft::Error(
          fmt::format("train: --resume needs a checkpoint; {} does not exist", last.string()));
    return load_config(train.model_dir);
  }
  const std::filesystem::path best = train.model_dir / kBestCheckpoint;
  const bool taken = std::filesystem::exists(best) || std::filesystem::exists(last);
  if (taken && !train.overwrite)
    throw weft::Error(
        fmt::format("train: {} holds a model already; go on with --resume, replace it with "
                    "--overwrite, or name another directory",
                    train.model_dir.string()));
  return model;
}

void clear_directory(const std::filesystem::path& dir) {
  for (const char* file : {kBestCheckpoint, kLastCheckpoint, "metrics.jsonl", "summary.json"})
    std::filesystem::remove(dir / file);
  std::filesystem::create_directories(dir);
}

std::unique_ptr<Vocabulary> make_vocabulary(const TrainConfig& train, const Corpus& corpus) {
  if (train.resume) return load_vocabulary(train.model_dir);
  std::vector<std::string> sentences = corpus.train.text.source;
  const std::vector<std::string>& targets = corpus.train.text.target;
  sentences.insert(sentences.end(), targets.begin(), targets.end());
  return train.task == "toy" ? word_vocabulary(sentences)
                             : train_subwords(sentences, train.subwords);
}

}  // namespace

void train(const ModelConfig& given, const TrainConfig& config) {
  validate(config);
  ModelConfig model = given;
  model.vocabulary = kSpecials;  // until the corpus was read
  validate(model);
  const Corpus corpus = config.task == "toy" ? toy_corpus() : read_corpus(config.files);
  model = starting_config(model, config);
  const std::unique_ptr<Vocabulary> vocabulary = make_vocabulary(config, corpus);
  if (!config.resume) {
    clear_directory(config.model_dir);
    model.vocabulary = vocabulary->size();
    vocabulary->save(config.model_dir);
    save_config(config.model_dir, model);
  }
  Trainer trainer(model, config, *vocabulary, corpus);
  if (!trainer.run()) return;
  const Position& at = trainer.position();
  report({config.task,
          at.step,
          at.seconds,
          trainer.parameters(),
          static_cast<double>(at.tokens) / std::max(at.seconds, 1e-9),
          {}},
         corpus, config.model_dir);
}

}  // namespace translate
