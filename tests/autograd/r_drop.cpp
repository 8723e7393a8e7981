// R-Drop's loss against its formula, and where rounding or what does not count could spoil it.
#include <weft/autograd/autograd.h>
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/allocator.h>
#include <weft/core/parallel.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <limits>

using namespace weft;

namespace {

using Numbers = std::vector<double>;

// Of one row, by the definition.
Numbers log_probs(Numbers z) {
  double total = 0;
  for (const double value : z) total += std::exp(value);
  for (double& value : z) value -= std::log(total);
  return z;
}

double definition(const Numbers& a, const Numbers& b, size_t target, double alpha,
                  double smoothing) {
  const Numbers p = log_probs(a), q = log_probs(b);
  double both = -(1 - smoothing) * (p[target] + q[target]), there = 0, back = 0;
  for (size_t j = 0; j < p.size(); ++j) {
    both -= smoothing / static_cast<double>(p.size()) * (p[j] + q[j]);
    there += std::exp(p[j]) * (p[j] - q[j]);
    back += std::exp(q[j]) * (q[j] - p[j]);
  }
  return both / 2 + alpha / 4 * (there + back);
}

struct Inputs {
  Tensor a, b, weight, bias, target;

  Inputs(int64_t rows, int64_t width, int64_t classes, DType dtype) {
    Generator g(1);
    const auto draw = [&](const Shape& shape) {
      return to(randn(shape, g), dtype).set_requires_grad();
    };
    a = draw({rows, width}), b = draw({rows, width});
    weight = draw({classes, width}), bias = draw({classes});
    target = randint(classes, {rows}, g);
  }

  Tensor loss(double alpha, const CrossEntropyOptions& o = {}) const {
    return linear_r_drop(a, b, weight, bias, target, alpha, o);
  }
  Tensors gradients(const Tensor& of) const { return grad({of}, {a, b, weight, bias}); }
};

}  // namespace

TEST_CASE("linear_r_drop is half of both losses and a quarter of alpha times both divergences") {
  const Inputs in(7, 3, 5, kFloat64);
  double expected = 0;
  for (int64_t i = 0; i < 7; ++i) {
    const auto logits = [&](const Tensor& hidden) {
      return linear(select(hidden, 0, i), in.weight, in.bias).to_vector<double>();
    };
    const auto target = static_cast<size_t>(in.target.to_vector<int64_t>()[static_cast<size_t>(i)]);
    expected += definition(logits(in.a), logits(in.b), target, 2.5, 0.1);
  }
  CHECK(in.loss(2.5, {.label_smoothing = 0.1}).item() == Approx(expected / 7).epsilon(1e-13));
  CHECK(in.loss(2.5, {.label_smoothing = 0.1, .reduction = Reduction::sum}).item() ==
        Approx(expected).epsilon(1e-13));
}

TEST_CASE("linear_r_drop of two passes that agree is the loss of one") {
  for (const DType dtype : {kFloat32, kFloat64}) {
    Inputs in(300, 8, 20000, dtype);
    in.b = in.a;
    const Tensor one = linear_cross_entropy(in.a, in.weight, in.bias, in.target, {});
    CHECK(in.loss(5).item() == Approx(one.item()).epsilon(dtype == kFloat32 ? 1e-6 : 1e-14));
  }
}

TEST_CASE("linear_r_drop on many blocks, at any number of threads, equals its composition") {
  const CrossEntropyOptions smooth{.label_smoothing = 0.1};
  CrossEntropyOptions each = smooth;
  each.reduction = Reduction::none;
  const auto all = [](const Inputs& in, const Tensor& loss) {
    Numbers numbers{loss.item()};
    for (const Tensor& d : in.gradients(loss * 3.0))
      for (const double v : to(d, kFloat64).to_vector<double>()) numbers.push_back(v);
    return numbers;
  };
  for (const DType dtype : {kFloat32, kFloat64}) {
    Inputs in(300, 8, 20000, dtype);  // 48 rows a block
    in.target.mutable_data<int64_t>()[5] = -100;
    const int threads = num_threads();
    set_num_threads(1);
    const Numbers serial = all(in, in.loss(5, smooth));
    for (const int n : {2, 3, 7}) {
      set_num_threads(n);
      CHECK(all(in, in.loss(5, smooth)) == serial);
    }
    set_num_threads(threads);
    const NoGrad no_grad;
    CHECK(in.loss(5, smooth).item() == Approx(serial[0]).epsilon(1e-6));
    if (dtype == kFloat32)
      continue;  // sums over 20,000 classes round by more than blocks could err
    const GradMode recorded(true);
    const Numbers composed = all(in, sum(in.loss(5, each)) / 299.0);
    double worst = 0;
    for (size_t i = 0; i < serial.size(); ++i)
      worst = std::max(worst, std::abs(serial[i] - composed[i]));
    CHECK(worst < 1e-12);
  }
}

