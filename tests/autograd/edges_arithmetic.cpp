// Ops of two operands at the edges of their types, and losses on logits in their tails: values,
// first and second derivatives against closed forms.
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/tests/autograd/edges.h>
#include <weft/tests/catch.h>
#include <weft/tests/report.h>

#include <array>
#include <cmath>
#include <functional>
#include <string>

using namespace weft;
using namespace weft::extremes;

namespace {

// An op of two operands: value and derivatives, first and second, with respect to a, b.
struct Function2 {
  std::string name;
  std::function<Tensor(const Tensor&, const Tensor&)> op;
  using Exact = std::function<Wide(Wide, Wide)>;
  Exact value;
  std::array<Exact, 2> slopes;
  std::array<std::array<Exact, 2>, 2> curvatures;
  double ulps;
};

Wide log_at(Wide x) { return x > 0 ? std::log(x) : 0; }

std::vector<Function2> functions2() {
  const auto zero = [](Wide, Wide) { return 0.0L; };
  const auto one = [](Wide, Wide) { return 1.0L; };
  const auto by_square = [](Wide, Wide b) { return -1 / (b * b); };
  const auto mixed = [](Wide a, Wide b) {
    return (b == 0 ? 1 / a : std::pow(a, b - 1)) * (1 + b * log_at(a));
  };
  return {
      {"a * b",
       [](const Tensor& a, const Tensor& b) { return a * b; },
       [](Wide a, Wide b) { return a * b; },
       {[](Wide, Wide b) { return b; }, [](Wide a, Wide) { return a; }},
       {{{zero, one}, {one, zero}}},
       1},
      {"a / b",
       [](const Tensor& a, const Tensor& b) { return a / b; },
       [](Wide a, Wide b) { return a / b; },
       {[](Wide, Wide b) { return 1 / b; }, [](Wide a, Wide b) { return -a / (b * b); }},
       {{{zero, by_square}, {by_square, [](Wide a, Wide b) { return 2 * a / (b * b * b); }}}},
       3},
      {"a^b",
       [](const Tensor& a, const Tensor& b) { return pow(a, b); },
       [](Wide a, Wide b) { return std::pow(a, b); },
       {[](Wide a, Wide b) { return b == 0 ? 0 : b * std::pow(a, b - 1); },
        [](Wide a, Wide b) { return std::pow(a, b) * log_at(a); }},
       {{{[](Wide a, Wide b) { return b == 0 ? 0 : b * (b - 1) * std::pow(a, b - 2); }, mixed},
         {mixed, [](Wide a, Wide b) { return std::pow(a, b) * log_at(a) * log_at(a); }}}},
       300},
  };
}

// All pairs of numbers at the ends of the type; for a^b exponents that do not send all to an end.
struct Pairs {
  Numbers a, b;
  Pairs(const Function2& f, DType dtype) {
    const bool power = f.name == "a^b";
    Numbers bases{1, 0.5, 3, 1e-10, 1e-20, 1e-30, 1e-38, 1e-39, 1.5e-45, 1e10, 1e20, 1e38, 3.4e38};
    if (dtype == kFloat64)
      for (double size : {1e-100, 1e-160, 1e-300, 1e-310, 5e-324, 1e100, 1e160, 1e300, 1.7e308})
        bases.push_back(size);
    for (double base : bases)
      for (double other : power ? Numbers{0, 1, 2, 3, 0.5, -0.5, -1, 1e-3, 1e-30} : bases) {
        a.insert(a.end(), {base, power ? base : -base});
        b.insert(b.end(), {other, other});
      }
    if (power) return;
    for (double other : bases) {
      a.push_back(0);
      b.push_back(-other);
    }
  }
};

class Sweep2 {
 public:
  Sweep2(const Function2& f, DType dtype)
      : f_(f),
        dtype_(dtype),
        pairs_(f, dtype),
        a_(leaf(pairs_.a, dtype)),
        b_(leaf(pairs_.b, dtype)) {}

