// Attributions by gradients, where their values are known.
#include <weft/autograd/autograd.h>
#include <weft/nn/inspect/attribution.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

namespace {

// A small network, smooth and far from a polynomial.
Tensor network(const Tensor& x) {
  return sum(tanh(matmul(tanh(matmul(x, normal({4, 6}, 1))), normal({6, 3}, 2))) * normal({3}, 3));
}

double total(const Tensor& t) { return sum(t.detach()).item(); }

}  // namespace

TEST_CASE("integrated gradients of a polynomial are the closed form") {
  // f = sum x^3 + x_0 x_1: x^3 - x'^3 each, and the product's share (x_0 - x'_0)(x_1 + x'_1) / 2.
  const Tensor x = normal({3}, 1), from = normal({3}, 2);
  const TensorFunction f = [](const Tensor& t) {
    return sum(t * t * t) + select(t, 0, 0) * select(t, 0, 1);
  };
  for (const int64_t points : {2, 3, 16}) {
    const IntegratedGradients found = integrated_gradients(f, {x}, {from}, points);
    const double a = x.at({0}), b = x.at({1}), a0 = from.at({0}), b0 = from.at({1});
    std::vector<double> expected = (x * x * x - from * from * from).to_vector<double>();
    expected[0] += (a - a0) * (b + b0) / 2;
    expected[1] += (b - b0) * (a + a0) / 2;
    CHECK(largest_difference(found.attributions[0], from_vector(expected, {3})) < kClose);
    CHECK(std::abs(found.completeness_error) < kClose);
  }
}

TEST_CASE("integrated gradients sum to the change, ever better with more points") {
  const Tensor x = normal({2, 4}, 4), from = zeros({2, 4}, kFloat64);
  double last = 1;
  for (const int64_t points : {1, 4, 16, 64}) {
    const IntegratedGradients found = integrated_gradients(network, {x}, {from}, points);
    const double change = network(x).item() - network(from).item();
    CHECK(std::abs(total(found.attributions[0]) - change - found.completeness_error) < kClose);
    CHECK(std::abs(found.completeness_error) < last);
    last = std::abs(found.completeness_error);
  }
  CHECK(last < kClose);
}

TEST_CASE("integrated gradients change sign where the ends are exchanged") {
  const Tensor x = normal({2, 4}, 4), from = normal({2, 4}, 5);
  const Tensor there = integrated_gradients(network, {x}, {from}, 5).attributions[0],
               back = integrated_gradients(network, {from}, {x}, 5).attributions[0];
  CHECK(largest_difference(there, -back) < 1e-13);
  CHECK(max(abs(there)).item() > 0.01);
}

TEST_CASE("attributions pass along what is not floating") {
  const Tensor ids = tensor({2, 0}), table = normal({3, 4}, 6);
  const TensorFunction f = [](const Tensors& in) {
    return sum(embedding(in[1], in[0]) * embedding(in[1], in[0]));
  };
  const IntegratedGradients found =
      integrated_gradients(f, {table, ids}, {zeros({3, 4}, kFloat64), {}}, 2);
  CHECK(!found.attributions[1].defined());
  Tensor squares = table * table * unsqueeze(tensor({1.0, 0.0, 1.0}, kFloat64), 1);
  CHECK(largest_difference(found.attributions[0], squares) < kClose);
  CHECK(!gradient_times_input(f, {table, ids})[1].defined());
  CHECK(!smooth_grad(f, {table, ids}, Generator(1))[1].defined());
}

TEST_CASE("integrated gradients are differentiable, and plain numbers under NoGrad") {
  const auto f = [](const Tensors& in) {
    return integrated_gradients(network, {in[0]}, {in[1]}, 2).attributions;
  };
  GradcheckOptions first;
  first.order = 1;
  CHECK(
      gradcheck("integrated_gradients", f, {normal({1, 4}, 7), normal({1, 4}, 8)}, first).failure ==
      "");
  const Tensor x = normal({1, 4}, 7).set_requires_grad(), from = zeros({1, 4}, kFloat64);
  CHECK(integrated_gradients(network, {x}, {from}).attributions[0].requires_grad());
  const NoGrad no_grad;
  CHECK(!integrated_gradients(network, {x}, {from}).attributions[0].requires_grad());
}

TEST_CASE("gradient times input of a linear function sums to it") {
  const Tensor w = normal({2, 4}, 9), x = normal({2, 4}, 10);
  const TensorFunction f = [&](const Tensor& t) { return sum(t * w); };
  CHECK(largest_difference(gradient_times_input(f, {x})[0], x * w) == 0);
}

TEST_CASE("smooth gradients: of a line, of a parabola, without noise, and twice") {
  const Tensor w = normal({4}, 9), x = normal({4}, 10);
  const TensorFunction line = [&](const Tensor& t) { return sum(t * w); };
  CHECK(largest_difference(smooth_grad(line, {x}, Generator(1))[0], w) < kClose);

  // The gradient of x^2 / 2 is x: what is left is the mean of the noise.
  const TensorFunction parabola = [](const Tensor& t) { return sum(t * t) * 0.5; };
  Generator same(2);
  Tensor noise = zeros({4}, kFloat64);
  for (int i = 0; i < 5; ++i) noise = noise + randn({4}, same, kFloat64) * (0.3 / 5);
  const SmoothGradOptions options{.samples = 5, .noise = 0.3};
  const Tensor found = smooth_grad(parabola, {x}, Generator(2), options)[0];
  CHECK(largest_difference(found, x + noise) < kClose);
  CHECK(largest_difference(found, smooth_grad(parabola, {x}, Generator(2), options)[0]) == 0);
  CHECK(largest_difference(found, smooth_grad(parabola, {x}, Generator(3), options)[0]) > 0.01);
  CHECK(largest_difference(smooth_grad(parabola, {x}, Generator(2), {.samples = 4, .noise = 0})[0],
                           x) < kClose);
}

TEST_CASE("attributions say what they expect") {
  const Tensor x = ones({2});
  CHECK(message_of([&] { integrated_gradients(network, {x}, {}); }) ==
        "integrated_gradients: expected a baseline for each input; got 0 for 1");
  CHECK(message_of([&] { integrated_gradients(network, {x}, {ones({3})}); }) ==
        "integrated_gradients: baseline 0 must be float32 [2] as the input is; got float32 [3]");
  CHECK(message_of([&] { integrated_gradients(network, {x}, {Tensor()}); }) ==
        "integrated_gradients: baseline 0 must be float32 [2] as the input is; got an undefined "
        "tensor");
  CHECK(message_of([&] { smooth_grad(network, {x}, Generator(1), {.samples = 0}); }) ==
        "smooth_grad: expected at least 1 sample and noise of at least 0; got 0 and 0.1");
}
