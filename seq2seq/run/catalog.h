// Everything that a run can choose by name.
#pragma once

#include <weft/seq2seq/lab/experiments/experiment.h>
#include <weft/seq2seq/lab/measure.h>
#include <weft/seq2seq/metrics/metric.h>
#include <weft/seq2seq/models/model_kind.h>
#include <weft/seq2seq/run/curriculum_kind.h>
#include <weft/seq2seq/run/optimizer_kind.h>
#include <weft/seq2seq/run/schedule_kind.h>
#include <weft/seq2seq/tasks/task.h>

#include <vector>

namespace weft {

struct Catalog {
  std::vector<Task> tasks = builtin_tasks();
  std::vector<ModelKind> models = builtin_models();
  std::vector<OptimizerKind> optimizers = builtin_optimizers();
  std::vector<ScheduleKind> schedules = builtin_schedules();
  std::vector<CurriculumKind> curricula = builtin_curricula();
  std::vector<Metric> metrics = builtin_metrics();
  std::vector<Measure> measures = builtin_measures();
  std::vector<Experiment> experiments = builtin_experiments();
};

}  // namespace weft