  Worst run() {
    const Tensor y = f_.op(a_, b_);
    compare(0, y, f_.value, 1, {});
    const double far = dtype_ == kFloat64 ? 0x1p900 : 0x1p100;
    for (double scale : {1.0, 1 / far, far}) {
      const GradOptions plain{{full(y.shape(), scale, dtype_)}, true, false};
      const GradOptions recorded{plain.grad_outputs, true, true};
      const Tensors first = grad({y}, {a_, b_}, plain), again = grad({y}, {a_, b_}, recorded);
      for (size_t i = 0; i < 2; ++i) {
        compare(1, first[i], f_.slopes[i], scale, {});
        compare(1, again[i], f_.slopes[i], scale, {});
        if (scale == 1) second(again[i], i);
      }
    }
    return worst_;
  }

 private:
  void second(const Tensor& slope, size_t i) {
    const GradOptions options{{ones(slope.shape(), dtype_)}, true, false, true};
    const Tensors found = grad({slope}, {a_, b_}, options);
    for (size_t j = 0; j < 2; ++j)
      if (found[j].defined()) compare(2, found[j], f_.curvatures[i][j], 1, f_.slopes[i]);
  }

  // Where value or slope leave the type's range, what they are factors of is not compared; where a
  // second derivative does, its terms may be infinities of either sign.
  void compare(int order, const Tensor& got, const Function2::Exact& exact, double scale,
               const Function2::Exact& slope) {
    const Numbers numbers = got.to_vector<double>(), a = a_.to_vector<double>(),
                  b = b_.to_vector<double>();
    for (size_t i = 0; i < a.size(); ++i) {
      const Wide u = static_cast<Wide>(a[i]), v = static_cast<Wide>(b[i]);
      if (order > 0 && std::isinf(rounded(f_.value(u, v), dtype_))) continue;
      if (order > 0 && f_.name == "a^b" && !normal(f_.value(u, v))) continue;
      if (slope && slope(u, v) != 0 && !normal(slope(u, v))) continue;
      const Wide want = static_cast<Wide>(scale) * exact(u, v);
      if (order == 2 && std::isinf(rounded(want, dtype_)) && !std::isfinite(numbers[i])) continue;
      const double error = ulps(numbers[i], want, dtype_, 1);
      INFO(f_.name << ", " << to_string(dtype_) << ", order " << order << ", times " << scale
                   << ", at " << a[i] << " and " << b[i] << ": " << numbers[i] << ", right is "
                   << static_cast<double>(want));
      CHECK(error <= f_.ulps);
      worst_.note(order, error);
    }
  }

  bool normal(Wide x) const {
    const Limits limits = limits_of(dtype_);
    return std::abs(x) < limits.largest && std::abs(x) > limits.least / limits.epsilon;
  }

  const Function2& f_;
  DType dtype_;
  Pairs pairs_;
  Tensor a_, b_;
  Worst worst_;
};

}  // namespace

TEST_CASE("products, quotients and powers are right to the ends of their types, to second order") {
  std::string table;
  for (const Function2& f : functions2())
    table += row(f.name, Sweep2(f, kFloat32).run(), Sweep2(f, kFloat64).run());
  write_report("edges_binary", table);
}

TEST_CASE("slopes of finite numbers are finite though factors of theirs are not") {
  for (DType dtype : {kFloat32, kFloat64}) {
    const bool wide = dtype == kFloat64;
    const double subnormal = wide ? 1e-310 : 1e-40;
    const Tensor a = full({}, subnormal, dtype).set_requires_grad();
    const Tensor b = zeros({}, dtype).set_requires_grad();
    const Tensors of_power = grad({pow(a, b)}, {a, b});
    CHECK(of_power[0].item() == 0);
    CHECK(of_power[1].item() == Approx(std::log(a.item())));
    const auto quotient = [&](double u, double v, double g) {
      const Tensor p = full({}, u, dtype), q = full({}, v, dtype).set_requires_grad();
      return grad(p / q, q, {{full({}, g, dtype)}}).item();
    };
    CHECK(quotient(0, subnormal, 1) == 0);
    CHECK(quotient(1e-30, 1e-10, 1e30) == Approx(-1e20));
    CHECK(quotient(1e38, 1e20, 1e-30) == Approx(-1e-32));
    if (wide) {
      CHECK(quotient(1e-300, 1e-100, 1e300) == Approx(-1e200));
      CHECK(quotient(1e300, 1e200, 1e-30) == Approx(-1e-130));
    }
  }
}

