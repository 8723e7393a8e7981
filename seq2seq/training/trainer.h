// The training loop: batches to updates, with a log, validations and checkpoints on the way.
#pragma once

#include <weft/optim/checkpoint.h>
#include <weft/optim/distributed/data_parallel.h>
#include <weft/optim/distributed/local_sgd.h>
#include <weft/optim/distributed/sharded_optimizer.h>
#include <weft/optim/schedules.h>
#include <weft/seq2seq/lab/film_recorder.h>
#include <weft/seq2seq/metrics/metric.h>
#include <weft/seq2seq/models/objective.h>
#include <weft/seq2seq/models/seq2seq_model.h>
#include <weft/seq2seq/run/curriculum_kind.h>
#include <weft/seq2seq/run/event_file.h>
#include <weft/seq2seq/run/interrupt.h>
#include <weft/seq2seq/run/metrics_log.h>
#include <weft/seq2seq/run/ranks.h>
#include <weft/seq2seq/run/run_directory.h>
#include <weft/seq2seq/run/run_state.h>
#include <weft/seq2seq/run/sample_log.h>
#include <weft/seq2seq/tasks/corpus.h>
#include <weft/seq2seq/text/batching.h>
#include <weft/seq2seq/text/vocabulary.h>
#include <weft/seq2seq/training/progress.h>

#include <chrono>
#include <memory>
#include <optional>

namespace weft {

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// What is trained, on what, and by what it is judged.
struct TrainingParts {
  Seq2SeqModel& model;
  Optimizer& optimizer;
  Generator generator;  ///< that the model drops out by
  const Vocabulary& vocabulary;
  const Corpus& corpus;
  const Metric& metric;        ///< decides which model is kept
  RunDirectory& directory;     ///< where it is kept
  LrFactor lr_factor = {};     ///< of an update; by default that of the setting schedule
  Curriculum curriculum = {};  ///< by default that of the setting curriculum
  Stopwatch since_start{};     ///< tells the user how long it took to get ready
  /// To the ranks that train the same model with the same parts. Only rank 0 writes and prints; the
  /// result has the same bits at any number of ranks, unless they take local steps.
  Communicator& communicator = one_rank();
};

/// Where ranks take local steps, each update is one of every rank, and what else there is to do
/// waits until they meet: limits, validations, lines of the log, saves and signals.
class Trainer {
 public:
  /// Goes on from the newest checkpoint that is whole if `config` says so, and writes nothing yet.
  /// Otherwise the directory must have begun a new run once the trainer runs. `config` and what the
  /// parts refer to must outlive it. Throws if no checkpoint is whole and of this run, if no pair
  /// fits into a batch, for training or for validation, or if ranks differ in what they train.
  Trainer(const RunConfig& config, const TrainingParts& parts);

  /// Trains until a limit is reached or scores stop getting better. 0, or the signal that
  /// interrupted it or another rank (InterruptScope), after saving. Throws if the loss leaves the
  /// numbers or explodes, with the op and the module where it began; the files keep the last good
  /// weights.
  int run();

  const Position& position() const { return at_; }
  int64_t parameters() const;

 private:
  std::string why_finished() const;
  bool finished() const { return met() && !why_finished().empty(); }
  /// Whether all ranks have the same parameters: always, unless they take local steps.
  bool met() const { return at_.step % config_.local_steps == 0; }
  /// The first step from this one on at which they meet.
  int64_t to_meeting(int64_t step) const {
    const int64_t h = config_.local_steps;
    return (step + h - 1) / h * h;
  }
  /// Whether a multiple of `every` was passed since ranks met last.
  bool passed(int64_t every) const { return at_.step % every < config_.local_steps; }
  void train();
  void say_end();
  void train_epoch();
  void heed_signals() const;
  TrainingBatches batches_of_pass() const;
  void update(const std::vector<Batch>& batches);
  int64_t updates_to_validation(int64_t batches) const;
  /// Of the gradients that it leaves in the parameters.
  struct Pass {
    double loss = 0;     ///< mean of a target token, nats
    int64_t tokens = 0;  ///< target tokens
    double norm = 0;
  };
  /// Batches of an update, and the number among them of the first one's random draws.
  struct Parts {
    std::span<const Batch> batches;
    int64_t first_draw;
  };
  Parts own_parts(std::span<const Batch> batches) const;
  Pass pass(const Parts& parts, const GeneratorState& start);
  ObjectiveOptions objective_options() const;
  double add_part(const Parts& parts, int64_t part, const GeneratorState& start);
  std::string cause(const Parts& parts, const GeneratorState& start);
  void diverged(const std::string& fault, const Parts& parts, const GeneratorState& start);
  [[noreturn]] void stop_diverged(int64_t step, const std::string& fault) const;
  void step_optimizer(const Pass& pass);
  Position::Interval of_all_ranks(Position::Interval mine);
  void note(TrainingRecord record);
  int64_t total_steps() const;
  double fraction() const;
  bool validation_due() const;
  void validate();
  void validate_weights();
  void keep_if_best(double score, double loss);
  void slow_down_if_due();
  void set_rate(int64_t plateaus);
  bool is_best(double score, double loss) const;
  double save_if_due(const GeneratorState& start, bool sound);
  void save_interrupted(const Interrupted& why);
  void save(const char* name);
  void save_last();
  void open_records(int64_t validated_step);
  template <class Record>
  void log(const Record& record) {
    if (metrics_) metrics_->write(record);
    if (events_) events_->write(record.step, scalars_of(record));
  }
  Position restore();
  TrainingRun state();
  void check_equal() { local_ ? local_->check_equal() : gradients_.check_equal(); }
  void check_ranks() const;
  void check_ranks(uint32_t sum, const char* what) const;
  void say_ready(int64_t skipped);
  void say_left_out(const char* what, const Split& split, int64_t skipped, const char* of);

  const TrainConfig& config_;
  const std::string& run_;  // its id
  const TrainingParts parts_;
  const Ranks ranks_;
  Schedule schedule_;
  const Curriculum curriculum_;
  std::vector<Pair> pairs_, valid_;
  TrainingBatches valid_batches_;
  Settings settings_;
  Progress progress_;
  std::unique_ptr<WeightAverage> average_;  // null: none is asked for
  std::unique_ptr<LocalSgd> local_;         // null: all ranks make each update together
  bool lacks_best_ = false;                 // for it was lost
  int64_t saved_step_ = -1;                 // of the last checkpoint; -1: none
  Position at_;
  Position::Interval round_{};               // of this rank, since all met last
  DataParallel gradients_;                   // of all ranks, or of this one's local steps
  std::optional<ShardedOptimizer> sharded_;  // if asked for, where there are several ranks
  std::optional<MetricsLog> metrics_;        // of rank 0, once it runs
  std::optional<EventFile> events_;          // likewise, if asked for
  std::optional<SampleLog> samples_;         // likewise
  std::optional<FilmRecorder> film_;         // likewise, if asked for
  int64_t batches_per_epoch_ = 0;
  bool ready_ = false;
  Stopwatch since_save_;
  double save_seconds_ = 0;                   // that the last one took
  int64_t skipped_ = 0, skipped_in_row_ = 0;  // updates
};

}  // namespace weft
