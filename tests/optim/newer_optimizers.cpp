// Lion, Adafactor and Muon against reference parameters after each of 12 steps, and their state.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/parallel.h>
#include <weft/optim/adafactor.h>
#include <weft/optim/lion.h>
#include <weft/optim/muon.h>
#include <weft/tests/catch.h>
#include <weft/tests/places.h>

#include <algorithm>
#include <memory>

using namespace weft;

namespace {

constexpr int kSteps = 12;

const SafetensorsFile& fixture() {
  static const SafetensorsFile file = load_safetensors(test_data("newer_optimizers.safetensors"));
  return file;
}

struct Parameters {
  explicit Parameters(DType dtype = kFloat64) {
    for (const char* name : {"tall", "wide", "vector", "stack"})
      named.push_back(
          {name, to(clone(fixture().at(std::string("param.") + name)), dtype).set_requires_grad()});
  }
  void set_gradients(int step) {
    for (NamedTensor& p : named)
      p.tensor.set_grad(
          to(select(fixture().at("input.grad." + p.name), 0, step), p.tensor.dtype()));
  }
  std::vector<double> values() const {
    std::vector<double> all;
    for (const NamedTensor& p : named)
      for (const double x : p.tensor.to_vector<double>()) all.push_back(x);
    return all;
  }

  NamedTensors named;
};

template <class Options>
auto maker(const Options& options) {
  return [options](const NamedTensors& p) -> std::unique_ptr<Optimizer> {
    if constexpr (std::is_same_v<Options, LionOptions>) {
      return std::make_unique<Lion>(p, options);
    } else if constexpr (std::is_same_v<Options, AdafactorOptions>) {
      return std::make_unique<Adafactor>(p, options);
    } else {
      Muon::Groups groups{{{}, options}, {{}, options}};
      groups[1].options.orthogonal = false;
      for (const NamedTensor& t : p) groups[t.tensor.dim() == 2 ? 0 : 1].parameters.push_back(t);
      return std::make_unique<Muon>(groups);
    }
  };
}

// The largest difference from the reference over all steps.
template <class Options>
double error_of(const std::string& name, const Options& options, DType dtype) {
  Parameters p(dtype);
  const std::unique_ptr<Optimizer> optimizer = maker(options)(p.named);
  double worst = 0;
  for (int step = 0; step < kSteps; ++step) {
    p.set_gradients(step);
    optimizer->step();
    const NoGrad no_grad;
    for (const NamedTensor& t : p.named) {
      const Tensor want = select(fixture().at(name + ".output.param." + t.name), 0, step);
      worst = std::max(worst, max(abs(to(t.tensor, kFloat64) - want)).item());
    }
  }
  return worst;
}

template <class Options>
void check_case(const std::string& name, const Options& options) {
  INFO(name);
  CHECK(error_of(name, options, kFloat64) < 1e-12);
  CHECK(error_of(name, options, kFloat32) < 2e-5);
}

// All steps, with the optimizer replaced before step 5 by a fresh one that has its state.
template <class Options>
std::vector<double> run(const Options& options, bool interrupted) {
  Parameters p;
  std::unique_ptr<Optimizer> optimizer = maker(options)(p.named);
  for (int step = 0; step < kSteps; ++step) {
    if (interrupted && step == 5) {
      std::unique_ptr<Optimizer> fresh = maker(options)(p.named);
      fresh->load_state_dict(optimizer->state_dict());
      optimizer = std::move(fresh);
    }
    p.set_gradients(step);
    optimizer->step(0.5);
  }
  return p.values();
}

}  // namespace

TEST_CASE("Adafactor takes PyTorch's steps") {
  check_case("adafactor", AdafactorOptions{});
  check_case("adafactor_options", AdafactorOptions{.lr = 0.5,
                                                   .beta2_decay = -0.6,
                                                   .eps1 = 1e-4,
                                                   .eps2 = 1e-2,
                                                   .d = 1.5,
                                                   .weight_decay = 0.1});
}

TEST_CASE("Lion takes its paper's steps") {
  check_case("lion", LionOptions{.lr = 1e-2});
  check_case("lion_decay",
             LionOptions{.lr = 1e-2, .beta1 = 0.95, .beta2 = 0.98, .weight_decay = 0.3});
}

