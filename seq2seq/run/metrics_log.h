// What a training run leaves behind for people and programs: metrics.jsonl, one JSON object a line
// as training goes on, and summary.json at its end.
#pragma once

#include <weft/seq2seq/run/event_file.h>
#include <weft/seq2seq/run/line_log.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace weft {

/// One log interval of training. Times are seconds of training.
struct TrainingRecord {
  int64_t step = 0, epoch = 0;
  double loss = 0;               ///< mean per target token over the interval, nats
  double tokens_per_second = 0;  ///< target tokens
  double learning_rate = 0;
  double gradient_norm = 0;  ///< before clipping
  double seconds = 0;
  int64_t skipped = 0;  ///< updates whose loss or gradient was none to learn from; not in the loss
};

struct ValidationRecord {
  int64_t step = 0;
  double seconds = 0;
  double valid_loss = 0;  ///< mean per target token, nats
  std::string metric;     ///< by which the best model is chosen
  double score = 0;       ///< per cent, under the metric's name
};

/// For TensorBoard: train/loss, train/tokens_per_second, train/learning_rate, train/gradient_norm,
/// and train/skipped where there are some; valid/loss and valid/METRIC.
Scalars scalars_of(const TrainingRecord& record);
Scalars scalars_of(const ValidationRecord& record);

class MetricsLog {
 public:
  /// The log of a run that goes on from `step` and was validated last at `validated_step`: lines of
  /// later updates and validations, which a crash left behind, are cut off, for they will be
  /// written again. Throws if the file cannot be opened.
  MetricsLog(const std::filesystem::path& file, int64_t step, int64_t validated_step);

  /// Throw if the line cannot be written.
  void write(const TrainingRecord& record);
  void write(const ValidationRecord& record);

 private:
  LineLog log_;
};

struct Summary {
  std::string task;
  int64_t steps = 0;
  double seconds = 0;  ///< of training
  int64_t parameters = 0;
  double tokens_per_second = 0;
  int64_t checkpoint_step = 0;  ///< of the model that was judged, the best in validation
  std::string metric;           ///< that chose it, and its
  double valid_score = 0;       ///< score there, in per cent
  /// Results by name, in order: exact_match as a fraction, bleu, alignment_error_rate, ...
  std::vector<std::pair<std::string, double>> scores;
};

/// Writes the summary whole or not at all.
void write_summary(const std::filesystem::path& file, const Summary& summary);

}  // namespace weft
