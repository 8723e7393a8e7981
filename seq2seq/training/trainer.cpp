#include <unistd.h>
#include <weft/core/checksum.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/metrics/exact_match.h>
#include <weft/seq2seq/run/corpus_size.h>
#include <weft/seq2seq/run/divergence.h>
#include <weft/seq2seq/run/schedule_kind.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/seq2seq/training/evaluate.h>
#include <weft/seq2seq/training/trainer.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <span>

namespace weft {
namespace {

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

LrFactor builtin_schedule(const TrainConfig& c) {
  return find_named(builtin_schedules(), c.schedule, "schedule").make(c);
}

Curriculum builtin_curriculum(const TrainConfig& c) {
  return find_named(builtin_curricula(), c.curriculum, "curriculum").make(c);
}

std::unique_ptr<WeightAverage> make_average(const TrainConfig& c, const NamedTensors& parameters) {
  if (c.ema > 0) return std::make_unique<ExponentialAverage>(parameters, c.ema);
  if (c.average > 0) return std::make_unique<AverageOfLast>(parameters, c.average);
  return nullptr;
}

// Gives the ranks the parameters of rank 0.
std::unique_ptr<LocalSgd> make_local(const TrainConfig& c, const TrainingParts& parts) {
  if (c.local_steps == 1) return nullptr;
  const int ranks = parts.communicator.size();
  check(c.accumulate >= ranks,
        "train: --local-steps needs a batch for each of {} ranks: --accumulate {} or more; got {}",
        ranks, ranks, c.accumulate.value());
  return std::make_unique<LocalSgd>(parts.communicator, parts.model.named_parameters(),
                                    LocalSgdOptions{.steps = c.local_steps});
}

bool fits(const Pair& pair, int64_t max_tokens) {
  return std::max(std::ssize(pair.source), std::ssize(pair.target)) <= max_tokens;
}

std::ostream& nowhere() {
  static std::ostream none(nullptr);
  return none;
}

}  // namespace

Trainer::Trainer(const RunConfig& config, const TrainingParts& parts)
    : config_(config.train),
      run_(config.model.run),
      parts_(parts),
      ranks_(parts.communicator),
      schedule_(parts.optimizer, parts.lr_factor ? parts.lr_factor : builtin_schedule(config_)),
      curriculum_(parts.curriculum ? parts.curriculum : builtin_curriculum(config_)),
      pairs_(encode_pairs(parts.vocabulary, parts.corpus.train.text)),
      valid_(encode_pairs(parts.vocabulary, parts.corpus.valid.text)),
      valid_batches_(training_batches(valid_, config_.max_tokens, 0, 0)),
      settings_(run_settings(config, parts.corpus.train.text, parts.corpus.valid.text)),
      progress_(ranks_.first() ? std::cerr : nowhere(), isatty(STDERR_FILENO) != 0),
      average_(make_average(config_, parts.model.named_parameters())),
      local_(make_local(config_, parts)),
      at_(config_.resume ? restore() : Position{}),
      gradients_(local_ ? one_rank() : parts.communicator, parts.model.named_parameters()) {
  check_ranks();
  if (local_) check_equal();  // what each of them has loaded
  if (config_.shard_optimizer && ranks_.several())
    sharded_.emplace(parts.communicator, parts.model.named_parameters(), parts.optimizer);
  const bool any = std::any_of(pairs_.begin(), pairs_.end(),
                               [&](const Pair& pair) { return fits(pair, config_.max_tokens); });
  check(any, "train: no pair fits into --max-tokens {}", config_.max_tokens.value());
  check(!valid_batches_.batches.empty(), "train: no validation pair fits into --max-tokens {}",
        config_.max_tokens.value());
}

// Parameters are compared, others come from rank 0: what the updates follow from must be the same.
void Trainer::check_ranks() const {
  if (!ranks_.several()) return;
  uint32_t sum = config_.shard_optimizer ? 1 : 0;  // by which they talk
  for (const auto& [name, value] : settings_) sum = crc32c(name + value, sum);
  for (const std::vector<Pair>* pairs : {&pairs_, &valid_})
    for (const Pair& pair : *pairs)
      for (const Ids* ids : {&pair.source, &pair.target})
        sum = crc32c(ids->data(), ids->size() * sizeof(int64_t), sum);
  check_ranks(sum, "another corpus, vocabulary or settings");
}

// Of what all ranks should have, its checksum.
void Trainer::check_ranks(uint32_t sum, const char* what) const {
  const std::vector<double> sums = ranks_.map(ranks_.count(), [&](int64_t) { return sum; });
  for (size_t rank = 0; rank < sums.size(); ++rank)
    check(sums[rank] == sums[0], "train: rank {} has {} than rank 0", rank, what);
}

int Trainer::run() {
  // Where the best model is lost, this step is validated again.
  open_records(lacks_best_ ? at_.step - 1 : at_.validated_step);
  const InterruptScope scope;
  int signal = 0;
  try {
    train();
  } catch (const Interrupted& why) {
    save_interrupted(why);
    signal = why.signal();
  }
  ranks_.wait_for_first();  // until all is saved
  return signal;
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
  if (config_.subword_dropout > 0)
    pairs_ = sample_pairs(parts_.vocabulary, parts_.corpus.train.text, config_.subword_dropout,
                          static_cast<uint64_t>(config_.seed), at_.epoch);
  const TrainingBatches epoch = batches_of_pass();
  if (!std::exchange(ready_, true)) say_ready(epoch.skipped);
  const auto count = static_cast<int64_t>(epoch.batches.size());
  batches_per_epoch_ = count;
  while (at_.batch < count && !finished()) {
    if (validation_due())  // or left to do by an interruption
      validate();
    else
      update(epoch.batches);
    if (met()) heed_signals();
  }
  if (at_.batch < count) return;
  at_.batch = 0;
  ++at_.epoch;
}

// Of a rank alone, ops do it, but not those of local steps.
void Trainer::heed_signals() const {
  ranks_.heed_signals();
  if (local_) throw_if_interrupted();
}

TrainingBatches Trainer::batches_of_pass() const {
  const auto seed = static_cast<uint64_t>(config_.seed);
  if (!curriculum_) return training_batches(pairs_, config_.max_tokens, seed, at_.epoch);
  const int64_t updates = (at_.batch + config_.accumulate - 1) / config_.accumulate;
  const int64_t begin = at_.step - updates;  // where the pass is in the middle, it began before
  const std::vector<int64_t> places = curriculum_(pairs_, begin);
  if (ranks_.several())
    check_ranks(crc32c(places.data(), places.size() * sizeof(int64_t)),
                "a curriculum of other pairs");
  TrainingBatches pass = training_batches(pairs_, places, config_.max_tokens, seed, at_.epoch);
  check(
      !pass.batches.empty(),
      "train: the curriculum must admit a pair that fits into --max-tokens {}; at step {} it gave "
      "{} pairs",
      config_.max_tokens.value(), begin, places.size());
  return pass;
}

bool Trainer::validation_due() const {
  if (!met() || at_.step == at_.validated_step) return false;
  if (config_.validate_every > 0) return passed(config_.validate_every);
  return at_.batch < config_.local_steps * config_.accumulate;  // the epoch began since they met
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
  if (const int64_t idle = ranks_.count() - config_.accumulate; idle > 0)
    progress_.print(
        fmt::format("warning: {} of {} ranks have nothing to do: an update has "
                    "--accumulate {} batches",
                    idle, ranks_.count(), config_.accumulate.value()));
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

int64_t Trainer::total_steps() const {
  const int64_t by_epochs =
      config_.epochs * ((batches_per_epoch_ + config_.accumulate - 1) / config_.accumulate);
  const bool both = config_.steps > 0 && by_epochs > 0;
  return to_meeting(both ? std::min(config_.steps.value(), by_epochs)
                         : std::max(config_.steps.value(), by_epochs));
}

double Trainer::fraction() const {
  const double by_steps =
      total_steps() ? static_cast<double>(at_.step) / static_cast<double>(total_steps()) : 0;
  return std::min(
      1.0, std::max(by_steps, config_.minutes > 0 ? at_.seconds / (60 * config_.minutes) : 0));
}

// Of the average, where there is one, which is then what is kept. It has this step's weights
// already where the step is validated again.
void Trainer::validate() {
  check_equal();
  if (average_ && at_.validated_step != at_.step) average_->before_validation();
  {
    const AverageScope average(average_.get());
    validate_weights();
  }
  save_last();
}

void Trainer::validate_weights() {
  const ParallelText& text = parts_.corpus.valid.text;
  double loss = 0;
  std::vector<std::string> translations;
  {
    const EvalScope eval(parts_.model);
    loss = mean_loss(parts_.model, valid_, valid_batches_.batches, ranks_);
    if (const auto fault = fault_of_loss(loss, parts_.vocabulary.size()); !fault.empty())
      stop_diverged(at_.step, "in validation " + fault);
    translations = translate_all(parts_.model, parts_.vocabulary, text.source, ranks_);
    if (film_) film_->record(at_.step);
  }
  const double score = ranks_.of_first(parts_.metric.score(translations, text.target));
  log(ValidationRecord{at_.step, at_.seconds, loss, parts_.metric.name, score});
  if (samples_) samples_->write(at_.step, translations);
  const std::string chosen =
      parts_.metric.name == "exact" ? "" : fmt::format("  {} {:.2f}", parts_.metric.title, score);
  progress_.print(
      fmt::format("step {}  validation: loss {:.3f}  perplexity {:.4g}{}  exact {:.1f} %", at_.step,
                  loss, std::exp(loss), chosen, exact_match(translations, text.target)));
  at_.validated_step = at_.step;
  keep_if_best(score, loss);
}

void Trainer::keep_if_best(double score, double loss) {
  const bool best = is_best(score, loss);
  // A lower loss is no reason to go on where the score cannot get better.
  const bool settled = at_.best_step > 0 && parts_.metric.perfect(at_.best_score);
  at_.validations_since_best = best && !settled ? 0 : at_.validations_since_best + 1;
  slow_down_if_due();
  if (!best) return;
  at_.best_step = at_.step;
  at_.best_score = score;
  at_.best_loss = loss;
  save(kBestCheckpoint);
}

// Halves the learning rate at every plateau of scores, if that is asked for.
void Trainer::slow_down_if_due() {
  const int64_t waited = at_.validations_since_best;
  if (config_.plateau == 0 || waited == 0 || waited % config_.plateau != 0) return;
  ++at_.plateaus;
  set_rate(at_.plateaus);
  progress_.print(
      fmt::format("{} validations without a better score: the learning rate is halved", waited));
}

void Trainer::set_rate(int64_t plateaus) {
  schedule_.set_scale(std::exp2(-static_cast<double>(plateaus)));
}

// By score, and between equal scores by loss.
bool Trainer::is_best(double score, double loss) const {
  if (at_.best_step == 0 || parts_.metric.better(score, at_.best_score)) return true;
  return score == at_.best_score && loss < at_.best_loss;
}

// The next one included. Minutes may bring it earlier.
int64_t Trainer::updates_to_validation(int64_t batches) const {
  const TrainConfig& c = config_;
  const int64_t begin = at_.step - at_.step % c.local_steps;
  int64_t next = c.validate_every
                     ? begin + c.validate_every - begin % c.validate_every
                     : at_.step + (batches - at_.batch + c.accumulate - 1) / c.accumulate;
  if (c.steps > 0) next = std::min(next, c.steps.value());
  return to_meeting(next) - at_.step;
}

}  // namespace weft
