// Learning-rate schedules: functions of the step that give a factor of the optimizer's rate.
//
//   Adam adam(model.named_parameters(), {.lr = 5e-3});
//   Schedule schedule(adam, schedules::warmup_decay(2000));
//   for (...) { ...; adam.step(); schedule.step(); }
#pragma once

#include <weft/optim/optimizer.h>

#include <functional>

namespace weft {

/// The factor of update `step` = 0, 1, ...
using LrFactor = std::function<double(int64_t step)>;

namespace schedules {

/// d_model^-0.5 min(n^-0.5, n warmup^-1.5) with n = step + 1 (Vaswani et al. 2017, eq. 3). This is
/// the rate itself: give the optimizer lr 1.
LrFactor noam(int64_t d_model, int64_t warmup);
/// min(n / warmup, (warmup / n)^power) with n = step + 1. With the power 1/2, inverse square root,
/// it is the same curve with its peak at 1; a larger power comes to rest sooner.
LrFactor warmup_decay(int64_t warmup, double power = 0.5);
/// Always 1.
LrFactor constant();
/// n / warmup for n = step + 1 up to `warmup`, then `then` from its step 0 on.
LrFactor with_warmup(int64_t warmup, LrFactor then);
/// From 1 down to `last` in half a wave over `total` steps, then `last` (Loshchilov and Hutter
/// 2017). PyTorch's CosineAnnealingLR with eta_min = last lr, but it rises again afterwards.
LrFactor cosine(int64_t total, double last = 0);
/// From `first` to `last` in a straight line over `total` steps, then `last`.
LrFactor linear(double first, double last, int64_t total);
/// gamma^(step / every), rounded down: a drop every so many steps.
LrFactor step_decay(int64_t every, double gamma);

}  // namespace schedules

/// Drives the learning rates of an optimizer, which must outlive it.
class Schedule {
 public:
  Schedule(Optimizer& optimizer, LrFactor factor);

  /// To be called after every update.
  void step() { set_steps(steps_ + 1); }
  /// How many updates were made: the whole state but for the scale.
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps);
  /// Multiplies all rates from now on, beside what the step says: where scores say so.
  void set_scale(double scale);

 private:
  void set_factor();

  Optimizer& optimizer_;
  LrFactor factor_;
  int64_t steps_ = 0;
  double scale_ = 1;
};

}  // namespace weft