TEST_CASE("rms_norm is right where squares leave their type's range") {
  for (DType dtype : {kFloat32, kFloat64}) {
    const double far = dtype == kFloat64 ? 1e200 : 1e25;
    for (double size : {1.0, far, 1 / far}) {
      const double eps = size < 1 ? 0 : 1e-6;
      const Tensor x = to(from_vector(Numbers{3 * size, -4 * size, 1, 2}, {2, 2}), dtype)
                           .detach()
                           .set_requires_grad();
      const Tensor y = rms_norm(x, {}, eps);
      CAPTURE(to_string(dtype), size);
      const Wide root = std::sqrt(12.5L);
      CHECK(y.to_vector<double>()[0] == Approx(static_cast<double>(3 / root)));
      CHECK(y.to_vector<double>()[1] == Approx(static_cast<double>(-4 / root)));
      CHECK(y.to_vector<double>()[3] == Approx(2 / std::sqrt(2.5)));
      const Tensor weights = to(from_vector(Numbers{1, 2, 1, 2}, {2, 2}), dtype);
      const Numbers slope = grad(sum(y * weights), x).to_vector<double>();
      // (w - y mean(w y)) / (root size), y = (3, -4) / root, mean(w y) = -2.5 / root
      CHECK(slope[0] * size == Approx(static_cast<double>((1 + 3 * 2.5L / 12.5L) / root)));
      CHECK(slope[1] * size == Approx(static_cast<double>((2 - 4 * 2.5L / 12.5L) / root)));
    }
  }
}

TEST_CASE("binary cross-entropy keeps its digits where the logit agrees with the target") {
  for (DType dtype : {kFloat32, kFloat64}) {
    const double tolerance = dtype == kFloat64 ? 1e-14 : 1e-6;
    const auto close = [&](double got, Wide want) {
      CHECK(std::abs(got - static_cast<double>(want)) <=
            tolerance * std::abs(static_cast<double>(want)) + 1e-300);
    };
    for (bool weighted : {false, true})
      for (double logit : {-80.0, -20.0, -15.0, -1.0, 0.0, 1.0, 15.0, 20.0, 80.0})
        for (double target : {0.0, 1.0, 0.25}) {
          CAPTURE(to_string(dtype), weighted, logit, target);
          const Tensor x = full({}, logit, dtype).set_requires_grad();
          const Tensor t = full({}, target, dtype);
          const Tensor loss = binary_cross_entropy_with_logits(
              x, t, Reduction::mean, weighted ? full({}, 2, dtype) : Tensor());
          const Wide z = static_cast<Wide>(logit), hit = static_cast<Wide>(target * (weighted + 1)),
                     miss = 1 - static_cast<Wide>(target);
          const auto softplus_at = [](Wide v) {
            return std::max<Wide>(v, 0) + std::log1p(std::exp(-std::abs(v)));
          };
          close(loss.item(), miss * softplus_at(z) + hit * softplus_at(-z));
          const Tensor slope = grad(loss, x, {{}, true, true});
          const Wide right = miss * sigmoid_at(z) - hit * sigmoid_at(-z);
          if (right != 0) close(slope.item(), right);
          close(grad(loss, x, {{}, true}).item(), right);
          close(grad(slope, x).item(), (miss + hit) * sigmoid_slope(z));
        }
  }
  const Tensor x = tensor({-20.0}).set_requires_grad();
  const Tensor loss = binary_cross_entropy_with_logits(x, zeros({1}));
  CHECK(loss.item() == Approx(2.0611537e-9));
  CHECK(grad(loss, x).item() == Approx(2.0611537e-9));
}
