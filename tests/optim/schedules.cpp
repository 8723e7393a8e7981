// Learning-rate schedules against PyTorch's rates of 21 steps, and by meaning.
#include <weft/autograd/ops.h>
#include <weft/optim/adam.h>
#include <weft/optim/schedules.h>
#include <weft/optim/sgd.h>
#include <weft/tests/catch.h>
#include <weft/tests/places.h>

#include <cmath>

using namespace weft;

namespace {

const SafetensorsFile& fixture() {
  static const SafetensorsFile file = load_safetensors(test_data("optimizers.safetensors"));
  return file;
}

Tensor parameter(const std::string& name) {
  return clone(fixture().at("param." + name)).set_requires_grad();
}

struct Case {
  std::string name;
  double lr;
  LrFactor factor;
};

std::vector<Case> cases() {
  return {{"noam", 1, schedules::noam(16, 5)},
          {"cosine", 0.1, schedules::cosine(20, 1e-3)},
          {"linear", 0.1, schedules::linear(0.1, 1, 8)},
          {"linear_decay", 0.1, schedules::linear(1, 0.2, 15)},
          {"step", 0.1, schedules::step_decay(6, 0.5)}};
}

}  // namespace

TEST_CASE("schedules give PyTorch's learning rates") {
  for (const Case& c : cases()) {
    const Tensor want = fixture().at("schedule_" + c.name + ".output.lr");
    Sgd sgd({{"w", parameter("a")}}, {.lr = c.lr});
    Schedule schedule(sgd, c.factor);
    for (int64_t step = 0; step <= 20; ++step, schedule.step()) {
      CAPTURE(c.name, step);
      CHECK(sgd.lr() == Approx(want.at({step})).epsilon(1e-12));
    }
  }
}

TEST_CASE("AdamW under a schedule takes PyTorch's steps") {
  for (const Case& c : cases()) {
    Tensor a = parameter("a"), b = parameter("b");
    AdamW adam({{"a", a}, {"b", b}}, {.lr = c.lr});
    Schedule schedule(adam, c.factor);
    const Tensor want = fixture().at("adamw_" + c.name + ".output.param.a");
    double worst = 0;
    for (int step = 0; step < 20; ++step) {
      a.set_grad(select(fixture().at("input.grad.a"), 0, step));
      b.set_grad(select(fixture().at("input.grad.b"), 0, step));
      adam.step();
      schedule.step();
      worst = std::max(worst, max(abs(a.detach() - select(want, 0, step))).item());
    }
    CAPTURE(c.name);
    CHECK(worst < 1e-12);
  }
}

TEST_CASE("warm-up rises in a straight line to 1 and falls with the inverse square root") {
  const LrFactor factor = schedules::warmup_decay(2000);
  CHECK(factor(0) == 1.0 / 2000);
  CHECK(factor(999) == 0.5);
  CHECK(factor(1999) == 1);
  CHECK(factor(7999) == 0.5);
  CHECK(schedules::warmup_decay(2000, 2)(7999) == 1.0 / 16);
  const LrFactor noam = schedules::noam(512, 2000);
  for (int64_t step : {0, 500, 1999, 2000, 50000})
    CHECK(noam(step) / noam(1999) == Approx(factor(step)).epsilon(1e-12));
}

TEST_CASE("a schedule that has ended stays where it is") {
  CHECK(schedules::cosine(10, 0.1)(25) == Approx(0.1));
  CHECK(schedules::linear(1, 0.2, 10)(25) == Approx(0.2));
}

TEST_CASE("a schedule is a function of its step: restored, it continues") {
  Sgd sgd({{"w", parameter("a")}}, {.lr = 0.1});
  Schedule schedule(sgd, schedules::cosine(20));
  for (int i = 0; i < 7; ++i) schedule.step();
  const double lr = sgd.lr();
  Sgd fresh({{"w", parameter("a")}}, {.lr = 0.1});
  Schedule restored(fresh, schedules::cosine(20));
  CHECK(fresh.lr() == 0.1);
  restored.set_steps(schedule.steps());
  CHECK(fresh.lr() == lr);
}

TEST_CASE("schedules refuse lengths that are not positive") {
  CHECK(message_of([] { schedules::noam(0, 5); }) == "noam: d_model must be positive; got 0");
  CHECK(message_of([] { schedules::warmup_decay(0); }) ==
        "warmup_decay: warmup must be positive; got 0");
  CHECK(message_of([] { schedules::cosine(-1); }) == "cosine: total must be positive; got -1");
  CHECK(message_of([] { schedules::linear(1, 0, 0); }) == "linear: total must be positive; got 0");
  CHECK(message_of([] { schedules::step_decay(0, 0.5); }) ==
        "step_decay: every must be positive; got 0");
}

TEST_CASE("a schedule after warm-up begins where that ends") {
  const LrFactor factor = schedules::with_warmup(4, schedules::linear(1, 0, 8));
  for (int64_t step = 0; step < 4; ++step)
    CHECK(factor(step) == Approx(static_cast<double>(step + 1) / 4));
  CHECK(factor(4) == Approx(1 - 1.0 / 8));
  CHECK(factor(11) == 0);
  CHECK(schedules::with_warmup(1, schedules::constant())(0) == 1);
  CHECK(message_of([] { schedules::with_warmup(0, schedules::constant()); }) ==
        "with_warmup: warmup must be positive; got 0");
}

TEST_CASE("a schedule's scale multiplies what the step says, now and later") {
  Sgd sgd({{"a", parameter("a")}}, {.lr = 2});
  Schedule schedule(sgd, schedules::linear(1, 0, 4));
  schedule.set_scale(0.5);
  CHECK(sgd.lr() == 1);
  schedule.step();
  CHECK(sgd.lr() == 0.75);
  CHECK(message_of([&] { schedule.set_scale(-1); }) ==
        "Schedule: the scale must not be negative; got -1");
}
