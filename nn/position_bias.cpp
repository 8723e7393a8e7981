#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/init.h>
#include <weft/nn/position_bias.h>

#include <cmath>

namespace weft {
namespace {

// 2^(-8 h / n) for h = 1 ... n, n the largest power of two that is not above H; then for odd h and
// 2 n (as in the authors' program).
std::vector<double> alibi_slopes(int64_t num_heads) {
  int64_t n = 1;
  while (2 * n <= num_heads) n *= 2;
  std::vector<double> slopes;
  auto slope = [](int64_t h, int64_t of) {
    return std::exp2(-8 * static_cast<double>(h) / static_cast<double>(of));
  };
  for (int64_t h = 1; h <= n; ++h) slopes.push_back(slope(h, n));
  for (int64_t h = 1; n + (h + 1) / 2 <= num_heads; h += 2) slopes.push_back(slope(h, 2 * n));
  return slopes;
}

void check_lengths(const char* who, int64_t queries, int64_t keys, int64_t first) {
  check(queries >= 0 && keys >= 0 && first >= 0,
        "{}: queries, keys and first must not be negative; got {}, {} and {}", who, queries, keys,
        first);
}

}  // namespace

Mask alibi(int64_t num_heads, int64_t queries, int64_t keys, int64_t first, DType dtype) {
  check(num_heads > 0, "alibi: num_heads must be positive; got {}", num_heads);
  check_lengths("alibi", queries, keys, first);
  const Tensor slopes = from_vector(alibi_slopes(num_heads), {num_heads, 1, 1});
  const Tensor q = unsqueeze(arange(queries, kFloat64) + static_cast<double>(first), 1);
  const Tensor distance = abs(q - arange(keys, kFloat64));  // [Tq, Tk]
  return Mask::additive(to(unsqueeze(-(slopes * distance), 0), dtype));
}

RelativePositionBias::RelativePositionBias(const Options& o, Generator generator)
    : weight(parameter("weight", Tensor({o.num_buckets, o.num_heads}))), options_(o) {
  const int64_t exact = o.num_buckets / (o.bidirectional ? 4 : 2);
  check(o.num_heads > 0 && exact > 0 && o.max_distance > exact,
        "relative position bias: expected heads, {} buckets or more and a max_distance above {}; "
        "got {}, {} and {}",
        o.bidirectional ? 4 : 2, exact, o.num_heads, o.num_buckets, o.max_distance);
  init::normal(weight, 0, 0.02, generator);
}

int64_t RelativePositionBias::bucket(int64_t distance) const {
  const int64_t side = options_.num_buckets / (options_.bidirectional ? 2 : 1), exact = side / 2;
  const bool after = distance > 0;
  const int64_t from = options_.bidirectional && after ? side : 0;
  const int64_t n = options_.bidirectional ? std::abs(distance) : after ? 0 : -distance;
  if (n < exact) return from + n;
  const double octaves =
      std::log(static_cast<double>(n) / static_cast<double>(exact)) /
      std::log(static_cast<double>(options_.max_distance) / static_cast<double>(exact));
  const auto step = static_cast<int64_t>(octaves * static_cast<double>(side - exact));
  return from + std::min(exact + step, side - 1);
}

Tensor RelativePositionBias::forward(int64_t queries, int64_t keys, int64_t first) {
  check_lengths("relative position bias", queries, keys, first);
  std::vector<int64_t> buckets;
  for (int64_t q = first; q < first + queries; ++q)
    for (int64_t k = 0; k < keys; ++k) buckets.push_back(bucket(k - q));
  const Tensor bias = embedding(from_vector(buckets, {queries, keys}), weight);  // [Tq, Tk, H]
  return unsqueeze(permute(bias, {2, 0, 1}), 0);
}

}  // namespace weft
