// SGD, Adam and AdamW against PyTorch's parameters after each of 20 steps, and their state.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/optim/adam.h>
#include <weft/optim/sgd.h>
#include <weft/tests/catch.h>
#include <weft/tests/places.h>

#include <cmath>
#include <memory>

using namespace weft;

namespace {

constexpr int kSteps = 20;

const SafetensorsFile& fixture() {
  static const SafetensorsFile file = load_safetensors(test_data("optimizers.safetensors"));
  return file;
}

struct Parameters {
  explicit Parameters(DType dtype = kFloat64)
      : a(to(clone(fixture().at("param.a")), dtype)), b(to(clone(fixture().at("param.b")), dtype)) {
    a.set_requires_grad();
    b.set_requires_grad();
  }
  NamedTensors named() const { return {{"a", a}, {"b", b}}; }
  void set_gradients(int step) {
    a.set_grad(to(select(fixture().at("input.grad.a"), 0, step), a.dtype()));
    b.set_grad(to(select(fixture().at("input.grad.b"), 0, step), b.dtype()));
  }

  Tensor a, b;
};

double largest_difference(const Tensor& x, const Tensor& y) {
  const NoGrad no_grad;
  return max(abs(to(x, kFloat64) - y)).item();
}

// The largest difference from PyTorch's parameters over all steps.
template <class Make>
double error_of(const std::string& name, DType dtype, Make make) {
  Parameters p(dtype);
  const std::unique_ptr<Optimizer> optimizer = make(p);
  double worst = 0;
  for (int step = 0; step < kSteps; ++step) {
    p.set_gradients(step);
    optimizer->step();
    for (const auto& [key, value] : {std::pair<const char*, Tensor>{"a", p.a}, {"b", p.b}}) {
      const Tensor rows = fixture().at(name + ".output.param." + key);
      worst = std::max(worst, largest_difference(value, select(rows, 0, step)));
    }
  }
  return worst;
}

template <class O, class Options>
void check_case(const std::string& name, const Options& options) {
  const auto make = [&](const Parameters& p) { return std::make_unique<O>(p.named(), options); };
  INFO(name);
  CHECK(error_of(name, kFloat64, make) < 1e-12);
  CHECK(error_of(name, kFloat32, make) < 2e-5);
}

std::vector<double> bits(const Parameters& p) {
  std::vector<double> all = p.a.to_vector<double>();
  for (double x : p.b.to_vector<double>()) all.push_back(x);
  return all;
}

// Steps 0 to 19, with the optimizer replaced after step 7 by a fresh one that has its state.
template <class O, class Options>
std::vector<double> run(const Options& options, bool interrupted) {
  Parameters p;
  auto optimizer = std::make_unique<O>(p.named(), options);
  for (int step = 0; step < kSteps; ++step) {
    if (interrupted && step == 7) {
      optimizer->set_lr_factor(0.5);
      auto fresh = std::make_unique<O>(p.named(), options);
      fresh->load_state_dict(optimizer->state_dict());
      optimizer = std::move(fresh);
    }
    if (!interrupted && step == 7) optimizer->set_lr_factor(0.5);
    p.set_gradients(step);
    optimizer->step();
  }
  return bits(p);
}

template <class O, class Options>
std::string message_for(const Options& options) {
  return message_of([&] { O(Parameters().named(), options); });
}

}  // namespace

// The rule in tensor code, where the optimizer would run its kernel.
template <class O>
class ByRule : public O {
 public:
  using O::O;

 private:
  bool has_kernel() const override { return false; }
};

TEMPLATE_TEST_CASE("Sgd takes PyTorch's steps", "", Sgd, ByRule<Sgd>) {
  check_case<TestType>("sgd", SgdOptions{.lr = 0.1});
  check_case<TestType>("sgd_decay", SgdOptions{.lr = 0.1, .weight_decay = 0.05});
  check_case<TestType>("sgd_momentum", SgdOptions{.lr = 0.1, .momentum = 0.9});
  check_case<TestType>(
      "sgd_nesterov_decay",
      SgdOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.05, .nesterov = true});
  check_case<TestType>("sgd_dampening", SgdOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.3});
}

TEMPLATE_TEST_CASE("Adam takes PyTorch's steps", "", Adam, ByRule<Adam>) {
  check_case<TestType>("adam", AdamOptions{});
  check_case<TestType>("adam_seq2seq", AdamOptions{.lr = 1e-2, .beta2 = 0.98, .eps = 1e-9});
  check_case<TestType>("adam_decay", AdamOptions{.lr = 1e-2, .weight_decay = 0.1});
}