TEST_CASE("linear_r_drop holds a block of logits, not all, and skips ignored rows") {
  Inputs in(2000, 4, 20000, kFloat32);
  in.a.set_requires_grad(false).mutable_data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  in.a.set_requires_grad();
  in.target.mutable_data<int64_t>()[0] = -100;
  reset_peak();
  const size_t before = allocator_stats().bytes_in_use;
  const Tensor loss = in.loss(5);
  CHECK(allocator_stats().peak_in_use - before < 14u << 20);  // all logits: 320 MB
  CHECK(std::isfinite(loss.item()));
  const Tensors d = in.gradients(loss);
  for (const Tensor& gradient : d) CHECK(std::isfinite(sum(gradient).item()));
  CHECK(sum(abs(slice(d[0], 0, 0, 1))).item() == 0);
  CHECK(sum(abs(slice(d[1], 0, 0, 1))).item() == 0);
}

TEST_CASE("edges: a class that a bias of minus infinity rules out is as if it were not there") {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const Inputs in(6, 3, 4, kFloat64);
  const Tensor target = tensor({2, 0, 1, 2, 0, 1});
  const auto of = [&](const Tensor& weight, const Tensor& bias, Reduction reduction) {
    return sum(linear_r_drop(in.a, in.b, weight, bias, target, 5, {.reduction = reduction}));
  };
  Tensor bias = from_vector(in.bias.to_vector<double>(), {4});
  bias.mutable_data<double>("test")[3] = -kInf;
  const Tensor fewer = slice(in.weight, 0, 0, 3), fewer_bias = slice(in.bias, 0, 0, 3);
  for (const Reduction reduction : {Reduction::sum, Reduction::none}) {
    const Tensor got = of(in.weight, bias, reduction), want = of(fewer, fewer_bias, reduction);
    CHECK(got.item() == Approx(want.item()).epsilon(1e-13));
    const auto slope = [&](const Tensor& loss) {
      return grad(loss, in.weight, {.create_graph = true});
    };
    const Tensor d = slope(got), e = slope(want);
    CHECK(max(abs(d - e)).item() < 1e-13);
    CHECK(max(abs(grad(sum(pow(d, 2)), in.a) - grad(sum(pow(e, 2)), in.a))).item() < 1e-12);
  }
}

TEST_CASE("edges: linear_r_drop of logits of any size, alike or one far from the other") {
  const Tensor target = tensor({0});
  for (const DType dtype : {kFloat32, kFloat64})
    for (const double size : {1e-40, 1e5, 1e8, 1e20, 1e30}) {
      const Tensor same = full({1, 1}, size, dtype), ones_ = full({3, 1}, 1, dtype);
      const Tensor bias = zeros({3}, dtype).set_requires_grad();
      const Tensor equal = linear_r_drop(same, same, ones_, bias, target, 5);
      CHECK(equal.item() == Approx(std::log(3)).epsilon(1e-6));
      const auto slope = grad(equal, bias).to_vector<double>();
      CHECK(slope[0] == Approx(-2.0 / 3).epsilon(1e-6));
      CHECK(slope[1] == Approx(1.0 / 3).epsilon(1e-6));
      CHECK(slope[2] == Approx(1.0 / 3).epsilon(1e-6));
      // One pass sure of the first id, the other of the second: (0 + size) / 2 + alpha / 4 (2 size)
      const Tensor identity = to(from_vector<double>({1, 0, 0, 1}, {2, 2}), dtype);
      const Tensor left = to(from_vector<double>({size, 0}, {1, 2}), dtype);
      const Tensor right = to(from_vector<double>({0, size}, {1, 2}), dtype);
      if (size > 1)
        CHECK(linear_r_drop(left, right, identity, {}, target, 2).item() ==
              Approx(size * 1.5).epsilon(1e-6));
    }
}
