// Where a training run stands and what it depends on, as text for its checkpoints: a run that goes
// on must be the same run, or its weights would be those of neither.
#pragma once

#include <weft/core/serialize.h>
#include <weft/seq2seq/run/config.h>
#include <weft/seq2seq/text/text_file.h>

#include <string>
#include <vector>

namespace weft {

/// All that a resumed run needs beside weights, optimizer and schedule.
struct Position {
  int64_t step = 0, epoch = 0, batch = 0;  ///< the next batch of the epoch
  double seconds = 0;                      ///< of training so far
  int64_t tokens = 0;                      ///< target tokens seen so far
  int64_t best_step = 0;                   ///< of the model kept as the best; 0: none yet
  double best_score = 0, best_loss = 0;    ///< its validation, by the run's metric
  int64_t validations_since_best = 0;
  int64_t validated_step = 0;  ///< of the last validation
  int64_t plateaus = 0;        ///< at which the learning rate was halved
  struct Interval {
    double loss = 0;  ///< sum over its tokens
    double seconds = 0;
    int64_t tokens = 0;
    int64_t skipped = 0;  ///< updates; they are in none of the sums but that of seconds
  };
  Interval interval{};  ///< since the last line of the log
};

/// What a run's weights and its choice of the best follow from: its corpus, and the settings that a
/// resumed run must share.
Settings run_settings(const RunConfig& config, const ParallelText& corpus,
                      const ParallelText& validation);

Metadata to_metadata(const Position& position, const Settings& settings, const std::string& run);

/// The position in the checkpoint `file`. Throws an error that names both values if one of
/// `settings` is not what the saved run had, or if the position cannot be.
Position position_from(const Metadata& metadata, const Settings& settings, const std::string& file);

/// Id of the run that a checkpoint is of; "" in one that was saved without.
std::string run_of(const Metadata& metadata);

/// Throws unless the checkpoint `file` is the best that its run had when it was saved: a copy of
/// the last one is another model, and its score is not known.
void check_is_best(const Metadata& metadata, const std::string& file);

/// Throws an error that names both values unless the checkpoint `file` is of such a model and of
/// its run: weights of the same shapes may still be of another one.
void check_saved_model(const Metadata& metadata, const ModelConfig& config,
                       const std::string& file);

}  // namespace weft