TEMPLATE_TEST_CASE("AdamW takes PyTorch's steps", "", AdamW, ByRule<AdamW>) {
  check_case<TestType>("adamw", AdamWOptions{.lr = 1e-2});
  check_case<TestType>(
      "adamw_decay",
      AdamWOptions{.lr = 1e-2, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.3});
}

TEST_CASE("the rules take the kernels' steps where PyTorch's were not recorded") {
  const auto both = [](auto kernel, auto rule, const auto& options) {
    Parameters p, q;
    const auto a = kernel(p.named(), options);
    const auto b = rule(q.named(), options);
    for (int step = 0; step < kSteps; ++step) {
      p.set_gradients(step);
      q.set_gradients(step);
      a->step(0.5);
      b->step(0.5);
      CHECK(largest_difference(p.a, q.a) < 1e-12);
      CHECK(largest_difference(p.b, q.b) < 1e-12);
    }
  };
  const auto make = [](auto tag) {
    return [](const NamedTensors& named, const auto& options) {
      return std::make_unique<typename decltype(tag)::type>(named, options);
    };
  };
  both(make(TypeTag<Adam>{}), make(TypeTag<ByRule<Adam>>{}),
       AdamOptions{.amsgrad = true, .maximize = true});
  both(make(TypeTag<AdamW>{}), make(TypeTag<ByRule<AdamW>>{}), AdamWOptions{.amsgrad = true});
  both(make(TypeTag<Sgd>{}), make(TypeTag<ByRule<Sgd>>{}),
       SgdOptions{.momentum = 0.5, .maximize = true});
}

TEST_CASE("groups have options of their own") {
  const auto make = [](const Parameters& p) {
    const AdamWOptions first{.lr = 0.02, .weight_decay = 0.1},
        second{.lr = 0.01, .weight_decay = 0};
    auto adam =
        std::make_unique<AdamW>(AdamW::Groups{{{{"a", p.a}}, first}, {{{"b", p.b}}, second}});
    CHECK(adam->num_groups() == 2);
    CHECK(adam->lr(0) == 0.02);
    CHECK(adam->lr(1) == 0.01);
    return adam;
  };
  CHECK(error_of("adamw_groups", kFloat64, make) < 1e-12);
}

TEST_CASE("maximize climbs: the steps of the negated gradient") {
  for (const bool climb : {false, true}) {
    Tensor w = tensor({1.0, -2.0}, kFloat64);
    w.set_requires_grad();
    w.set_grad(tensor({0.5, 0.25}, kFloat64) * (climb ? -1 : 1));
    Sgd sgd({{"w", w}}, {.lr = 0.1, .maximize = climb});
    sgd.step();
    CHECK(w.at({0}) == Approx(0.95));
    CHECK(w.at({1}) == Approx(-2.025));
  }
}

namespace {

// The parameter after steps from 0 along `gradients`; `before` runs before each step.
template <class O, class Before>
double walked(O& optimizer, Tensor& w, const std::vector<double>& gradients, Before before) {
  for (double g : gradients) {
    before();
    w.set_grad(full({1}, g, w.dtype()));
    optimizer.step();
  }
  return w.item();
}

}  // namespace

TEST_CASE("a small gradient after large ones counts in Adam's average") {
  const double step = 1e-9 / (1e-9 + 1e-8);  // of a gradient alone, in units of lr
  for (DType dtype : {kFloat32, kFloat64}) {
    Tensor w = zeros({1}, dtype).set_requires_grad();
    Tensor decoupled = zeros({1}, dtype).set_requires_grad();
    Adam adam({{"w", w}}, {.lr = 0.01, .beta1 = 0, .beta2 = 0});
    AdamW adamw({{"w", decoupled}},
                {.lr = 0.01, .beta1 = 0, .beta2 = 0, .weight_decay = 0, .amsgrad = false});
    const std::vector<double> gradients{1e-9, 5, -1, 1e-9};
    CHECK(walked(adam, w, gradients, [] {}) == Approx(-0.02 * step).epsilon(1e-5));
    CHECK(walked(adamw, decoupled, gradients, [] {}) == Approx(-0.02 * step).epsilon(1e-5));
  }
}

