// Where a derivative jumps or does not exist: the table of docs/gradients.md. The numbers are what
// PyTorch 2.6 gives (torch.autograd.grad of the sum, float64); fixtures compare more of the same
// (cases `tie_*` of tests/fixtures/ops.safetensors).
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/tests/catch.h>

#include <cmath>

using namespace weft;
using Numbers = std::vector<double>;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor reals(const Numbers& v) { return from_vector(v, {static_cast<int64_t>(v.size())}); }

// An op that shares its name with one of the C library.
template <Tensor (*f)(const Tensor&)>
Tensor one(const Tensor& x) {
  return f(x);
}

// The gradient of the sum of f(x).
Numbers slope(const TensorFunction& f, const Numbers& at) {
  const TensorFunction total = [&f](const Tensor& x) { return sum(f({x})[0]); };
  return vjp(total, {reals(at)}, {ones({}, kFloat64)})[0].to_vector<double>();
}

// The gradients of the sum of f(a, b) by both.
std::vector<Numbers> slopes(Tensor (*f)(const Tensor&, const Tensor&), const Numbers& a,
                            const Numbers& b) {
  auto total = [f](const Tensors& in) { return sum(f(in[0], in[1])); };
  const Tensors d = vjp(total, {reals(a), reals(b)}, {ones({}, kFloat64)});
  return {d[0].to_vector<double>(), d[1].to_vector<double>()};
}

}  // namespace

TEST_CASE("kinks: relu, abs, clamp and l1_loss") {
  CHECK(slope(one<relu>, {-1, 0, 1}) == Numbers{0, 0, 1});
  CHECK(slope(one<abs>, {-1, 0, 1}) == Numbers{-1, 0, 1});
  auto both = [](const Tensor& x) { return clamp(x, -1, 1); };
  CHECK(slope(both, {-2, -1, 0, 1, 2}) == Numbers{0, 1, 1, 1, 0});
  auto point = [](const Tensor& x) { return clamp(x, 0.5, 0.5); };
  CHECK(slope(point, {0, 0.5, 1}) == Numbers{0, 1, 0});
  auto l1 = [](const Tensor& a, const Tensor& b) { return l1_loss(a, b, Reduction::none); };
  CHECK(slopes(l1, {1, 2, 3}, {1, 3, 2}) == std::vector<Numbers>{{0, -1, 1}, {0, 1, -1}});
}

TEST_CASE("ties: operands share the gradient, and so do equal elements") {
  CHECK(slopes(maximum, {1, 2, 3}, {1, 5, 0}) == std::vector<Numbers>{{0.5, 0, 1}, {0.5, 1, 0}});
  CHECK(slopes(minimum, {1, 2, 3}, {1, 5, 0}) == std::vector<Numbers>{{0.5, 1, 0}, {0.5, 0, 1}});
  for (const Shape& dims : {Shape{}, Shape{0}}) {  // as amax and amin
    auto largest = [&](const Tensor& x) { return max(x, dims); };
    auto smallest = [&](const Tensor& x) { return min(x, dims); };
    CHECK(slope(largest, {1, 3, 3}) == Numbers{0, 0.5, 0.5});
    CHECK(slope(smallest, {1, 1, 3}) == Numbers{0.5, 0.5, 0});
  }
}

TEST_CASE("kinks: powers, roots and logarithms of zero") {
  auto power = [](double exponent) {
    return [exponent](const Tensor& x) { return pow(x, exponent); };
  };
  CHECK(slope(power(0), {0, 1}) == Numbers{0, 0});
  CHECK(slope(power(1), {0, 1}) == Numbers{1, 1});
  CHECK(slope(power(2), {0, 1}) == Numbers{0, 2});
  CHECK(slopes([](const Tensor& a, const Tensor& b) { return pow(a, b); }, {0, 0, 0}, {0, 1, 2}) ==
        std::vector<Numbers>{{0, 1, 0}, {0, 0, 0}});
  CHECK(slope(one<sqrt>, {0, 1}) == Numbers{kInf, 0.5});
  CHECK(slope(one<rsqrt>, {0, 1}) == Numbers{-kInf, -0.5});
  CHECK(slope(one<log>, {0, 1}) == Numbers{kInf, 1});
  CHECK(slope([](const Tensor& x) { return var(x); }, {2, 2}) == Numbers{0, 0});
}

TEST_CASE("kinks: what differs from PyTorch is zero where PyTorch has NaN") {
  auto lse = [](const Tensor& x) { return logsumexp(x, {0}); };
  CHECK(slope(lse, {-kInf, -kInf}) == Numbers{0, 0});
}