TEST_CASE("Muon takes its authors' steps, and AdamW's where there is no matrix") {
  check_case("muon", MuonOptions{.lr = 2e-2});
  check_case("muon_plain",
             MuonOptions{.lr = 2e-2, .weight_decay = 0, .momentum = 0.9, .nesterov = false});
  check_case("muon_match", MuonOptions{.lr = 2e-2, .scale = MuonScale::match_rms_adamw});
}

TEST_CASE("orthogonalize keeps singular vectors and brings singular values near 1") {
  Generator generator(3);
  for (const Shape& shape : {Shape{3, 7}, Shape{7, 3}, Shape{5, 5}, Shape{1, 4}}) {
    const Tensor x = randn(shape, generator, kFloat64), y = orthogonalize(x);
    REQUIRE(y.shape() == shape);
    // y x^T = u f(s) s u^T is symmetric.
    const Tensor product = matmul(y, transpose(x, 0, 1));
    CHECK(max(abs(product - transpose(product, 0, 1))).item() < 1e-12);
    const bool tall = shape[0] > shape[1];
    const Tensor gram = tall ? matmul(transpose(y, 0, 1), y) : matmul(y, transpose(y, 0, 1));
    for (int64_t i = 0; i < gram.size(0); ++i) {  // means of squares of singular values
      CHECK(gram.at({i, i}) > 0.4);
      CHECK(gram.at({i, i}) < 1.5);
    }
    CHECK(max(abs(orthogonalize(1e3 * x) - y)).item() < 1e-12);
  }
  CHECK(max(abs(orthogonalize(zeros({2, 3})))).item() == 0);
  CHECK(message_of([] { orthogonalize(zeros({3})); }) ==
        "orthogonalize: expected a matrix; got [3]");
}

TEST_CASE("newer optimizers: state that is saved and restored continues with the same bits") {
  const auto same = [](const auto& options) { CHECK(run(options, true) == run(options, false)); };
  same(LionOptions{.lr = 1e-2});
  same(AdafactorOptions{});
  same(MuonOptions{.lr = 2e-2});
}

TEST_CASE("newer optimizers: the same bits at any number of threads") {
  const int before = num_threads();
  const auto at = [](int threads, const auto& options) {
    set_num_threads(threads);
    return run(options, false);
  };
  const auto check_same = [&](const auto& o) { CHECK(at(1, o) == at(2, o)); };
  check_same(LionOptions{.lr = 1e-2});
  check_same(AdafactorOptions{});
  check_same(MuonOptions{.lr = 2e-2});
  set_num_threads(before);
}

TEST_CASE("Adafactor remembers a matrix by its rows and columns, a vector by itself") {
  Parameters p;
  Adafactor adafactor(p.named);
  p.set_gradients(0);
  adafactor.step();
  std::vector<std::string> shapes;
  for (const NamedTensor& t : adafactor.state_dict())
    if (t.name.find("_var") != std::string::npos)
      shapes.push_back(t.name + " " + to_string(t.tensor.shape()));
  CHECK(shapes == std::vector<std::string>{"row_var.tall [4, 1]", "col_var.tall [1, 3]",
                                           "row_var.wide [3, 1]", "col_var.wide [1, 6]",
                                           "row_var.vector [5]", "col_var.vector [0]",
                                           "row_var.stack [2, 3, 1]", "col_var.stack [2, 1, 2]"});
}

TEST_CASE("newer optimizers say which option is out of range") {
  const NamedTensors p = Parameters().named;
  CHECK(message_of([&] { Lion(p, {.beta1 = 1}); }) == "Lion: beta1 must be in [0, 1); got 1");
  CHECK(message_of([&] { Adafactor(p, {.beta2_decay = 0.1}); }) ==
        "Adafactor: beta2_decay must not be positive; got 0.1");
  CHECK(message_of([&] { Adafactor(p, {.d = 0.5}); }) ==
        "Adafactor: d must be at least 1; got 0.5");
  CHECK(message_of([&] { Muon(p, {.momentum = -1}); }) ==
        "Muon: momentum, beta1 and beta2 must be in [0, 1); got -1");
  CHECK(message_of([&] { Muon(p, MuonOptions{}); }) ==
        "Muon: \"vector\" must be a matrix, or in a group that is not orthogonal; got [5]");
}
