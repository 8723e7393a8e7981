#include <unistd.h>
#include <weft/core/detail/check.h>
#include <weft/optim/checkpoint.h>
#include <weft/optim/clip.h>
#include <weft/seq2seq/metrics/exact_match.h>
#include <weft/seq2seq/training/evaluate.h>
#include <weft/seq2seq/training/found_checkpoints.h>
#include <weft/seq2seq/training/trainer.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <span>

namespace weft {
namespace {

bool fits(const Pair& pair, int64_t max_tokens) {
  return std::max(std::ssize(pair.source), std::ssize(pair.target)) <= max_tokens;
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
  open_records();
  const InterruptScope scope;
  if (lacks_best_) validate();  // so the weights at hand are the best ones there are
  if (finished())
    progress_.print(
        fmt::format("the run is finished already, at step {}: {}; a larger limit would "
                    "let it go on",
                    at_.step, why_finished()));
  const int64_t first = at_.step;
  while (!finished()) train_epoch();
  if (interrupted()) {
    if (at_.best_step == 0) save(kBestCheckpoint);  // so that there is a model to translate with
    save(kLastCheckpoint);
    progress_.print(
        fmt::format("interrupted at step {}; saved, --resume goes on from here", at_.step));
    return false;
  }
  if (at_.validated_step != at_.step) validate();
  if (at_.step > first) say_end();
  return true;
}

void Trainer::say_end() {
  progress_.print(fmt::format("stopped at step {}: {}", at_.step, why_finished()));
  if (at_.step < config_.warmup)
    progress_.print(
        fmt::format("warning: this was within the warm-up of {} updates (--warmup), so "
                    "the learning rate came to only {:.2g} of --lr {:g}",
                    config_.warmup.value(), parts_.optimizer.lr(), config_.learning_rate.value()));
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
    update(epoch.batches);
    if (config_.validate_every && at_.step % config_.validate_every == 0) validate();
  }
  if (at_.batch < count) return;
  at_.batch = 0;
  ++at_.epoch;
  if (!config_.validate_every) validate();
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

// One update from the next batches of the epoch.
void Trainer::update(const std::vector<Batch>& batches) {
  const Stopwatch watch;
  const auto end =
      std::min<int64_t>(at_.batch + config_.accumulate, static_cast<int64_t>(batches.size()));
  const std::span parts(batches.begin() + at_.batch, batches.begin() + end);
  const BatchLoss loss = accumulate_gradients(parts_.model, pairs_, parts, config_.label_smoothing);
  if (film_ && updates_to_validation(std::ssize(batches)) <= config_.record_gradients) film_->add();
  at_.batch = end;
  const double rate = parts_.optimizer.lr();
  const double norm = step_optimizer();
  at_.seconds += watch.seconds();
  at_.tokens += loss.tokens;
  ++at_.step;
  note({at_.step, at_.epoch, loss.mean, 0, rate, norm, at_.seconds}, loss.tokens, watch.seconds());
}

// The next one included. Minutes may bring it earlier.
int64_t Trainer::updates_to_validation(int64_t batches) const {
  const TrainConfig& c = config_;
  const int64_t next = c.validate_every ? c.validate_every - at_.step % c.validate_every
                                        : (batches - at_.batch + c.accumulate - 1) / c.accumulate;
  return c.steps > 0 ? std::min(next, c.steps - at_.step) : next;
}

double Trainer::step_optimizer() {
  const double norm = grad_norm(parts_.optimizer.parameters());
  check(std::isfinite(norm),
        "train: the gradient's norm is {} at step {}; a lower --lr or a --clip may help", norm,
        at_.step);
  parts_.optimizer.step(config_.clip > 0 ? clip_factor(norm, config_.clip) : 1);
  parts_.optimizer.zero_grad();
  schedule_.step();
  return norm;
}

// Sums up the interval for the log and moves the progress line.
void Trainer::note(TrainingRecord record, int64_t tokens, double seconds) {
  auto& interval = at_.interval;
  interval.loss += record.loss * static_cast<double>(tokens);
  interval.tokens += tokens;
  interval.seconds += seconds;
  record.loss = interval.loss / static_cast<double>(interval.tokens);
  record.tokens_per_second = static_cast<double>(interval.tokens) / interval.seconds;
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
  parts_.model.eval();
  const double loss = mean_loss(parts_.model, valid_, valid_batches_.batches);
  const ParallelText& text = parts_.corpus.valid.text;
  const std::vector<std::string> translations =
      translate_all(parts_.model, parts_.vocabulary, text.source);
  if (film_) film_->record(at_.step);
  parts_.model.train();
  const double score = parts_.metric.score(translations, text.target);
  at_.validated_step = at_.step;
  metrics_->write(ValidationRecord{at_.step, at_.seconds, loss, parts_.metric.name, score});
  const std::string chosen =
      parts_.metric.name == "exact" ? "" : fmt::format("  {} {:.2f}", parts_.metric.title, score);
  progress_.print(fmt::format("step {}  validation: loss {:.3f}{}  exact {:.1f} %", at_.step, loss,
                              chosen, exact_match(translations, text.target)));
  const bool best = is_best(score, loss);
  // A lower loss is no reason to go on where the score cannot get better.
  const bool settled = at_.best_step > 0 && parts_.metric.perfect(at_.best_score);
  at_.validations_since_best = best && !settled ? 0 : at_.validations_since_best + 1;
  if (best) {
    at_.best_step = at_.step;
    at_.best_score = score;
    at_.best_loss = loss;
    save(kBestCheckpoint);
  }
  save(kLastCheckpoint);
}

// By score, and between equal scores by loss.
bool Trainer::is_best(double score, double loss) const {
  if (at_.best_step == 0 || parts_.metric.better(score, at_.best_score)) return true;
  return score == at_.best_score && loss < at_.best_loss;
}

TrainingRun Trainer::state() {
  return {parts_.model, &parts_.optimizer, &schedule_, {{"dropout", parts_.generator}}};
}

void Trainer::save(const char* name) {
  save_checkpoint((parts_.directory.folder() / name).string(), state(),
                  to_metadata(at_, settings_, run_));
  if (parts_.directory.replace()) open_records();
}

void Trainer::open_records() {
  metrics_.emplace(parts_.directory.folder() / kMetrics, at_.step);
  if (config_.record_gradients > 0)
    film_.emplace(parts_.model, parts_.vocabulary, valid_, parts_.directory.folder() / kFilm,
                  at_.step);
}

// The best and its score may be newer than the checkpoint that is gone on from, or lost.
Position Trainer::restore() {
  const std::filesystem::path& dir = parts_.directory.folder();
  const FoundCheckpoints found = find_checkpoints(dir, run_);
  const std::string& file = found.newest.path;
  Position at = position_from(progress_of(found.newest), settings_, file);
  load_checkpoint(found.newest, state());
  check(schedule_.steps() == at.step, "{}: is of step {}, but its schedule of step {}", file,
        at.step, schedule_.steps());
  for (const std::string& fault : found.faults) progress_.print("warning: " + fault);
  if (!file.ends_with(kLastCheckpoint))
    progress_.print(fmt::format("going on from {}, of step {}", file, at.step));
  lacks_best_ = !found.best && at.best_step > 0;
  if (lacks_best_)
    progress_.print("warning: the best model is lost; the one at hand takes its place");
  const Position best =
      found.best ? position_from(*found.best, settings_, (dir / kBestCheckpoint).string())
                 : Position{};
  at.best_step = best.best_step;
  at.best_score = best.best_score;
  at.best_loss = best.best_loss;
  return at;
}

}  // namespace weft
