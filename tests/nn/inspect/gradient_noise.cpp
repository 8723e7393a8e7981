// Signal and noise of gradients against loops over all of them, and against known distributions.
#include <weft/autograd/autograd.h>
#include <weft/nn/attention/multihead_attention.h>
#include <weft/nn/inspect/gradient_noise.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

namespace {

// A parameter whose gradient is `g`.
NamedTensor with_gradient(const std::string& name, const Tensor& g) {
  Tensor p = zeros(g.shape(), g.dtype()).set_requires_grad();
  p.set_grad(g);
  return {name, p};
}

// |mean|^2 / sum of variances of these numbers, [steps][elements begin .. end - 1].
double ratio(const std::vector<std::vector<double>>& steps, size_t begin, size_t end) {
  const auto n = static_cast<double>(steps.size());
  double signal = 0, noise = 0;
  for (size_t e = begin; e < end; ++e) {
    double mean = 0;
    for (const auto& g : steps) mean += g[e] / n;
    signal += mean * mean;
    for (const auto& g : steps) noise += (g[e] - mean) * (g[e] - mean) / (n - 1);
  }
  return signal / noise;
}

}  // namespace

TEST_CASE("signal to noise is that of all gradients at once, also after a reset") {
  GradientNoise noise;
  for (uint64_t round : {uint64_t{0}, uint64_t{100}}) {
    noise.reset();
    std::vector<std::vector<double>> steps;
    for (uint64_t s = 1; s <= 5; ++s) {
      const Tensor g = normal({6, 3}, round + s) + 0.5;
      steps.push_back(g.to_vector<double>());
      noise.add({with_gradient("w", g), {"frozen", zeros({2})}});
    }
    CHECK(std::abs(noise.signal_to_noise("w").item() - ratio(steps, 0, 18)) < kClose);
    const Tensor groups = noise.signal_to_noise("w", 3);
    REQUIRE(groups.shape() == Shape{3});
    for (size_t k = 0; k < 3; ++k)
      CHECK(std::abs(groups.at({static_cast<int64_t>(k)}) - ratio(steps, 6 * k, 6 * k + 6)) <
            kClose);
  }
}

TEST_CASE("signal and noise make up the mean square") {
  for (const DType dtype : {kFloat32, kFloat64}) {
    GradientNoise noise;
    double power = 0;
    for (uint64_t s = 1; s <= 4; ++s) {
      const Tensor g = to(normal({3, 21}, s), dtype);  // more than a kernel takes at once
      for (const double x : to(g, kFloat64).to_vector<double>()) power += x * x / 4;
      noise.add({with_gradient("w", g)});
    }
    CHECK(noise.count("w") == 4);
    CHECK(noise.count("v") == 0);
    const double found = noise.signal("w").item() + noise.noise("w").item() * 3 / 4;
    CHECK(std::abs(found - power) < (dtype == kFloat32 ? 1e-5 : kClose) * power);
    const Tensor ratio = noise.signal("w", 3) / noise.noise("w", 3);
    CHECK(ratio.to_vector<double>() == noise.signal_to_noise("w", 3).to_vector<double>());
  }
}

// n samples of N(mu, sigma^2) in D dims: |mean|^2 is D mu^2 + D sigma^2 / n, the noise D sigma^2.
TEST_CASE("signal to noise of known distributions") {
  constexpr int64_t kDims = 4000, kSteps = 50;
  for (const double mu : {0.0, 0.3}) {
    GradientNoise noise;
    for (uint64_t s = 1; s <= kSteps; ++s)
      noise.add({with_gradient("w", normal({kDims}, s) * 2 + mu)});
    const double expected = mu * mu / 4 + 1.0 / kSteps;
    CHECK(std::abs(noise.signal_to_noise("w").item() - expected) < 0.05 * expected);
  }
  GradientNoise constant;
  for (int s = 0; s < 3; ++s)
    constant.add({with_gradient("w", ones({2})), with_gradient("none", zeros({2}))});
  CHECK(std::isinf(constant.signal_to_noise("w").item()));
  CHECK(std::isnan(constant.signal_to_noise("none").item()));
}

TEST_CASE("a large mean costs no digits of the variance") {
  GradientNoise noise;
  for (const double g : {1e8 + 1, 1e8 + 2, 1e8 + 3})
    noise.add({with_gradient("w", scalar(g, kFloat64))});
  CHECK(std::abs(noise.signal_to_noise("w").item() / ((1e8 + 2) * (1e8 + 2)) - 1) < 1e-12);
}

TEST_CASE("signal to noise of each head") {
  MultiheadAttention attention({.embed_dim = 4, .num_heads = 2, .batch_first = true}, Generator(1));
  attention.to(kFloat64);
  GradientNoise noise;
  std::vector<std::vector<double>> steps;
  for (uint64_t s = 1; s <= 4; ++s) {
    const Tensor x = normal({2, 3, 4}, s);
    attention.zero_grad();
    const Tensor y = attention(x, x, x).output;
    sum(y * y).backward();
    noise.add(attention.named_parameters());
    steps.push_back(attention.in_proj_weight.grad().to_vector<double>());
  }
  const Tensor found = noise.signal_to_noise("in_proj_weight", 6);
  for (size_t k = 0; k < 6; ++k)  // 2 rows of 4 for each head of queries, keys, values
    CHECK(std::abs(found.at({static_cast<int64_t>(k)}) - ratio(steps, 8 * k, 8 * k + 8)) < kClose);
}

TEST_CASE("gradient noise says what it expects") {
  GradientNoise noise;
  noise.add({with_gradient("w", ones({4, 2}))});
  CHECK(message_of([&] { noise.signal_to_noise("w"); }) ==
        "gradient noise: expected at least 2 gradients of \"w\"; got 1");
  CHECK(message_of([&] { noise.signal_to_noise("v"); }) ==
        "gradient noise: expected at least 2 gradients of \"v\"; got 0");
  CHECK(message_of([&] {
          noise.add({with_gradient("w", ones({2, 4}))});
        }) == "gradient noise: expected a gradient [4, 2] of w as before; got [2, 4]");
  noise.add({with_gradient("w", ones({4, 2}))});
  CHECK(message_of([&] { noise.signal_to_noise("w", 3); }) ==
        "gradient noise: expected a number of groups that divides 4 rows; got 3");
}
