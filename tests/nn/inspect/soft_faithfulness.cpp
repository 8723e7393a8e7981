// Soft perturbations against sums over all subsets and closed forms.
#include <weft/autograd/autograd.h>
#include <weft/nn/inspect/quadrature.h>
#include <weft/nn/inspect/soft_faithfulness.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

namespace {

Tensor random_probabilities(int64_t n, uint64_t seed) { return sigmoid(normal({n}, seed) * 2); }

double sum_over_subsets(const Tensor& scores, const Tensor& keep) {
  double total = 0;
  for (int64_t s = 0; s < scores.numel(); ++s) {
    double chance = 1;
    for (int64_t i = 0; i < keep.numel(); ++i)
      chance *= (s >> i & 1) != 0 ? keep.at({i}) : 1 - keep.at({i});
    total += chance * scores.at({s});
  }
  return total;
}

}  // namespace

TEST_CASE("the expected score is the sum over all subsets, each times its probability") {
  for (int64_t n = 1; n <= 8; ++n) {
    const auto seed = static_cast<uint64_t>(n);
    const Tensor v = normal({int64_t{1} << n}, seed), keep = random_probabilities(n, 10 + seed);
    CHECK(std::abs(expected_score(v, keep).item() - sum_over_subsets(v, keep)) < kClose);
  }
}

TEST_CASE("where nothing is left to chance the expected score is that of the subset") {
  const Tensor v = normal({16}, 1);
  CHECK(expected_score(v, tensor({1., 0., 1., 1.}, kFloat64)).item() == v.at({0b1101}));
  CHECK(expected_score(v, zeros({4}, kFloat64)).item() == v.at({0}));
}

TEST_CASE("the expected score of a sum is the sum of what the units add, by their chances") {
  const Tensor x = normal({6}, 2), keep = random_probabilities(6, 3);
  const SubsetScore score = [&](const Tensor& kept) { return matmul(to(kept, kFloat64), x) + 3; };
  const double expected = sum(x * keep).item() + 3;
  CHECK(std::abs(expected_score(subset_scores(score, 6), keep).item() - expected) < kClose);
}

TEST_CASE("Shapley values are the slopes of the expected score along equal probabilities") {
  const int64_t n = 5;
  const Tensor v = normal({int64_t{1} << n}, 4);
  const Quadrature q = gauss_legendre(3);  // slopes are of degree 4
  Tensor integral = zeros({n}, kFloat64);
  for (size_t p = 0; p < q.nodes.size(); ++p) {
    const Tensor keep = full({n}, (1 + q.nodes[p]) / 2, kFloat64).set_requires_grad();
    integral = integral + grad(expected_score(v, keep), keep) * (q.weights[p] / 2);
  }
  CHECK(largest_difference(integral, shapley_values(v)) < kClose);
}

TEST_CASE("the expected score is differentiable in scores and probabilities") {
  const auto f = [](const Tensors& in) { return Tensors{expected_score(in[0], in[1])}; };
  CHECK(gradcheck("expected_score", f, {normal({8}, 5), random_probabilities(3, 6)}).failure == "");
}

TEST_CASE("probabilities have the mean that is asked for, and are the nearest of these") {
  for (const double rate : {0., 0.1, 1. / 3, 0.5, 0.9, 1.})
    for (const int64_t n : {2, 3, 7, 12}) {
      const Tensor a = normal({n}, static_cast<uint64_t>(n)), p = draw_probabilities(a, rate);
      CHECK(std::abs(mean(p).item() - rate) < kClose);
      CHECK(largest_difference(draw_probabilities(a * 3 - 7, rate), p) < kClose);
      // The projection on the cube's part of that mean is a shift, found here by halving.
      const Tensor x = (a - min(a)) / (max(a) - min(a));
      double low = -1, high = 1;
      for (int step = 0; step < 60; ++step) {
        const double middle = (low + high) / 2;
        (mean(clamp(x + middle, 0, 1)).item() < rate ? low : high) = middle;
      }
      CHECK(largest_difference(clamp(x + high, 0, 1), p) < kClose);
    }
}

