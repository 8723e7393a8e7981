// The line that shows how training goes: rewritten in place on a terminal, else a line at a time.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

namespace weft {

struct TrainingState {
  int64_t step = 0;
  int64_t total_steps = 0;  ///< 0: open end
  double loss = 0;
  double tokens_per_second = 0;
  double seconds = 0;   ///< since training began
  double fraction = 0;  ///< done of the whole, in [0, 1], by whichever limit comes first
};

/// `step 1200/4000  loss 2.345  18.3k tokens/s  1:05  ETA 2:31`
std::string progress_line(const TrainingState& state);

/// 75 s as 1:15, 3700 s as 1:01:40.
std::string format_seconds(double seconds);

class Progress {
 public:
  /// Writes to `out`; in place if `in_place` (a terminal), else a line every `interval` seconds.
  Progress(std::ostream& out, bool in_place, double interval = 10);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Shows the state; cheap enough for every step.
  void update(const TrainingState& state);
  /// Writes a line of its own, such as a validation's result, without spoiling the line in place.
  void print(const std::string& line);

 private:
  void clear();

  std::ostream& out_;
  bool in_place_;
  double interval_;
  double next_ = 0;    // seconds of training at which to write again
  bool open_ = false;  // the cursor stands behind a line in place
};

}  // namespace weft
