// What a run saves, and what it goes on from.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/run/found_checkpoints.h>
#include <weft/seq2seq/training/trainer.h>

#include <algorithm>

namespace weft {
namespace {

// Saving by time may take a hundredth of it.
constexpr double kSaveShare = 0.01;

}  // namespace

TrainingRun Trainer::state() {
  return {.model = parts_.model,
          .optimizer = &parts_.optimizer,
          .schedule = &schedule_,
          .generators = {{"dropout", parts_.generator}},
          .average = average_.get(),
          .local = local_.get()};
}

// Now and then between validations. Weights are saved only once loss and gradient of the update
// after them have shown that they are sound, on all ranks, as of where that update began. The
// seconds it took.
double Trainer::save_if_due(const GeneratorState& start, bool sound) {
  if (!met()) return 0;
  const bool by_updates = config_.save_every > 0 && passed(config_.save_every);
  const double wait = std::max(60 * config_.save_minutes, save_seconds_ / kSaveShare);
  const bool by_time = config_.save_minutes > 0 && since_save_.seconds() >= wait;
  // Clocks differ, and all ranks must come to save what they share.
  const bool due = ranks_.of_first(by_updates || by_time);
  if (at_.step == 0 || at_.step == saved_step_ || !due) return 0;
  if (local_) sound = ranks_.sum(sound ? 0 : 1) == 0;
  if (!sound) return 0;
  const RandomReplay before({start});
  save_last();
  return save_seconds_;
}

void Trainer::save_interrupted(const Interrupted& why) {
  const bool beside = ranks_.of_first(parts_.directory.folder() != config_.directory());
  if (at_.best_step == 0 && !beside) save(kBestCheckpoint);  // a model to translate with
  if (at_.step != saved_step_) save_last();
  progress_.print(fmt::format("{} at step {}; saved: --model-dir {} --resume goes on from here{}",
                              why.what(), at_.step, config_.directory().string(),
                              beside ? "; until its first validation the old model stays" : ""));
}

void Trainer::save(const char* name) {
  const Uninterrupted whole;
  TrainingRun run = state();
  if (sharded_) run.optimizer_state = sharded_->state_dict();
  if (local_) run.optimizer_state = local_->state_dict(parts_.optimizer);
  if (!ranks_.first()) return;
  save_checkpoint((parts_.directory.folder() / name).string(), run,
                  to_metadata(at_, settings_, run_));
  if (parts_.directory.replace()) open_records(at_.validated_step);
}

void Trainer::open_records(int64_t validated_step) {
  if (!ranks_.first()) return;
  const std::filesystem::path& folder = parts_.directory.folder();
  metrics_.emplace(folder / kMetrics, at_.step, validated_step);
  // One of a run that began beside an old model is moved while it is written, and goes on.
  if (config_.tensorboard && !events_) events_.emplace(folder, at_.step);
  samples_.emplace(folder / kSamples, parts_.corpus.valid.text, validated_step);
  if (config_.record_gradients > 0)
    film_.emplace(parts_.model, parts_.vocabulary, valid_, folder / kFilm, at_.step);
}

void Trainer::save_last() {
  const Stopwatch watch;
  save(kLastCheckpoint);
  saved_step_ = at_.step;
  save_seconds_ = watch.seconds();
  since_save_ = Stopwatch();
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
  if (file.ends_with(kLastCheckpoint)) saved_step_ = at.step;
  if (file != config_.directory() / kLastCheckpoint)
    progress_.print(fmt::format("going on from {}, of step {}", file, at.step));
  lacks_best_ = !found.best && at.best_step > 0;
  if (lacks_best_)
    progress_.print("warning: the best model is lost; the one at hand takes its place");
  const Position best =
      found.best ? position_from(*found.best, settings_, (dir / kBestCheckpoint).string())
                 : Position{};
  set_rate(at.plateaus);
  at.best_step = best.best_step;
  at.best_score = best.best_score;
  at.best_loss = best.best_loss;
  return at;
}

}  // namespace weft
