// Shapley values against the mean over all orders, and the rights that define them.
#include <weft/autograd/autograd.h>
#include <weft/nn/inspect/subsets.h>
#include <weft/tests/nn/numbers.h>

#include <algorithm>
#include <numeric>

using namespace weft;

namespace {

// A score with interactions: of the sum of the kept units' numbers, something curved.
SubsetScore curved(const Tensor& x) {
  return [x](const Tensor& keep) {
    const Tensor s = matmul(to(keep, kFloat64), x);
    return tanh(s) + s * s;
  };
}

std::vector<double> mean_over_orders(const std::vector<double>& v, size_t n) {
  std::vector<double> added(n);
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  double orders = 0;
  do {
    size_t kept = 0;
    for (const size_t i : order) {
      added[i] += v[kept | size_t{1} << i] - v[kept];
      kept |= size_t{1} << i;
    }
    ++orders;
  } while (std::next_permutation(order.begin(), order.end()));
  for (double& a : added) a /= orders;
  return added;
}

}  // namespace

TEST_CASE("the scores of all subsets stand where their bits say, in calls of any size") {
  const Tensor x = tensor({1.0, 10.0, 100.0}, kFloat64);
  const SubsetScore score = [&](const Tensor& keep) { return matmul(to(keep, kFloat64), x); };
  for (const int64_t rows : {1, 3, 8, 256})
    CHECK(subset_scores(score, 3, rows).to_vector<double>() ==
          std::vector<double>{0, 1, 10, 11, 100, 101, 110, 111});
}

TEST_CASE("leaving one out") {
  const Tensor x = normal({4}, 1), v = subset_scores(curved(x), 4),
               found = leave_one_out(curved(x), 4);
  for (int64_t i = 0; i < 4; ++i)
    CHECK(std::abs(found.at({i}) - (v.at({15}) - v.at({15 - (int64_t{1} << i)}))) < kClose);
}

TEST_CASE("Shapley values are the mean over all orders, and sum to the change") {
  for (const int64_t n : {1, 2, 3, 6}) {
    const Tensor v = subset_scores(curved(normal({n}, 2)), n), found = shapley_values(v);
    const std::vector<double> expected =
        mean_over_orders(v.to_vector<double>(), static_cast<size_t>(n));
    CHECK(largest_difference(found, from_vector(expected, {n})) < kClose);
    CHECK(std::abs(sum(found).item() - (v.at({v.numel() - 1}) - v.at({0}))) < kClose);
  }
  const Tensor many = subset_scores(curved(normal({12}, 3)), 12);
  CHECK(std::abs(sum(shapley_values(many)).item() - (many.at({4095}) - many.at({0}))) < kClose);
}

TEST_CASE("Shapley values: equals get equal shares, who adds nothing gets exactly 0") {
  Tensor x = tensor({0.7, -0.3, 0.7, 0.0, 0.2}, kFloat64);
  const Tensor found = shapley_values(subset_scores(curved(x), 5));
  CHECK(std::abs(found.at({0}) - found.at({2})) < kClose);
  CHECK(found.at({3}) == 0);
  const SubsetScore sum_of = [&](const Tensor& keep) { return matmul(to(keep, kFloat64), x) + 3; };
  CHECK(largest_difference(shapley_values(subset_scores(sum_of, 5)), x) < kClose);
}

TEST_CASE("measures of subsets are differentiable") {
  const auto f = [](const Tensors& in) {
    return Tensors{shapley_values(subset_scores(curved(in[0]), 3, 3)),
                   leave_one_out(curved(in[0]), 3)};
  };
  CHECK(gradcheck("shapley_values", f, {normal({3}, 4)}).failure == "");
}

TEST_CASE("measures of subsets say what they expect") {
  const SubsetScore wrong = [](const Tensor&) { return ones({3}); };
  CHECK(message_of([&] { subset_scores(wrong, 17); }) ==
        "subset_scores: expected 1 to 16 units and at least 1 row a call; got 17 and 256");
  CHECK(message_of([&] { subset_scores(wrong, 2); }) ==
        "subset_scores: expected a score for each of 4 rows, floating [4]; got float32 [3]");
  CHECK(message_of([&] { leave_one_out(wrong, 3); }) ==
        "leave_one_out: expected a score for each of 4 rows, floating [4]; got float32 [3]");
  CHECK(message_of([] { shapley_values(ones({6})); }) ==
        "shapley_values: expected the scores of all subsets, floating [2^n] with n of at least 1; "
        "got float32 [6]");
}