TEST_CASE("probabilities of few numbers") {
  const auto close = [](const Tensor& attributions, double rate, const Tensor& expected) {
    return largest_difference(draw_probabilities(attributions, rate), expected) < kClose;
  };
  CHECK(close(tensor({4., 6., 5.}), 1. / 2, tensor({0., 1., 0.5}, kFloat64)));
  CHECK(close(tensor({4., 6., 5.}), 2. / 3, tensor({0.25, 1., 0.75}, kFloat64)));
  CHECK(close(tensor({4., 6., 5.}), 1. / 3, tensor({0., 0.75, 0.25}, kFloat64)));
  CHECK(close(tensor({2., 2., 2., 2.}), 0.3, full({4}, 0.3, kFloat64)));
  CHECK(close(tensor({-5.}), 0.3, full({1}, 0.3, kFloat64)));
  CHECK(close(tensor({1., 0., 0., 0.}), 0.5, tensor({1., 1. / 3, 1. / 3, 1. / 3}, kFloat64)));
  // Differences that overflow, or are as small as numbers get; large equals.
  const Tensor steps = tensor({0., 1., 0.5}, kFloat64);
  CHECK(close(tensor({-1.7e308, 1.7e308, 0.}, kFloat64), 0.5, steps));
  CHECK(close(tensor({0., 1e-323, 5e-324}, kFloat64), 0.5, steps));
  CHECK(close(tensor({1e20, 1e20}, kFloat64), 0.5, full({2}, 0.5, kFloat64)));
}

TEST_CASE("what attributes all to as many units as are drawn is as faithful softly as it is hard") {
  const Tensor v = normal({32}, 7), a = tensor({0., 1., 1., 0., 0.}, kFloat64);
  CHECK(std::abs(soft_comprehensiveness(v, a, 0.4) - (v.at({31}) - v.at({0b11001}))) < kClose);
  CHECK(std::abs(soft_sufficiency(v, a, 0.4) - (v.at({31}) - v.at({0b00110}))) < kClose);
}

TEST_CASE("soft faithfulness is the mean drop over all draws") {
  const Tensor v = normal({256}, 8), a = normal({8}, 9), p = draw_probabilities(a, 0.375);
  const double all = v.at({255});
  CHECK(std::abs(soft_comprehensiveness(v, a, 0.375) - (all - sum_over_subsets(v, 1 - p))) <
        kClose);
  CHECK(std::abs(soft_sufficiency(v, a, 0.375) - (all - sum_over_subsets(v, p))) < kClose);
  CHECK(std::abs(soft_sufficiency(v, a, 1)) < kClose);
  CHECK(std::abs(soft_comprehensiveness(v, a, 1) - (all - v.at({0}))) < kClose);
}

TEST_CASE("soft faithfulness says what it expects") {
  CHECK(message_of([] { expected_score(ones({8}), ones({2})); }) ==
        "expected_score: expected a probability for each of 3 units, float32 [3]; got "
        "float32 [2]");
  CHECK(message_of([] { expected_score(ones({6}), ones({2})); }) ==
        "expected_score: expected the scores of all subsets, floating [2^n] with n of at least 1; "
        "got float32 [6]");
  CHECK(message_of([] {
          draw_probabilities(ones({2, 2}), 0.5);
        }) == "draw_probabilities: expected attributions [n] with n of at least 1; got [2, 2]");
  CHECK(message_of([] { draw_probabilities(ones({2}), 1.5); }) ==
        "draw_probabilities: expected a rate in [0, 1]; got 1.5");
  CHECK(message_of([] {
          draw_probabilities(tensor({1., INFINITY}), 0.5);
        }) == "draw_probabilities: expected finite numbers; got inf");
}
