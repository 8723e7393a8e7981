// Faithfulness against direct sums, its limits against all orders.
#include <weft/autograd/autograd.h>
#include <weft/nn/inspect/faithfulness.h>
#include <weft/tests/nn/numbers.h>

#include <algorithm>
#include <numeric>

using namespace weft;
using Order = std::vector<int64_t>;

namespace {

// One number for each subset, of its own.
SubsetScore table_score(const Tensor& table) {
  return [table](const Tensor& keep) {
    Tensor place = zeros({keep.size(0)}, kInt64);
    for (int64_t i = 0; i < keep.size(1); ++i)
      place = place + to(select(keep, 1, i), kInt64) * static_cast<double>(int64_t{1} << i);
    return index_select(table, 0, place);
  };
}

}  // namespace

TEST_CASE("units are ranked by attribution, equals in their order") {
  CHECK(descending(tensor({0.5, 2.0, -1.0, 2.0, 0.5})) == Order{1, 3, 0, 4, 2});
  CHECK(message_of([] {
          descending(tensor({1.0, std::nan("")}));
        }) == "descending: expected numbers; got [1, nan]");
  CHECK(message_of([] {
          descending(ones({2, 2}));
        }) == "descending: expected attributions [n]; got [2, 2]");
}

TEST_CASE("comprehensiveness takes the first away, sufficiency keeps only them") {
  const Tensor v = normal({16}, 1);
  const Order order{2, 0, 3, 1}, counts{0, 1, 3, 4};
  const auto at = [&](int64_t kept) { return v.at({15}) - v.at({kept}); };
  const Tensor gone = comprehensiveness(table_score(v), order, counts),
               left = sufficiency(table_score(v), order, counts);
  // The bits of units 2, 0, 3, 1 are 4, 1, 8, 2.
  CHECK(largest_difference(gone, tensor({0.0, at(11), at(2), at(0)}, kFloat64)) < kClose);
  CHECK(largest_difference(left, tensor({at(0), at(4), at(13), 0.0}, kFloat64)) < kClose);

  Order all(4);
  std::iota(all.begin(), all.end(), 1);
  CHECK(std::abs(aopc(v, order) - mean(comprehensiveness(table_score(v), order, all)).item()) <
        kClose);
}

TEST_CASE("the limits of AOPC are those over all orders") {
  for (const int64_t n : {1, 2, 5}) {
    const Tensor v = normal({int64_t{1} << n}, static_cast<uint64_t>(n));
    Order order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    double lower = INFINITY, upper = -INFINITY;
    do {
      lower = std::min(lower, aopc(v, order));
      upper = std::max(upper, aopc(v, order));
    } while (std::next_permutation(order.begin(), order.end()));
    const AopcLimits found = aopc_limits(v);
    CHECK(std::abs(found.lower - lower) < kClose);
    CHECK(std::abs(found.upper - upper) < kClose);
    CHECK(aopc(v, found.worst) == found.lower);
    CHECK(aopc(v, found.best) == found.upper);
  }
}

TEST_CASE("normalized AOPC is 1 for the best order, 0 for the worst") {
  const Tensor v = normal({1 << 12}, 2);
  const AopcLimits limits = aopc_limits(v);
  CHECK(normalized_aopc(v, limits.best) == 1);
  CHECK(normalized_aopc(v, limits.worst) == 0);
  Order order(12);
  std::iota(order.begin(), order.end(), 0);
  const double some = normalized_aopc(v, order);
  CHECK((some > 0 && some < 1));
  CHECK(std::abs(normalized_aopc(v * 3 + 1, order) - some) < kClose);
  CHECK(std::isnan(normalized_aopc(ones({8}, kFloat64), {0, 1, 2})));
}

TEST_CASE("of a sum, the best order is by what the units add") {
  const Tensor x = tensor({0.5, -1.0, 2.0, 0.25}, kFloat64);
  const SubsetScore score = [&](const Tensor& keep) { return matmul(to(keep, kFloat64), x); };
  const Tensor v = subset_scores(score, 4);
  CHECK(aopc_limits(v).best == Order{2, 0, 3, 1});
  CHECK(aopc_limits(v).worst == Order{1, 3, 0, 2});
  CHECK(normalized_aopc(v, descending(shapley_values(v))) == 1);
}

TEST_CASE("faithfulness says what it expects") {
  const SubsetScore score = table_score(ones({8}));
  CHECK(message_of([&] {
          comprehensiveness(score, {0, 1, 1}, {1});
        }) == "comprehensiveness: expected an order of 3 units, 0 to 2 once each; got [0, 1, 1]");
  CHECK(message_of([&] {
          sufficiency(score, {0, 1, 2}, {4});
        }) == "sufficiency: expected counts in [0, 3]; got 4");
  CHECK(message_of([] {
          aopc(ones({8}), {0, 1});
        }) == "aopc: expected an order of 3 units, 0 to 2 once each; got [0, 1]");
  CHECK(message_of([] { aopc_limits(ones({8}) * INFINITY); }) ==
        "aopc_limits: the scores must be finite");
}