TEST_CASE("momentum that is switched on later starts with the gradient of that step") {
  for (DType dtype : {kFloat32, kFloat64}) {
    Tensor w = zeros({1}, dtype).set_requires_grad();
    Sgd sgd({{"w", w}}, {.lr = 1, .momentum = 0, .dampening = 0.5});
    int steps = 0;
    const auto switch_on = [&] { sgd.options().momentum = ++steps > 2 ? 0.5 : 0; };
    // 1 + 1, then b = 1 and b = 0.5 + 0.5
    CHECK(walked(sgd, w, {1, 1, 1, 1}, switch_on) == -4);
    sgd.options().momentum = 0;
    CHECK(sgd.state_dict().size() == 2);  // lr_factor, step.w
    CHECK(walked(sgd, w, {1}, [] {}) == -5);
    sgd.options().momentum = 0.5;
    CHECK(walked(sgd, w, {3}, [] {}) == -8);
  }
}

TEST_CASE("a state saved without momentum continues with it") {
  Tensor w = zeros({1}).set_requires_grad(), v = zeros({1}).set_requires_grad();
  Sgd plain({{"w", w}}, {.lr = 1}),
      momentum({{"w", v}}, {.lr = 1, .momentum = 0.5, .dampening = 1});
  walked(plain, w, {1}, [] {});
  momentum.load_state_dict(plain.state_dict());
  CHECK(momentum.state_dict().size() == 2);
  momentum.load_state_dict(momentum.state_dict());
  CHECK(walked(momentum, v, {4, 1}, [] {}) == -6);  // b = 4, then 0.5 b
}

TEST_CASE("AMSGrad divides by the largest second moment so far") {
  // One large gradient, then none: v decays, its maximum does not.
  const auto second_step = [](bool amsgrad) {
    Tensor w = zeros({1}, kFloat64);
    w.set_requires_grad();
    Adam adam({{"w", w}}, {.lr = 1, .beta1 = 0.5, .beta2 = 0.5, .eps = 0, .amsgrad = amsgrad});
    w.set_grad(tensor({2.0}, kFloat64));
    adam.step();
    w.set_grad(tensor({0.0}, kFloat64));
    const double before = w.item();
    adam.step();
    return w.item() - before;
  };
  // m = 0.5, so m / (1 - 0.5^2) = 2/3; v = 1 or its maximum 2, over (1 - 0.5^2) = 3/4.
  CHECK(second_step(false) == Approx(-(2.0 / 3) / std::sqrt(1 / 0.75)));
  CHECK(second_step(true) == Approx(-(2.0 / 3) / std::sqrt(2 / 0.75)));
}

TEST_CASE("a parameter without a gradient is skipped and keeps its own step count") {
  Parameters p;
  Adam adam(p.named(), {.lr = 1e-3, .weight_decay = 0.1});
  const std::vector<double> before = p.b.to_vector<double>();
  p.set_gradients(0);
  p.b.set_grad({});
  adam.step();
  CHECK(p.b.to_vector<double>() == before);
  CHECK(adam.state_dict().size() == 4);  // lr_factor, and step, exp_avg, exp_avg_sq of a
  p.set_gradients(0);
  adam.step();
  const NamedTensors state = adam.state_dict();
  CHECK(state[1].name == "step.a");
  CHECK(state[1].tensor.item() == 2);
  CHECK(state[4].name == "step.b");
  CHECK(state[4].tensor.item() == 1);
  adam.zero_grad();
  CHECK_FALSE(p.a.grad().defined());
}

TEST_CASE("every element of a large parameter is updated once, whatever the gradient's layout") {
  Generator gen(7);
  const Shape shape{300, 110};  // more than one chunk, the last one short
  Tensor w = randn(shape, gen, kFloat64),
         gradient = transpose(randn({110, 300}, gen, kFloat64), 0, 1);
  const Tensor want = w - gradient * 0.5;
  w.set_requires_grad();
  w.set_grad(gradient);
  Sgd({{"w", w}}, {.lr = 0.5}).step();
  CHECK(largest_difference(w, want) < 1e-15);
}

TEST_CASE("a step counts as a write: an old graph refuses to run backward") {
  Tensor w = tensor({1.0, 2.0});
  w.set_requires_grad();
  const Tensor loss = sum(w * w);
  w.set_grad(tensor({1.0, 1.0}));
  Adam adam({{"w", w}});
  adam.step();
  CHECK_THAT(message_of([&] { loss.backward(); }), Catch::Matchers::Contains("Adam"));
}

TEST_CASE("state that is saved and restored continues with the same bits") {
  const auto same = [](const auto& options, auto run_with) {
    CHECK(run_with(options, true) == run_with(options, false));
  };
  same(SgdOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.3}, run<Sgd, SgdOptions>);
  same(SgdOptions{.lr = 0.1}, run<Sgd, SgdOptions>);
  same(AdamOptions{.lr = 1e-2, .amsgrad = true}, run<Adam, AdamOptions>);
  same(AdamWOptions{.lr = 1e-2}, run<AdamW, AdamWOptions>);
}

