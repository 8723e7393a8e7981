// Divergences of distributions, against closed forms.
#include <weft/autograd/autograd.h>
#include <weft/nn/inspect/divergence.h>
#include <weft/tests/catch.h>

#include <cmath>

using namespace weft;

TEST_CASE("the Jensen-Shannon divergence in closed form") {
  const Tensor p = from_vector<double>({1, 0, 0.5, 0.5, 0.2, 0.8}, {3, 2});
  const Tensor q = from_vector<double>({0, 1, 0.5, 0.5, 0.7, 0.3}, {3, 2});
  const Tensor d = jensen_shannon(p, q);
  CHECK(d.shape() == Shape{3});
  CHECK(std::abs(d.at({0}) - std::log(2.)) <= 1e-15);
  CHECK(d.at({1}) == 0);
  // Half the Kullback-Leibler divergences from (0.45, 0.55).
  const double half = 0.5 * (0.2 * std::log(0.2 / 0.45) + 0.8 * std::log(0.8 / 0.55) +
                             0.7 * std::log(0.7 / 0.45) + 0.3 * std::log(0.3 / 0.55));
  CHECK(std::abs(d.at({2}) - half) <= 1e-15);
  CHECK(std::abs(jensen_shannon(q, p).at({2}) - half) <= 1e-15);
}

TEST_CASE("total variation is half the distance") {
  const Tensor p = from_vector<double>({1, 0, 0, 0.5, 0.25, 0.25}, {2, 3});
  const Tensor q = from_vector<double>({0, 0.5, 0.5, 0.25, 0.5, 0.25}, {2, 3});
  const Tensor d = total_variation(p, q);
  CHECK(d.shape() == Shape{2});
  CHECK(d.at({0}) == 1);
  CHECK(d.at({1}) == 0.25);
}

TEST_CASE("divergences pass the gradient check, and are flat where both are the same") {
  Generator generator(3);
  const Tensor x = randn({2, 4}, generator, kFloat64), y = randn({2, 4}, generator, kFloat64);
  const auto of = [](auto divergence) {
    return [divergence](const Tensors& in) {
      return Tensors{divergence(softmax(in[0], -1), softmax(in[1], -1))};
    };
  };
  CHECK(gradcheck("jensen_shannon", of(jensen_shannon), {x, y}).failure == "");
  CHECK(gradcheck("total_variation", of(total_variation), {x, y}).failure == "");
  Tensor z = x.detach();
  z.set_requires_grad();
  const Tensor slope = grad(sum(jensen_shannon(softmax(z, -1), softmax(x, -1))), z);
  for (const double g : slope.to_vector<double>()) CHECK(std::abs(g) <= 1e-16);
}
