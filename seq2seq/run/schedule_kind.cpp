#include <weft/core/detail/check.h>
#include <weft/seq2seq/run/schedule_kind.h>

namespace weft {
namespace {

LrFactor make_inverse_square_root(const TrainConfig& c) {
  return schedules::warmup_decay(c.warmup, c.decay);
}

// Updates from the end of warm-up to the end of the schedule.
int64_t steps_to_fall(const TrainConfig& c) {
  const int64_t end = c.decay_steps > 0 ? c.decay_steps : c.steps;
  check(end > 0, "schedule: {} needs --decay-steps or --steps, at which the rate is 0",
        c.schedule.value());
  check(end > c.warmup, "schedule: {} must fall after the warm-up of {} updates; got {} in all",
        c.schedule.value(), c.warmup.value(), end);
  return end - c.warmup;
}

LrFactor make_cosine(const TrainConfig& c) {
  return schedules::with_warmup(c.warmup, schedules::cosine(steps_to_fall(c)));
}

LrFactor make_linear(const TrainConfig& c) {
  return schedules::with_warmup(c.warmup, schedules::linear(1, 0, steps_to_fall(c)));
}

LrFactor make_constant(const TrainConfig& c) {
  return schedules::with_warmup(c.warmup, schedules::constant());
}

}  // namespace

const std::vector<ScheduleKind>& builtin_schedules() {
  static const std::vector<ScheduleKind> kinds{
      {"inverse-square-root", "falls as (warmup / update)^decay", make_inverse_square_root},
      {"cosine", "half a wave down to 0", make_cosine},
      {"linear", "a straight line down to 0", make_linear},
      {"constant", "stays", make_constant},
      {"plateau",
       "stays, and is halved where scores do not get better",
       make_constant,
       {{"plateau", "3"}}}};
  return kinds;
}

}  // namespace weft
