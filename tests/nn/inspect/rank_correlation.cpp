// Rank correlations where they are known, and by their definitions with ties.
#include <weft/nn/inspect/rank_correlation.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

TEST_CASE("rankings that agree, and that are reversed") {
  const Tensor a = tensor({1.0, 5.0, 2.0, 9.0, 7.0});
  for (const auto correlation : {spearman, kendall}) {
    CHECK(correlation(a, exp(a)) == 1);
    CHECK(correlation(a, -a) == -1);
  }
}

TEST_CASE("rankings without ties follow the short formulas") {
  const Tensor a = tensor({1, 2, 3, 4, 5, 6}), b = tensor({3, 1, 2, 6, 4, 5});
  // rho = 1 - 6 sum d^2 / (n (n^2 - 1)); d = 2, -1, -1, 2, -1, -1. Four pairs are exchanged.
  CHECK(std::abs(spearman(a, b) - (1 - 6.0 * 12 / 210)) < kClose);
  CHECK(std::abs(kendall(a, b) - (11.0 - 4) / 15) < kClose);
}

TEST_CASE("equals share their ranks, and their pairs do not count") {
  const Tensor a = tensor({1.0, 2.0, 2.0, 3.0}), b = tensor({1.0, 1.0, 2.0, 3.0});
  // Ranks 1, 2.5, 2.5, 4 and 1.5, 1.5, 3, 4: covariance 3.75, variances 4.5 each.
  CHECK(std::abs(spearman(a, b) - 3.75 / 4.5) < kClose);
  CHECK(std::abs(kendall(a, b) - 4.0 / 5) < kClose);
}

TEST_CASE("no correlation with a constant") {
  for (const auto correlation : {spearman, kendall})
    CHECK(std::isnan(correlation(tensor({1.0, 2.0}), tensor({3.0, 3.0}))));
}

TEST_CASE("rank correlations say what they expect") {
  CHECK(message_of([] { spearman(ones({2}), ones({3})); }) ==
        "spearman: expected two tensors [n] with n of at least 2; got [2] and [3]");
  CHECK(message_of([] {
          kendall(tensor({1.0, std::nan("")}), ones({2}));
        }) == "kendall: expected numbers to rank; got NaN");
}
