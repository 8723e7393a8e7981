// Lengths of Jacobian blocks against differences and closed forms.
#include <weft/autograd/autograd.h>
#include <weft/nn/inspect/jacobian_norms.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

namespace {

constexpr int64_t kBatch = 2, kSource = 3, kTarget = 2, kWidth = 4;

struct Model {
  Model() {
    transformer.to(kFloat64);
    transformer.eval();
  }
  Tensor operator()(const Tensor& src) {
    return transformer(src, target, {.tgt_mask = Mask::causal()});
  }
  Transformer transformer{{.layer = {.d_model = kWidth,
                                     .nhead = 2,
                                     .dim_feedforward = 5,
                                     .activation = FeedForwardActivation::gelu,
                                     .batch_first = true},
                           .num_encoder_layers = 1,
                           .num_decoder_layers = 1},
                          Generator(1)};
  Tensor source = normal({kBatch, kSource, kWidth}, 2),
         target = normal({kBatch, kTarget, kWidth}, 3);
};

// x with `step` added to one element.
Tensor moved(const Tensor& x, int64_t at, double step) {
  std::vector<double> values = x.to_vector<double>();
  values[static_cast<size_t>(at)] += step;
  return from_vector(values, x.shape());
}

}  // namespace

TEST_CASE("Jacobian norms are those of differences") {
  Model m;
  const Tensor found = jacobian_norms([&](const Tensor& x) { return m(x); }, m.source);
  REQUIRE(found.shape() == Shape{kBatch, kTarget, kSource});
  constexpr double kStep = 1e-5;
  const NoGrad no_grad;
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t j = 0; j < kSource; ++j) {
      std::vector<double> squares(kTarget);
      for (int64_t e = 0; e < kWidth; ++e) {
        const int64_t at = (b * kSource + j) * kWidth + e;
        const Tensor slope =
            (m(moved(m.source, at, kStep)) - m(moved(m.source, at, -kStep))) / (2 * kStep);
        for (int64_t i = 0; i < kTarget; ++i)
          for (int64_t d = 0; d < kWidth; ++d)
            squares[static_cast<size_t>(i)] += slope.at({b, i, d}) * slope.at({b, i, d});
      }
      for (int64_t i = 0; i < kTarget; ++i)
        CHECK(std::abs(found.at({b, i, j}) - std::sqrt(squares[static_cast<size_t>(i)])) < 1e-8);
    }
}

// y_i = tanh(sum_j a_ij W x_j): with s the slopes of tanh, dy_i/dx_j = a_ij diag(s_i) W.
TEST_CASE("Jacobian norms have their closed form, and are differentiable") {
  const Tensor a = random_weights({kTarget, kSource}, 1), w = normal({kWidth, kWidth}, 2),
               x = normal({kBatch, kSource, kWidth}, 3);
  const auto f = [&](const Tensor& in) { return tanh(matmul(a, linear(in, w))); };
  const Tensor y = f(x), slopes = 1 - y * y;                            // [B, Tq, D]
  const Tensor rows = sum(w * w, {1});                                  // [D]
  const Tensor lengths = sqrt(sum(slopes * slopes * rows, {2}, true));  // [B, Tq, 1]
  CHECK(largest_difference(jacobian_norms(f, x), lengths * a) < kClose);

  const auto g = [&](const Tensors& in) { return Tensors{jacobian_norms(f, in[0])}; };
  CHECK(gradcheck("jacobian_norms", g, {x}).failure == "");
}

TEST_CASE("Jacobian norms of a logit for each position, and of ones that do not react") {
  Model m;
  const auto logits = [&](const Tensor& x) { return select(m(x), 2, 1); };  // [B, Tq]
  const Tensor j = jacobian(logits, m.source, {.batched = true}),           // [B, Tq, Tk, D]
      found = jacobian_norms(logits, m.source);
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t i = 0; i < kTarget; ++i)
      for (int64_t k = 0; k < kSource; ++k) {
        double squares = 0;
        for (int64_t d = 0; d < kWidth; ++d) squares += j.at({b, i, k, d}) * j.at({b, i, k, d});
        CHECK(std::abs(found.at({b, i, k}) - std::sqrt(squares)) < kClose);
      }
  const auto causal = [](const Tensor& x) { return cumsum(x, 1); };
  CHECK(largest_difference(jacobian_norms(causal, m.source),
                           expand(tril(ones({kSource, kSource}, kFloat64)) * 2,  // sqrt(D)
                                  {kBatch, kSource, kSource})) < kClose);
}

TEST_CASE("Jacobian norms say what they expect") {
  const auto f = [](const Tensor& x) { return sum(x, {1, 2}); };
  CHECK(message_of([&] { jacobian_norms(f, ones({2})); }) ==
        "jacobian_norms: expected floating x [B, Tk, ...]; got float32 [2]");
  CHECK(message_of([&] {
          jacobian_norms(f, ones({2, 3, 4}));
        }) == "jacobian_norms: expected f(x) to be [B, Tq, ...]; got only one dim");
}