TEST_CASE("a restored state does not share memory with its source") {
  Parameters p;
  Adam source(p.named()), copy(p.named());
  p.set_gradients(0);
  source.step();
  const NamedTensors state = source.state_dict();
  const std::vector<double> before = state[2].tensor.to_vector<double>();
  copy.load_state_dict(state);
  copy.step();
  CHECK(state[2].tensor.to_vector<double>() == before);
}

TEST_CASE("a state of other parameters or another optimizer is refused and changes nothing") {
  Parameters p;
  Adam adam(p.named());
  p.set_gradients(0);
  adam.step();
  const NamedTensors good = adam.state_dict();
  const auto refusal = [&](size_t entry, const std::string& name, const Tensor& value) {
    NamedTensors bad = good;
    bad[entry] = {name, value};
    return message_of([&] { adam.load_state_dict(bad); });
  };
  CHECK(refusal(2, "exp_avg.c", good[2].tensor) == "Adam: the state lacks \"exp_avg.a\"");
  CHECK(refusal(2, "exp_avg.a", zeros({4, 2}, kFloat64)) ==
        "Adam: \"exp_avg.a\" must be float64 [4, 3]; the state has float64 [4, 2]");
  CHECK(refusal(2, "exp_avg.a", zeros({4, 3})) ==
        "Adam: \"exp_avg.a\" must be float64 [4, 3]; the state has float32 [4, 3]");
  CHECK(refusal(1, "step.z", good[1].tensor) == "Adam: the state has an unexpected \"exp_avg.a\"");
  CHECK(refusal(1, "step.a", from_vector<int64_t>({-1}, {})) ==
        "Adam: \"step.a\" must not be negative; got -1");
  CHECK(message_of([&] { Sgd(p.named()).load_state_dict(good); }) ==
        "Sgd: the state has an unexpected \"exp_avg.a\"");
  CHECK(message_of([&] { adam.load_state_dict({}); }) == "Adam: the state lacks \"lr_factor\"");
  CHECK(adam.state_dict()[1].tensor.item() == 1);
  CHECK(message_of([&] { adam.check_state_dict(good); }).empty());
}

TEST_CASE("options and parameters out of range are refused") {
  CHECK(message_for<Sgd>(SgdOptions{.lr = -1}) == "Sgd: lr must not be negative; got -1");
  CHECK(message_for<Sgd>(SgdOptions{.momentum = -1}) ==
        "Sgd: momentum must not be negative; got -1");
  CHECK(message_for<Sgd>(SgdOptions{.nesterov = true}) ==
        "Sgd: nesterov needs momentum > 0 and dampening 0; got momentum 0, dampening 0");
  CHECK(message_for<Adam>(AdamOptions{.beta1 = 1.5}) == "Adam: beta1 must be in [0, 1); got 1.5");
  CHECK(message_for<AdamW>(AdamWOptions{.beta2 = 1}) == "AdamW: beta2 must be in [0, 1); got 1");
  CHECK(message_for<AdamW>(AdamWOptions{.eps = -1e-8}) ==
        "AdamW: eps must not be negative; got -1e-08");
  const Parameters p;
  CHECK(message_of([&] { Adam(NamedTensors{}); }) == "Adam: there are no parameters");
  CHECK(message_of([&] {
          Adam({{"a", p.a}, {"a", p.b}});
        }) == "Adam: two parameters are named \"a\"");
  CHECK(message_of([&] {
          Adam({{"a", p.a}, {"b", p.a}});
        }) == "Adam: parameters \"a\" and \"b\" are the same tensor");
  CHECK(message_of([&] {
          Adam({{"a", p.a * 2}});
        }) == "Adam: parameter \"a\" must be a contiguous leaf of a floating dtype");
  CHECK(message_of([&] {
          Adam({{"a", tensor({1, 2})}});
        }) == "Adam: parameter \"a\" must be a contiguous leaf of a floating dtype");
}

TEST_CASE("a parameter whose dtype changed after the first step is named") {
  Parameters p;
  Adam adam(p.named());
  p.set_gradients(0);
  adam.step();
  Tensor a = p.a;
  a.set_requires_grad(false);
  a.set_data(to(a, kFloat32));
  a.set_requires_grad();
  a.set_grad(zeros({4, 3}));
  CHECK(message_of([&] { adam.step(); }) ==
        "Adam: parameter \"a\" became float32 [4, 3] after its state was made as float64 [4, 3]");
}
