// One update: gradients of some batches, which the ranks share out, and a step by their sum.
#include <weft/core/detail/check.h>
#include <weft/optim/clip.h>
#include <weft/seq2seq/run/divergence.h>
#include <weft/seq2seq/training/trainer.h>

#include <algorithm>

namespace weft {
namespace {

// Weights that have left the numbers do not come back.
constexpr int64_t kMostSkippedInRow = 50;
// Updates between two looks at whether the ranks' weights are equal.
constexpr int64_t kCheckRanks = 100;

int64_t tokens_of(std::span<const Pair> pairs, std::span<const Batch> batches) {
  int64_t tokens = 0;
  for (const Batch& batch : batches) tokens += predicted_tokens(pairs, batch);
  return tokens;
}

GeneratorState state_of(const Generator& generator) {
  return {generator, generator.seed(), generator.position()};
}

// Of the masks of a part, whichever rank runs it: words that Generator itself leaves over.
uint64_t seed_of_part(uint64_t seed, int64_t part) {
  const auto words = philox(seed, static_cast<uint64_t>(part));
  return uint64_t{words[3]} << 32 | words[2];
}

}  // namespace

// One update from the next batches of the epoch. What interrupts it leaves the run as it was.
void Trainer::update(const std::vector<Batch>& batches) {
  const Stopwatch watch;
  const auto end =
      std::min<int64_t>(at_.batch + config_.accumulate, static_cast<int64_t>(batches.size()));
  const std::span parts(batches.begin() + at_.batch, batches.begin() + end);
  const GeneratorState start = state_of(parts_.generator);
  const Pass done = pass(parts, start);
  const std::string fault = fault_of_update(done.loss, done.norm, parts_.vocabulary.size());
  const Uninterrupted whole;
  if (!fault.empty()) diverged(fault, parts, start);
  const double rate = parts_.optimizer.lr();
  double saving = 0;
  if (fault.empty()) {
    if (film_ && updates_to_validation(std::ssize(batches)) <= config_.record_gradients)
      film_->add();
    saving = save_if_due(start);
    const double scale = config_.clip > 0 ? clip_factor(done.norm, config_.clip) : 1;
    sharded_ ? sharded_->step(scale) : parts_.optimizer.step(scale);
    if (average_) average_->after_update();
    skipped_in_row_ = 0;
  }
  parts_.model.zero_grad();
  schedule_.step();
  const double seconds = ranks_.of_first(watch.seconds() - saving);
  at_.batch = end;
  at_.seconds += seconds;
  at_.tokens += done.tokens;
  ++at_.step;
  if (at_.step % kCheckRanks == 0) gradients_.check_equal();
  note({.step = at_.step,
        .epoch = at_.epoch,
        .learning_rate = rate,
        .gradient_norm = done.norm,
        .seconds = at_.seconds},
       !fault.empty(), done, seconds);
}

// The ranks share out the batches. An exception leaves no gradients, and the generator where it
// was.
Trainer::Pass Trainer::pass(std::span<const Batch> batches, const GeneratorState& start) {
  Generator generator = parts_.generator;
  try {
    Pass all;
    std::vector<double> losses(batches.size());
    gradients_.sum_gradients(std::ssize(batches), [&](int64_t part) {
      losses[static_cast<size_t>(part)] = add_part(batches, part, start);
    });
    for (const double loss : ranks_.of_parts(losses)) all.loss += loss;
    all.tokens = tokens_of(pairs_, batches);
    all.norm = grad_norm(parts_.optimizer.parameters());
    generator.set_state(start.seed, ranks_.of_first(generator.position()));
    return all;
  } catch (...) {
    parts_.model.zero_grad();
    generator.set_state(start.seed, start.position);
    throw;
  }
}

ObjectiveOptions Trainer::objective_options() const {
  return {.label_smoothing = config_.label_smoothing,
          .r_drop = config_.r_drop,
          .word_dropout = config_.word_dropout};
}

// Part 0 draws from the generator as it stands, which moves it; others, which any rank may run,
// from one of their own, and leave it alone.
double Trainer::add_part(std::span<const Batch> batches, int64_t part,
                         const GeneratorState& start) {
  std::vector<GeneratorState> own;
  if (part > 0) own.push_back({start.generator, seed_of_part(start.seed, part), start.position});
  const RandomReplay masks(own);
  return add_gradients(parts_.model, pairs_, batches[static_cast<size_t>(part)],
                       tokens_of(pairs_, batches), objective_options(), parts_.generator);
}

// Ends the run, unless the update is to be skipped; the first one that is skipped is explained.
void Trainer::diverged(const std::string& fault, std::span<const Batch> batches,
                       const GeneratorState& start) {
  const bool skip =
      config_.on_divergence.value() == "skip" && ++skipped_in_row_ <= kMostSkippedInRow;
  if (skip && skipped_++ > 0) return;
  const std::string explained = fault + "; " + cause(batches, start);
  if (!skip) stop_diverged(at_.step + 1, explained);
  progress_.print(fmt::format("warning: step {} is skipped: {}; others are only counted",
                              at_.step + 1, explained));
}

// Of a fault: rank 0 alone looks for it, in all parts.
std::string Trainer::cause(std::span<const Batch> batches, const GeneratorState& start) {
  std::string found;
  if (ranks_.first()) {
    found = cause_of_fault([&] {
      const RandomReplay again({start});
      parts_.model.zero_grad();
      for (int64_t part = 0; part < std::ssize(batches); ++part) add_part(batches, part, start);
    });
  }
  return ranks_.of_first(found);
}

void Trainer::stop_diverged(int64_t step, const std::string& fault) const {
  const bool kept = saved_step_ >= 0;
  const std::string skipped = skipped_ > 0 ? fmt::format(" after {} skipped ones", skipped_) : "";
  fail("train: diverged at step {}{}: {}; {}; {}", step, skipped, fault,
       kept ? fmt::format("the weights of step {} are saved", saved_step_) : "nothing is saved yet",
       advice_on_divergence(config_, kept));
}

// Sums up the interval for the log and moves the progress line.
void Trainer::note(TrainingRecord record, bool skipped, const Pass& pass, double seconds) {
  auto& interval = at_.interval;
  interval.seconds += seconds;
  interval.skipped += skipped;
  if (!skipped) {
    interval.loss += pass.loss * static_cast<double>(pass.tokens);
    interval.tokens += pass.tokens;
  }
  record.loss = interval.loss / static_cast<double>(interval.tokens);
  record.tokens_per_second = static_cast<double>(interval.tokens) / interval.seconds;
  record.skipped = interval.skipped;
  progress_.update(
      {at_.step, total_steps(), record.loss, record.tokens_per_second, at_.seconds, fraction()});
  if (at_.step % config_.log_every != 0) return;
  log(record);
  interval = {};
}

}  // namespace weft
