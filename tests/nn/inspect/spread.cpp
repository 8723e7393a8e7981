// How widely attention spreads, against closed forms.
#include <weft/autograd/autograd.h>
#include <weft/nn/inspect/spread.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

TEST_CASE("the entropy of attention is that of the formula") {
  const Tensor a = random_weights({2, 3, 4, 5}, 1), found = entropy(a), span = effective_span(a);
  REQUIRE(found.shape() == Shape{2, 3, 4});
  const std::vector<double> p = a.to_vector<double>(), h = found.to_vector<double>();
  for (size_t row = 0; row < h.size(); ++row) {
    double expected = 0;
    for (size_t j = 0; j < 5; ++j) expected -= p[5 * row + j] * std::log(p[5 * row + j]);
    CHECK(std::abs(h[row] - expected) < kClose);
    CHECK(std::abs(span.to_vector<double>()[row] - std::exp(expected)) < kClose);
  }
}

TEST_CASE("entropy at its edges: one key, all alike, none") {
  const Tensor a =
      tensor({{0.0, 1.0, 0.0, 0.0}, {0.25, 0.25, 0.25, 0.25}, {0.0, 0.0, 0.0, 0.0}}, kFloat64);
  CHECK(entropy(a).at({0}) == 0);
  CHECK(std::abs(entropy(a).at({1}) - std::log(4)) < kClose);
  CHECK(entropy(a).at({2}) == 0);
  CHECK(effective_span(a).at({0}) == 1);
  CHECK(std::abs(effective_span(a).at({1}) - 4) < kClose);
  CHECK(effective_span(a).at({2}) == 1);
  CHECK(std::isnan(entropy(tensor({std::nan(""), 1.0})).item()));
}

TEST_CASE("the gradient of entropy is finite at 0, and right behind a masked softmax") {
  Tensor a = tensor({0.0, 0.5, 0.5}, kFloat64).set_requires_grad();
  entropy(a).backward();
  CHECK(a.grad().at({0}) == 0);
  CHECK(std::abs(a.grad().at({1}) - (std::log(2) - 1)) < kClose);

  const Tensor hidden = tensor({false, true, false, false});
  const auto f = [&](const Tensors& in) {
    return Tensors{entropy(softmax(masked_fill(in[0], hidden, -INFINITY), -1))};
  };
  CHECK(gradcheck("entropy", f, {normal({3, 4}, 2)}).failure == "");
}

TEST_CASE("the distance that attention expects") {
  const Tensor a = random_weights({2, 3, 5}, 3), found = expected_distance(a);
  REQUIRE(found.shape() == Shape{2, 3});
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t i = 0; i < 3; ++i) {
      double expected = 0;
      for (int64_t j = 0; j < 5; ++j)
        expected += a.at({b, i, j}) * static_cast<double>(std::abs(i - j));
      CHECK(std::abs(found.at({b, i}) - expected) < kClose);
    }
  CHECK(max(abs(expected_distance(eye(4, kFloat64)))).item() == 0);
  const auto f = [](const Tensors& in) { return Tensors{expected_distance(in[0])}; };
  CHECK(gradcheck("expected_distance", f, {a}).failure == "");
}

TEST_CASE("measures of spread say what they expect") {
  CHECK(message_of([] { entropy(ones({3}, kInt64)); }) ==
        "entropy: weights must be floating, [..., Tk]; got int64 [3]");
  CHECK(message_of([] { expected_distance(ones({3})); }) ==
        "expected_distance: weights must be floating, [..., Tq, Tk]; got float32 [3]");
  CHECK(message_of([] { effective_span({}); }) == "effective_span: the weights are undefined");
}
