#include <unistd.h>
#include <weft/core/detail/check.h>
#include <weft/optim/clip.h>
#include <weft/seq2seq/metrics/exact_match.h>
#include <weft/seq2seq/run/divergence.h>
#include <weft/seq2seq/training/evaluate.h>
#include <weft/seq2seq/training/trainer.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <span>

namespace weft {
namespace {

// Weights that have left the numbers do not come back.
constexpr int64_t kMostSkippedInRow = 50;

// Puts a model into eval mode, for a scope.
class EvalScope {
 public:
  explicit EvalScope(Module& model) : model_(model) { model_.eval(); }
  ~EvalScope() { model_.train(); }
  EvalScope(const EvalScope&) = delete;
  EvalScope& operator=(const EvalScope&) = delete;

 private:
  Module& model_;
};

bool fits(const Pair& pair, int64_t max_tokens) {
  return std::max(std::ssize(pair.source), std::ssize(pair.target)) <= max_tokens;
}

GeneratorState state_of(const Generator& generator) {
  return {generator, generator.seed(), generator.position()};
}

// Which settings follow from the corpus's size; empty if none does.
std::string fitted_settings(const TrainConfig& config) {
  std::string fitted;
  for (const AnySetting* setting : config.settings()) {
    if (setting->fitted())
      fitted += fmt::format("{} --{} {}", fitted.empty() ? "" : ",", setting->info().name,
                            setting->text());
  }
  return fitted;
}

}  // namespace

Trainer::Trainer(const RunConfig& config, const TrainingParts& parts)
    : config_(config.train),
      run_(config.model.run),
      parts_(parts),
      schedule_(parts.optimizer, parts.lr_factor
                                     ? parts.lr_factor
                                     : schedules::warmup_decay(config_.warmup, config_.decay)),
      pairs_(encode_pairs(parts.vocabulary, parts.corpus.train.text)),
      valid_(encode_pairs(parts.vocabulary, parts.corpus.valid.text)),
      valid_batches_(training_batches(valid_, config_.max_tokens, 0, 0)),
      settings_(run_settings(config, parts.corpus.train.text, parts.corpus.valid.text)),
      progress_(std::cerr, isatty(STDERR_FILENO) != 0),
      at_(config_.resume ? restore() : Position{}) {
  const bool any = std::any_of(pairs_.begin(), pairs_.end(),
                               [&](const Pair& pair) { return fits(pair, config_.max_tokens); });
  check(any, "train: no pair fits into --max-tokens {}", config_.max_tokens.value());
  check(!valid_batches_.batches.empty(), "train: no validation pair fits into --max-tokens {}",
        config_.max_tokens.value());
}

bool Trainer::run() {
  // Where the best model is lost, this step is validated again.
  open_records(lacks_best_ ? at_.step - 1 : at_.validated_step);
  const InterruptScope scope;
  try {
    train();
  } catch (const Interrupted& why) {
    save_interrupted(why);
    return false;
  }
  return true;
}

void Trainer::train() {
  if (lacks_best_) validate();  // so the weights at hand are the best ones there are
  if (finished())
    progress_.print(
        fmt::format("the run is finished already, at step {}: {}; a larger limit would "
                    "let it go on",
                    at_.step, why_finished()));
  const int64_t first = at_.step;
  while (!finished()) train_epoch();
  if (at_.validated_step != at_.step) validate();
  if (at_.step != saved_step_) save_last();  // the best one was newer, and finished
  if (at_.step > first) say_end();
}

void Trainer::say_end() {
  progress_.print(fmt::format("stopped at step {}: {}", at_.step, why_finished()));
  if (at_.step < config_.warmup)
    progress_.print(
        fmt::format("warning: this was within the warm-up of {} updates (--warmup), so "
                    "the learning rate came to only {:.2g} of --lr {:g}",
                    config_.warmup.value(), parts_.optimizer.lr(), config_.learning_rate.value()));
  if (skipped_ > 0)
    progress_.print(
        fmt::format("warning: {} updates were skipped (--on-divergence skip)", skipped_));
}

int64_t Trainer::parameters() const {
  int64_t count = 0;
  for (const Tensor& p : parts_.optimizer.parameters()) count += p.numel();
  return count;
}

// The limit that is reached, for the user; empty while there is none.
std::string Trainer::why_finished() const {
  const TrainConfig& c = config_;
  if (c.steps > 0 && at_.step >= c.steps) return fmt::format("--steps {}", c.steps.value());
  if (c.epochs > 0 && at_.epoch >= c.epochs) return fmt::format("--epochs {}", c.epochs.value());
  if (c.minutes > 0 && at_.seconds >= 60 * c.minutes)
    return fmt::format("--minutes {}", c.minutes.value());
  if (at_.validations_since_best >= c.patience)
    return fmt::format("{} validations in a row without a better score (--patience {})",
                       at_.validations_since_best, c.patience.value());
  return "";
}

void Trainer::train_epoch() {
  const TrainingBatches epoch =
      training_batches(pairs_, config_.max_tokens, static_cast<uint64_t>(config_.seed), at_.epoch);
  if (!std::exchange(ready_, true)) say_ready(epoch.skipped);
  const auto count = static_cast<int64_t>(epoch.batches.size());
  batches_per_epoch_ = count;
  while (at_.batch < count && !finished()) {
    if (validation_due())  // or left to do by an interruption
      validate();
    else
      update(epoch.batches);
  }
  if (at_.batch < count) return;
  at_.batch = 0;
  ++at_.epoch;
}

bool Trainer::validation_due() const {
  if (at_.step == at_.validated_step) return false;
  return config_.validate_every > 0 ? at_.step % config_.validate_every == 0 : at_.batch == 0;
}

void Trainer::say_ready(int64_t skipped) {
  if (const std::string fitted = fitted_settings(config_); !fitted.empty())
    progress_.print("for a corpus of this size:" + fitted);
  if (parts_.corpus.held_out > 0)
    progress_.print(fmt::format("{} pairs are held out for validation", parts_.corpus.held_out));
  say_left_out("training", parts_.corpus.train, skipped, "");
  say_left_out("validation", parts_.corpus.valid, valid_batches_.skipped,
               " of the validation loss");
  for (const Split& test : parts_.corpus.tests) say_left_out("test", test, 0, "");
  progress_.print(fmt::format("the best model is chosen by {}", parts_.metric.title));
  progress_.print(fmt::format("{} pairs, {} ids, {} parameters; ready after {:.2f} s",
                              pairs_.size(), parts_.vocabulary.size(), parameters(),
                              parts_.since_start.seconds()));
}

// What of the corpus is not used as it stands.
void Trainer::say_left_out(const char* what, const Split& split, int64_t skipped, const char* of) {
  const std::vector<std::string>& sources = split.text.source;
  const auto cut = std::count_if(sources.begin(), sources.end(), [&](const std::string& sentence) {
    return is_too_long(parts_.vocabulary, sentence);
  });
  const auto say = [&](int64_t count, const std::string& text) {
    if (count > 0) progress_.print(fmt::format("{} {} {}", count, what, text));
  };
  say(split.removed, "pairs have an empty side and are left out");
  say(cut, fmt::format("sources are longer than {} ids and are cut there", kLongestSource - 1));
  say(skipped, fmt::format("pairs are longer than --max-tokens {} and are left out{}",
                           config_.max_tokens.value(), of));
}

// One update from the next batches of the epoch. What interrupts it leaves the run as it was.
void Trainer::update(const std::vector<Batch>& batches) {
  const Stopwatch watch;
  const auto end =
      std::min<int64_t>(at_.batch + config_.accumulate, static_cast<int64_t>(batches.size()));
  const std::span parts(batches.begin() + at_.batch, batches.begin() + end);
  const GeneratorState start = state_of(parts_.generator);
  const auto [loss, norm] = pass(parts);
  const std::string fault = fault_of_update(loss.mean, norm, parts_.vocabulary.size());
  const Uninterrupted whole;
  if (!fault.empty()) diverged(fault, parts, start);
  const double rate = parts_.optimizer.lr();
  double saving = 0;
  if (fault.empty()) {
    if (film_ && updates_to_validation(std::ssize(batches)) <= config_.record_gradients)
      film_->add();
    saving = save_if_due(start);
    parts_.optimizer.step(config_.clip > 0 ? clip_factor(norm, config_.clip) : 1);
    skipped_in_row_ = 0;
  }
  parts_.optimizer.zero_grad();
  schedule_.step();
  const double seconds = watch.seconds() - saving;
  at_.batch = end;
  at_.seconds += seconds;
  at_.tokens += loss.tokens;
  ++at_.step;
  note({.step = at_.step,
        .epoch = at_.epoch,
        .learning_rate = rate,
        .gradient_norm = norm,
        .seconds = at_.seconds},
       !fault.empty(), loss, seconds);
}

// An exception leaves no gradients, and the generator where it was.
Trainer::Pass Trainer::pass(std::span<const Batch> batches) {
  const GeneratorState start = state_of(parts_.generator);
  try {
    const BatchLoss loss =
        accumulate_gradients(parts_.model, pairs_, batches, config_.label_smoothing);
    return {loss, grad_norm(parts_.optimizer.parameters())};
  } catch (...) {
    parts_.optimizer.zero_grad();
    Generator(start.generator).set_state(start.seed, start.position);
    throw;
  }
}

// Ends the run, unless the update is to be skipped; the first one that is skipped is explained.
void Trainer::diverged(const std::string& fault, std::span<const Batch> batches,
                       const GeneratorState& start) {
  const bool skip =
      config_.on_divergence.value() == "skip" && ++skipped_in_row_ <= kMostSkippedInRow;
  if (skip && skipped_++ > 0) return;
  const std::string explained = fmt::format("{}; {}", fault, cause_of_fault([&] {
                                              const RandomReplay again({start});
                                              parts_.optimizer.zero_grad();
                                              pass(batches);
                                            }));
  if (!skip) stop_diverged(at_.step + 1, explained);
  progress_.print(fmt::format("warning: step {} is skipped: {}; others are only counted",
                              at_.step + 1, explained));
}

void Trainer::stop_diverged(int64_t step, const std::string& fault) const {
  const bool kept = saved_step_ >= 0;
  const std::string skipped = skipped_ > 0 ? fmt::format(" after {} skipped ones", skipped_) : "";
  fail("train: diverged at step {}{}: {}; {}; {}", step, skipped, fault,
       kept ? fmt::format("the weights of step {} are saved", saved_step_) : "nothing is saved yet",
       advice_on_divergence(config_, kept));
}

// Sums up the interval for the log and moves the progress line.
void Trainer::note(TrainingRecord record, bool skipped, const BatchLoss& loss, double seconds) {
  auto& interval = at_.interval;
  interval.seconds += seconds;
  interval.skipped += skipped;
  if (!skipped) {
    interval.loss += loss.mean * static_cast<double>(loss.tokens);
    interval.tokens += loss.tokens;
  }
  record.loss = interval.loss / static_cast<double>(interval.tokens);
  record.tokens_per_second = static_cast<double>(interval.tokens) / interval.seconds;
  record.skipped = interval.skipped;
  progress_.update(
      {at_.step, total_steps(), record.loss, record.tokens_per_second, at_.seconds, fraction()});
  if (at_.step % config_.log_every != 0) return;
  metrics_->write(record);
  interval = {};
}

int64_t Trainer::total_steps() const {
  const int64_t by_epochs =
      config_.epochs * ((batches_per_epoch_ + config_.accumulate - 1) / config_.accumulate);
  if (!config_.steps || !by_epochs) return std::max(config_.steps.value(), by_epochs);
  return std::min(config_.steps.value(), by_epochs);
}

double Trainer::fraction() const {
  const double by_steps =
      total_steps() ? static_cast<double>(at_.step) / static_cast<double>(total_steps()) : 0;
  return std::min(
      1.0, std::max(by_steps, config_.minutes > 0 ? at_.seconds / (60 * config_.minutes) : 0));
}

void Trainer::validate() {
  const ParallelText& text = parts_.corpus.valid.text;
  double loss = 0;
  std::vector<std::string> translations;
  {
    const EvalScope eval(parts_.model);
    loss = mean_loss(parts_.model, valid_, valid_batches_.batches);
    if (const auto fault = fault_of_loss(loss, parts_.vocabulary.size()); !fault.empty())
      stop_diverged(at_.step, "in validation " + fault);
    translations = translate_all(parts_.model, parts_.vocabulary, text.source);
    if (film_) film_->record(at_.step);
  }
  const double score = parts_.metric.score(translations, text.target);
  metrics_->write(ValidationRecord{at_.step, at_.seconds, loss, parts_.metric.name, score});
  const std::string chosen =
      parts_.metric.name == "exact" ? "" : fmt::format("  {} {:.2f}", parts_.metric.title, score);
  progress_.print(fmt::format("step {}  validation: loss {:.3f}{}  exact {:.1f} %", at_.step, loss,
                              chosen, exact_match(translations, text.target)));
  at_.validated_step = at_.step;
  keep_if_best(score, loss);
  save_last();
}

void Trainer::keep_if_best(double score, double loss) {
  const bool best = is_best(score, loss);
  // A lower loss is no reason to go on where the score cannot get better.
  const bool settled = at_.best_step > 0 && parts_.metric.perfect(at_.best_score);
  at_.validations_since_best = best && !settled ? 0 : at_.validations_since_best + 1;
  if (!best) return;
  at_.best_step = at_.step;
  at_.best_score = score;
  at_.best_loss = loss;
  save(kBestCheckpoint);
}

// By score, and between equal scores by loss.
bool Trainer::is_best(double score, double loss) const {
  if (at_.best_step == 0 || parts_.metric.better(score, at_.best_score)) return true;
  return score == at_.best_score && loss < at_.best_loss;
}

// The next one included. Minutes may bring it earlier.
int64_t Trainer::updates_to_validation(int64_t batches) const {
  const TrainConfig& c = config_;
  const int64_t next = c.validate_every ? c.validate_every - at_.step % c.validate_every
                                        : (batches - at_.batch + c.accumulate - 1) / c.accumulate;
  return c.steps > 0 ? std::min(next, c.steps - at_.step) : next;
}

}  // namespace weft
