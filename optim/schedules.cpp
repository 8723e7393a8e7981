#include <weft/core/detail/check.h>
#include <weft/optim/schedules.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace weft {
namespace schedules {
namespace {

void check_positive(const char* who, const char* what, int64_t value) {
  check(value > 0, "{}: {} must be positive; got {}", who, what, value);
}

// How much of `total` steps is over, at most 1.
double progress(int64_t step, int64_t total) {
  return static_cast<double>(std::min(step, total)) / static_cast<double>(total);
}

}  // namespace

LrFactor noam(int64_t d_model, int64_t warmup) {
  check_positive("noam", "d_model", d_model);
  check_positive("noam", "warmup", warmup);
  return [=](int64_t step) {
    const double n = static_cast<double>(step + 1);
    return std::pow(static_cast<double>(d_model), -0.5) *
           std::min(std::pow(n, -0.5), n * std::pow(static_cast<double>(warmup), -1.5));
  };
}

LrFactor warmup_decay(int64_t warmup, double power) {
  check_positive("warmup_decay", "warmup", warmup);
  check(power >= 0, "warmup_decay: power must not be negative; got {}", power);
  return [peak = static_cast<double>(warmup), power](int64_t step) {
    const double n = static_cast<double>(step + 1);
    return n < peak ? n / peak : std::pow(peak / n, power);
  };
}

LrFactor constant() {
  return [](int64_t) { return 1.0; };
}

LrFactor with_warmup(int64_t warmup, LrFactor then) {
  check_positive("with_warmup", "warmup", warmup);
  return [warmup, then = std::move(then)](int64_t step) {
    const int64_t n = step + 1;
    return n < warmup ? static_cast<double>(n) / static_cast<double>(warmup) : then(n - warmup);
  };
}

LrFactor cosine(int64_t total, double last) {
  check_positive("cosine", "total", total);
  return [=](int64_t step) {
    return last + (1 - last) * (1 + std::cos(std::numbers::pi * progress(step, total))) / 2;
  };
}

LrFactor linear(double first, double last, int64_t total) {
  check_positive("linear", "total", total);
  return [=](int64_t step) { return first + (last - first) * progress(step, total); };
}

LrFactor step_decay(int64_t every, double gamma) {
  check_positive("step_decay", "every", every);
  return [=](int64_t step) {
    const int64_t drops = step / every;
    return std::pow(gamma, static_cast<double>(drops));
  };
}

}  // namespace schedules

Schedule::Schedule(Optimizer& optimizer, LrFactor factor)
    : optimizer_(optimizer), factor_(std::move(factor)) {
  set_steps(0);
}

void Schedule::set_steps(int64_t steps) {
  check(steps >= 0, "Schedule: steps must not be negative; got {}", steps);
  steps_ = steps;
  set_factor();
}

void Schedule::set_scale(double scale) {
  check(scale >= 0, "Schedule: the scale must not be negative; got {}", scale);
  scale_ = scale;
  set_factor();
}

void Schedule::set_factor() { optimizer_.set_lr_factor(scale_ * factor_(steps_)); }

}  // namespace weft
