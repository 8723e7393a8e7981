// Averages of weights: by hand, out of training's way, and the same bits from a file.
#include <weft/autograd/ops.h>
#include <weft/core/parallel.h>
#include <weft/nn/linear.h>
#include <weft/optim/averaging.h>
#include <weft/optim/checkpoint.h>
#include <weft/optim/sgd.h>
#include <weft/tests/catch.h>
#include <weft/tests/temp_dir.h>

#include <algorithm>

using namespace weft;

namespace {

void set(Tensor w, double value) { w.mutable_data<double>("test")[0] = value; }

Tensor weight(double value) {
  Tensor w = tensor({value}, kFloat64);
  return w.set_requires_grad();
}

// Descends along gradients that a seed draws.
struct Run {
  explicit Run(int64_t width = 3)
      : model(width, 2, Generator(1)), sgd(model.named_parameters(), {.lr = 0.1}) {}
  TrainingRun parts(WeightAverage& average) {
    return {model, &sgd, nullptr, {{"data", data}}, &average};
  }
  void update() {
    for (const Tensor& p : model.parameters()) Tensor(p).set_grad(randn(p.shape(), data));
    sgd.step();
  }
  std::vector<double> values() const {
    std::vector<double> all;
    for (const Tensor& p : model.parameters())
      for (const double x : p.to_vector<double>()) all.push_back(x);
    return all;
  }

  Generator data{7};
  Linear model;
  Sgd sgd;
};

// The average's values at the end of 6 updates with a validation after every second one.
std::vector<double> averaged(Run& run, WeightAverage& average, int from = 0) {
  for (int i = from; i < 6; ++i) {
    run.update();
    average.after_update();
    if (i % 2) average.before_validation();
  }
  average.swap();
  std::vector<double> found = run.values();
  average.swap();
  return found;
}

}  // namespace

TEST_CASE("exponential average: forgets by its decay, and early weights sooner") {
  const Tensor w = weight(8);
  ExponentialAverage average({{"w", w}}, 0.2);
  const std::vector<double> weights{2, 4, 5};
  double expected = 2;  // begins with the first
  for (size_t t = 0; t < weights.size(); ++t) {
    set(w, weights[t]);
    average.after_update();
    const double decay =
        std::min(0.2, (1 + static_cast<double>(t)) / (10 + static_cast<double>(t)));
    expected += (1 - decay) * (weights[t] - expected);
  }
  average.swap();
  CHECK(w.item() == Approx(expected).epsilon(1e-14));
  average.swap();
  CHECK(w.item() == 5);
}

TEST_CASE("average of last: the mean of the last n, or of as many as there are") {
  const Tensor w = weight(0);
  AverageOfLast average({{"w", w}}, 3);
  average.swap();  // nothing is known yet
  CHECK(w.item() == 0);
  const auto mean_after = [&](double value) {
    set(w, value);
    average.before_validation();
    average.swap();
    const double mean = w.item();
    average.swap();
    CHECK(w.item() == value);
    return mean;
  };
  CHECK(mean_after(2) == 2);
  CHECK(mean_after(4) == 3);
  CHECK(mean_after(9) == 5);
  CHECK(mean_after(5) == 6);
}

TEST_CASE("averages leave what does not learn alone") {
  Tensor frozen = weight(0.1);
  frozen.set_requires_grad(false);
  const Tensor w = weight(1);
  ExponentialAverage average({{"frozen", frozen}, {"w", w}}, 0.9);
  average.after_update();
  CHECK(average.state_dict().size() == 2);  // updates, kept.0.w
}

TEST_CASE("averages: a run that goes on, from a file of either weights, has the same bits") {
  const TempDir dir;
  const std::string file = (dir / "run.safetensors").string();
  const auto check_kind = [&](auto make, bool swapped) {
    Run whole;
    const auto average = make(whole);
    const std::vector<double> expected = averaged(whole, *average);

    Run first;
    const auto begun = make(first);
    for (int i = 0; i < 4; ++i) {
      first.update();
      begun->after_update();
      if (i % 2) begun->before_validation();
    }
    if (swapped) begun->swap();
    save_checkpoint(file, first.parts(*begun));
    Run second;
    const auto found = make(second);
    load_checkpoint(file, second.parts(*found));
    CHECK(averaged(second, *found, 4) == expected);
    CHECK(second.values() == whole.values());
  };
  for (const bool swapped : {false, true}) {
    INFO(swapped);
    check_kind(
        [](Run& r) {
          return std::make_unique<ExponentialAverage>(r.model.named_parameters(), 0.7);
        },
        swapped);
    check_kind(
        [](Run& r) { return std::make_unique<AverageOfLast>(r.model.named_parameters(), 2); },
        swapped);
  }
}

TEST_CASE("averages: a file holds the average where it was saved in the weights' place") {
  const TempDir dir;
  const std::string file = (dir / "run.safetensors").string();
  Run run;
  AverageOfLast average(run.model.named_parameters(), 2);
  const std::vector<double> expected = averaged(run, average);
  average.swap();
  save_checkpoint(file, run.parts(average));
  average.swap();
  Run reader;
  load_checkpoint(file, {reader.model});
  CHECK(reader.values() == expected);
}

TEST_CASE("averages: the same bits at any number of threads") {
  const int before = num_threads();
  const auto at = [](int threads) {
    set_num_threads(threads);
    Run run(70000);
    ExponentialAverage average(run.model.named_parameters(), 0.7);
    return averaged(run, average);
  };
  const std::vector<double> one = at(1);
  CHECK(at(2) == one);
  set_num_threads(before);
}

TEST_CASE("averages: a state that does not fit is refused and changes nothing") {
  const Tensor w = weight(1), other = weight(1);
  AverageOfLast average({{"w", w}}, 2), foreign({{"v", other}}, 2);
  average.before_validation();
  foreign.before_validation();
  set(w, 3);
  CHECK(message_of([&] { average.load_state_dict({}); }) ==
        "weight average: the state lacks \"updates\"");
  CHECK(message_of([&] { average.load_state_dict(foreign.state_dict()); }) ==
        "weight average: the state has an unexpected \"kept.0.v\"");
  NamedTensors wide = average.state_dict();
  wide[1].tensor = zeros({2}, kFloat64);
  CHECK(message_of([&] { average.load_state_dict(wide); }) ==
        "weight average: \"kept.0.w\" must be float64 [1]; the state has float64 [2]");
  CHECK(w.item() == 3);
  CHECK(message_of([] {
          ExponentialAverage({{"w", weight(1)}}, 1);
        }) == "exponential average: decay must be in [0, 1); got 1");
  CHECK(message_of([] {
          AverageOfLast({{"w", weight(1)}}, 0);
        }) == "average of last: n must be positive; got 0");
}
