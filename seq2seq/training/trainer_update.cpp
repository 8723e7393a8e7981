// One update: gradients of some batches, which the ranks share out, and a step by their sum.
#include <weft/core/detail/check.h>
#include <weft/optim/clip.h>
#include <weft/optim/distributed/parts.h>
#include <weft/seq2seq/run/divergence.h>
#include <weft/seq2seq/training/trainer.h>

#include <algorithm>
#include <utility>

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

// One update from the next batches of the epoch. What interrupts it leaves the run as it was, or
// waits: for a rank that trains alone there is no way back to where all met.
void Trainer::update(const std::vector<Batch>& batches) {
  const Stopwatch watch;
  const auto end =
      std::min<int64_t>(at_.batch + config_.accumulate, static_cast<int64_t>(batches.size()));
  const std::span all(batches.begin() + at_.batch, batches.begin() + end);
  const Parts parts = own_parts(all);
  const GeneratorState start = state_of(parts_.generator);
  std::optional<Uninterrupted> alone;
  if (local_) alone.emplace();
  const Pass done = pass(parts, start);
  const std::string fault = fault_of_update(done.loss, done.norm, parts_.vocabulary.size());
  const Uninterrupted whole;
  const bool sound = fault.empty();
  if (!sound) diverged(fault, parts, start);
  const double rate = parts_.optimizer.lr();
  if (sound && film_ && updates_to_validation(std::ssize(batches)) <= config_.record_gradients)
    film_->add();
  const double saving = save_if_due(start, sound);
  if (sound) step_optimizer(done);
  parts_.model.zero_grad();
  schedule_.step();
  if (local_) local_->step();
  ++at_.step;
  if (average_ && (local_ ? met() : sound)) average_->after_update();
  at_.batch = end;
  at_.tokens += tokens_of(pairs_, all);
  round_.seconds += watch.seconds() - saving;
  round_.skipped += !sound;
  if (sound) {
    round_.loss += done.loss * static_cast<double>(done.tokens);
    round_.tokens += done.tokens;
  }
  if (!met()) return;
  if (passed(kCheckRanks)) check_equal();
  note({.step = at_.step, .epoch = at_.epoch, .learning_rate = rate, .gradient_norm = done.norm});
}

void Trainer::step_optimizer(const Pass& pass) {
  const double scale = config_.clip > 0 ? clip_factor(pass.norm, config_.clip) : 1;
  sharded_ ? sharded_->step(scale) : parts_.optimizer.step(scale);
  skipped_in_row_ = 0;
}

// All batches, whose gradients the ranks sum up together; of ranks that train alone, this one's
// share, whose draws have the numbers of its batches in the whole run, so that none come twice.
Trainer::Parts Trainer::own_parts(std::span<const Batch> batches) const {
  if (!local_) return {batches, 0};
  const Communicator& c = parts_.communicator;
  const PartRange mine = parts_of_rank(std::ssize(batches), c.rank(), c.size());
  return {
      batches.subspan(static_cast<size_t>(mine.begin), static_cast<size_t>(mine.end - mine.begin)),
      (at_.step + 1) * config_.accumulate + mine.begin};
}

// An exception leaves no gradients, and the generator where it was.
Trainer::Pass Trainer::pass(const Parts& parts, const GeneratorState& start) {
  Generator generator = parts_.generator;
  try {
    Pass all;
    std::vector<double> losses(parts.batches.size());
    if (!losses.empty())  // of a rank alone, where the end of an epoch has fewer batches than ranks
      gradients_.sum_gradients(std::ssize(losses), [&](int64_t part) {
        losses[static_cast<size_t>(part)] = add_part(parts, part, start);
      });
    for (const double loss : local_ ? losses : ranks_.of_parts(losses)) all.loss += loss;
    all.tokens = tokens_of(pairs_, parts.batches);
    all.norm = grad_norm(parts_.optimizer.parameters());
    if (!local_) generator.set_state(start.seed, ranks_.of_first(generator.position()));
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

// Draw 0 takes from the generator as it stands, which moves it; others, which any rank may run,
// from one of their own, and leave it alone.
double Trainer::add_part(const Parts& parts, int64_t part, const GeneratorState& start) {
  std::vector<GeneratorState> own;
  if (const int64_t draw = parts.first_draw + part; draw > 0)
    own.push_back({start.generator, seed_of_part(start.seed, draw), start.position});
  const RandomReplay masks(own);
  return add_gradients(parts_.model, pairs_, parts.batches[static_cast<size_t>(part)],
                       tokens_of(pairs_, parts.batches), objective_options(), parts_.generator);
}

// Ends the run, unless the update is to be skipped; the first one that is skipped is explained.
void Trainer::diverged(const std::string& fault, const Parts& parts, const GeneratorState& start) {
  const bool skip =
      config_.on_divergence.value() == "skip" && ++skipped_in_row_ <= kMostSkippedInRow;
  if (skip && skipped_++ > 0) return;
  const std::string explained = fault + "; " + cause(parts, start);
  if (!skip) stop_diverged(at_.step + 1, explained);
  progress_.print(fmt::format("warning: step {} is skipped: {}; others are only counted",
                              at_.step + 1, explained));
}

// Of a fault: rank 0 alone looks for it, in all parts; or the rank that trains alone, in its own.
std::string Trainer::cause(const Parts& parts, const GeneratorState& start) {
  std::string found;
  if (local_ || ranks_.first()) {
    found = cause_of_fault([&] {
      const RandomReplay again({start});
      parts_.model.zero_grad();
      for (int64_t part = 0; part < std::ssize(parts.batches); ++part) add_part(parts, part, start);
    });
  }
  return local_ ? found : ranks_.of_first(found);
}

void Trainer::stop_diverged(int64_t step, const std::string& fault) const {
  const bool kept = saved_step_ >= 0;
  const std::string skipped = skipped_ > 0 ? fmt::format(" after {} skipped ones", skipped_) : "";
  fail("train: diverged at step {}{}: {}; {}; {}", step, skipped, fault,
       kept ? fmt::format("the weights of step {} are saved", saved_step_) : "nothing is saved yet",
       advice_on_divergence(config_, kept));
}

// What they did since they met last; others' skipped updates are counted too.
Position::Interval Trainer::of_all_ranks(Position::Interval mine) {
  mine.seconds = ranks_.of_first(mine.seconds);
  if (!local_) return mine;  // all know all but the time
  const auto sum = [&](int64_t n) {
    return static_cast<int64_t>(ranks_.sum(static_cast<double>(n)));
  };
  const int64_t skipped = sum(mine.skipped);
  skipped_ += skipped - mine.skipped;
  return {ranks_.sum(mine.loss), mine.seconds, sum(mine.tokens), skipped};
}

// Sums up the interval for the log and moves the progress line.
void Trainer::note(TrainingRecord record) {
  const Position::Interval round = of_all_ranks(std::exchange(round_, {}));
  at_.seconds += round.seconds;
  Position::Interval& interval = at_.interval;
  interval.loss += round.loss;
  interval.seconds += round.seconds;
  interval.tokens += round.tokens;
  interval.skipped += round.skipped;
  record.seconds = at_.seconds;
  record.loss = interval.loss / static_cast<double>(interval.tokens);
  record.tokens_per_second = static_cast<double>(interval.tokens) / interval.seconds;
  record.skipped = interval.skipped;
  progress_.update(
      {at_.step, total_steps(), record.loss, record.tokens_per_second, at_.seconds, fraction()});
  if (!passed(config_.log_every)) return;
  log(record);
  interval = {};
}

}  // namespace weft
