// What a schedule of the learning rate is to the program: a name and how to make one. A new one is
// its function in optim/schedules and a line in schedule_kind.cpp; one of your own, a call of
// Program::add_schedule().
#pragma once

#include <weft/optim/schedules.h>
#include <weft/seq2seq/run/config.h>

#include <functional>
#include <string>
#include <vector>

namespace weft {

/// The factor of the learning rate by these settings. Throws an error that names those that are
/// missing.
using MakeSchedule = std::function<LrFactor(const TrainConfig&)>;

struct ScheduleKind {
  std::string name;  ///< on the command line and in files: "cosine"
  std::string help;  ///< one line
  MakeSchedule make;
  Settings defaults{};  ///< that suit it, and override those of task, model and optimizer
};

/// "inverse-square-root", "cosine", "linear", "constant", "plateau".
const std::vector<ScheduleKind>& builtin_schedules();

}  // namespace weft
