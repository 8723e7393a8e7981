// Transformer-XL's relative positions equal their formula, in attention too.
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/nn/attention/multihead_attention.h>
#include <weft/tests/catch.h>
#include <weft/tests/nn/numbers.h>

#include <cmath>

using namespace weft;

namespace {

// Transformer-XL's second term, number by number: (q_i + v) W s(j - i) / sqrt(Dh).
double position_score(RelativeScores& m, const Tensor& q, Shape at, int64_t i, int64_t j) {
  const int64_t width = q.size(3), d = m.weight.size(0);
  const auto apart = static_cast<double>(j - i);
  double score = 0;
  for (int64_t c = 0; c < width; ++c) {
    const int64_t row = at[1] * width + c;
    double r = 0;
    for (int64_t k = 0; k < d; ++k) {
      const double angle =
          apart / std::pow(10000, static_cast<double>(k - k % 2) / static_cast<double>(d));
      r += m.weight.at({row, k}) * (k % 2 ? std::cos(angle) : std::sin(angle));
    }
    score += (q.at({at[0], at[1], at[2], c}) + m.position_bias.at({row})) * r;
  }
  return score / std::sqrt(static_cast<double>(width));
}

}  // namespace

TEST_CASE("relative scores are Transformer-XL's, number by number, and go on in steps") {
  RelativeScores relative(6, 2, Generator(1));
  relative.to(kFloat64);
  relative.load_state_dict({{"weight", relative.weight},
                            {"content_bias", normal({6}, 4)},
                            {"position_bias", normal({6}, 5)}});
  for (const auto& [queries, keys, first] : {std::tuple<int64_t, int64_t, int64_t>{3, 3, 0},
                                             {2, 5, 3},
                                             {1, 4, 3},
                                             {1, 1, 0},
                                             {4, 2, 0}}) {
    const Tensor q = normal({2, 2, queries, 3}, 3);
    const auto found = relative(q, keys, first);
    REQUIRE(found.scores.shape() == Shape{2, 2, queries, keys});
    for (int64_t h = 0; h < 2; ++h)
      for (int64_t i = 0; i < queries; ++i)
        for (int64_t j = 0; j < keys; ++j)
          CHECK(found.scores.at({1, h, i, j}) ==
                Approx(position_score(relative, q, {1, h, i}, first + i, j)).epsilon(1e-12));
    CHECK(found.queries.at({1, 1, 0, 2}) ==
          Approx(q.at({1, 1, 0, 2}) + relative.content_bias.at({5})));
  }
  CHECK(relative(normal({2, 2, 0, 3}), int64_t{4}).scores.shape() == Shape{2, 2, 0, 4});
  CHECK(relative(normal({2, 2, 3, 3}), int64_t{0}).scores.shape() == Shape{2, 2, 3, 0});
  CHECK(message_of([&] {
          relative(ones({2, 3, 4, 2}), int64_t{4});
        }) == "relative scores: expected queries [B, 2, Tq, 3]; got [2, 3, 4, 2]");
  CHECK(message_of([] { RelativeScores(9, 3, Generator(1)); }) ==
        "relative scores: embed_dim must be even and a multiple of num_heads; got 9 and 3");
}

TEST_CASE("attention with relative scores moves with its sequence, keeps masks and extra keys") {
  MultiheadAttention attention({.embed_dim = 8,
                                .num_heads = 2,
                                .add_bias_kv = true,
                                .add_zero_attn = true,
                                .batch_first = true,
                                .relative = true},
                               Generator(1));
  attention.to(kFloat64);
  const Tensor x = normal({2, 4, 8}, 1);
  const auto with = [&](const Tensor& t, const Mask& mask) {
    return attention(t, t, t, AttentionCall{.mask = mask}).output;
  };
  // Two tokens of padding in front, which nobody sees, change nothing.
  const Tensor later = cat({normal({2, 2, 8}, 2) * 1e3, x}, 1);
  const Tensor real = tensor({{0., 0., 1., 1., 1., 1.}});
  const Mask hidden = Mask::may_attend(ne(expand(real, {6, 6}), 0));
  CHECK(largest_difference(slice(with(later, hidden), 1, 2), with(x, {})) < 1e-13);
  const Tensor turned = with(cat({slice(x, 1, 2), slice(x, 1, 0, 2)}, 1), {});
  CHECK(largest_difference(select(turned, 1, 0), select(with(x, {}), 1, 2)) > 1e-3);
}
