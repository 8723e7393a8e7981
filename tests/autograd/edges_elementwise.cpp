// Elementwise ops at the edges of their types: values, first and second derivatives against closed
// forms in long double, whose exponents are wide enough for every product on the way.
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

// What the sweep needs to know of an op of one operand.
struct Function {
  std::string name;
  std::function<Tensor(const Tensor&)> op;
  std::array<std::function<Wide(Wide)>, 3> exact;  // the value and two derivatives
  std::array<double, 3> ulps;                      // allowed, in float32 and in float64
  Wide low = -kHuge, high = kHuge;                 // where it is defined
  double decay = 0;  // what an e^-x that underflows is a factor of, at most; 0 without one
};

template <Tensor (*f)(const Tensor&)>
Tensor one(const Tensor& x) {
  return f(x);
}

Wide tanh_slope(Wide x) { return 4 * sigmoid_slope(2 * x); }
constexpr Wide kRoot2 = 1.41421356237309504880168872420969808L;
constexpr Wide kInvRoot2Pi = 0.39894228040143267793994605993438187L;
Wide normal_cdf(Wide x) { return std::erfc(-x / kRoot2) / 2; }
Wide density(Wide x) { return std::exp(-x * x / 2) * kInvRoot2Pi; }

// f(x) within +-end, where f - limit has long been 0 in every type; beyond, its limit.
std::function<Wide(Wide)> settling(Wide end, Wide below, Wide above, Wide (*f)(Wide)) {
  return [=](Wide x) { return x < -end ? below : x > end ? above : f(x); };
}

constexpr Wide kCubic = 0.044715L, kTanhScale = 2 * 0.79788456080286535587989211986876373L;
Wide inner(Wide x) { return kTanhScale * (x + kCubic * x * x * x); }
Wide inner_slope(Wide x) { return kTanhScale * (1 + 3 * kCubic * x * x); }

Function smooth_activation(std::string name, std::function<Tensor(const Tensor&)> op, Wide end,
                           Wide (*value)(Wide), Wide (*slope)(Wide), Wide (*curvature)(Wide),
                           std::array<double, 3> allowed, double decay) {
  return {std::move(name),
          std::move(op),
          {[=](Wide x) { return x < -end  ? 0
                                : x > end ? x
                                          : value(x); },
           settling(end, 0, 1, slope), settling(end, 0, 0, curvature)},
          allowed,
          -kHuge,
          kHuge,
          decay};
}

// Allowed errors are a few units in the last place; more where a rounded number is an exponent:
// e^-z makes z units of one in z, which is what a cubic polynomial has in the tanh form of gelu.
void add_activations(std::vector<Function>& all) {
  all.push_back({"tanh",
                 one<tanh>,
                 {[](Wide x) { return std::tanh(x); }, tanh_slope,
                  [](Wide x) { return -2 * std::tanh(x) * tanh_slope(x); }},
                 {4, 6, 8},
                 -kHuge,
                 kHuge,
                 1});
  all.push_back(
      {"sigmoid",
       one<sigmoid>,
       {sigmoid_at, sigmoid_slope, [](Wide x) { return -std::tanh(x / 2) * sigmoid_slope(x); }},
       {4, 6, 8},
       -kHuge,
       kHuge,
       1});
  all.push_back({"softplus",
                 one<softplus>,
                 {[](Wide x) { return std::max<Wide>(x, 0) + std::log1p(std::exp(-std::abs(x))); },
                  sigmoid_at, sigmoid_slope},
                 {4, 4, 8},
                 -kHuge,
                 kHuge,
                 1});
  all.push_back(smooth_activation(
      "silu", one<silu>, 12000, [](Wide x) { return x * sigmoid_at(x); },
      [](Wide x) { return sigmoid_at(x) * (1 + x * sigmoid_at(-x)); },
      [](Wide x) { return sigmoid_slope(x) * (2 - x * std::tanh(x / 2)); }, {4, 8, 8}, 800));
  all.push_back(smooth_activation(
      "gelu", [](const Tensor& x) { return gelu(x); }, 200,
      [](Wide x) { return x * normal_cdf(x); },
      [](Wide x) { return normal_cdf(x) + x * density(x); },
      [](Wide x) { return density(x) * (2 - x * x); }, {8, 8, 16}, 60));
  all.push_back(smooth_activation(
      "gelu, tanh form", [](const Tensor& x) { return gelu(x, Gelu::tanh); }, 60,
      [](Wide x) { return x * sigmoid_at(inner(x)); },
      [](Wide x) {
        const Wide z = inner(x);
        return sigmoid_at(z) * (1 + x * sigmoid_at(-z) * inner_slope(x));
      },
      [](Wide x) {
        const Wide z = inner(x), d = inner_slope(x);
        return sigmoid_slope(z) *
               (kTanhScale * (2 + 12 * kCubic * x * x) - x * d * d * std::tanh(z / 2));
      },
      {300, 300, 300}, 1500));
}

void add_kinked(std::vector<Function>& all) {
  all.push_back({"relu",
                 one<relu>,
                 {[](Wide x) { return std::max<Wide>(x, 0); },
                  [](Wide x) { return x > 0 ? 1.0L : 0.0L; }, [](Wide) { return 0.0L; }},
                 {0, 0, 0}});
  all.push_back(
      {"abs",
       one<abs>,
       {[](Wide x) { return std::abs(x); },
        [](Wide x) { return x > 0   ? 1.0L
                            : x < 0 ? -1.0L
                                    : 0.0L; }, [](Wide) { return 0.0L; }},
       {0, 0, 0}});
  all.push_back(
      {"clamp",
       [](const Tensor& x) { return clamp(x, -2, 8); },
       {[](Wide x) { return std::clamp(x, -2.0L, 8.0L); },
        [](Wide x) { return x >= -2 && x <= 8 ? 1.0L : 0.0L; }, [](Wide) { return 0.0L; }},
       {0, 0, 0}});
}

void add_powers(std::vector<Function>& all) {
  const auto e = [](Wide x) { return std::exp(x); };
  all.push_back({"exp", one<exp>, {e, e, e}, {2, 2, 2}, -kHuge, 11000, 1});
  all.push_back({"log",
                 one<log>,
                 {[](Wide x) { return std::log(x); }, [](Wide x) { return 1 / x; },
                  [](Wide x) { return -1 / (x * x); }},
                 {2, 1, 2},
                 0,
                 1e400L});
  all.push_back({"sqrt",
                 one<sqrt>,
                 {[](Wide x) { return std::sqrt(x); }, [](Wide x) { return 0.5L / std::sqrt(x); },
                  [](Wide x) { return -0.25L / (x * std::sqrt(x)); }},
                 {1, 2, 4},
                 0});
  all.push_back(
      {"rsqrt",
       one<rsqrt>,
       {[](Wide x) { return 1 / std::sqrt(x); }, [](Wide x) { return -0.5L / (x * std::sqrt(x)); },
        [](Wide x) { return 0.75L / (x * x * std::sqrt(x)); }},
       {2, 6, 10},
       0});
  all.push_back(
      {"square",
       [](const Tensor& x) { return pow(x, 2); },
       {[](Wide x) { return x * x; }, [](Wide x) { return 2 * x; }, [](Wide) { return 2.0L; }},
       {1, 1, 1}});
  for (double exponent : {3.0, -1.0, -2.0, 0.5, 0.01, 1.5}) {
    const Wide p = static_cast<Wide>(exponent);
    const bool whole = exponent == std::floor(exponent);
    all.push_back(
        {fmt::format("pow {}", exponent),
         [exponent](const Tensor& x) { return pow(x, exponent); },
         {[p](Wide x) { return std::pow(x, p); }, [p](Wide x) { return p * std::pow(x, p - 1); },
          [p](Wide x) { return p * (p - 1) * std::pow(x, p - 2); }},
         {40, 40, 40},
         whole ? -kHuge : 0,
         exponent == 0.01 ? 1e400L : kHuge});
  }
  all.push_back({"1 / x",
                 [](const Tensor& x) { return 1 / x; },
                 {[](Wide x) { return 1 / x; }, [](Wide x) { return -1 / (x * x); },
                  [](Wide x) { return 2 / (x * x * x); }},
                 {1, 2, 4}});
}

std::vector<Function> functions() {
  std::vector<Function> all;
  add_activations(all);
  add_kinked(all);
  add_powers(all);
  return all;
}

// Tails on either side of 0, subnormal, huge and infinite numbers.
Numbers edges(DType dtype) {
  Numbers sizes{1e-6, 1e-3, 0.1,   0.5,   0.9,   1,       2,    3,      4,   5,   6,
                8,    9,    10,    11,    12,    13,      14,   15,     17,  20,  30,
                50,   80,   87,    88,    88.5,  90,      95,   100,    103, 104, 110,
                1e4,  1e20, 1e-20, 1e-38, 1e-40, 1.5e-45, 1e38, 3.4e38, kInf};
  if (dtype == kFloat64)
    for (double size : {30.0, 37.0, 38.4, 500.0, 700.0, 709.0, 710.0, 740.0, 745.0, 800.0, 1e150,
                        1e-150, 1e200, 1e-200, 1e300, 1.7e308, 1e-308, 1e-310, 5e-324})
      sizes.push_back(size);
  Numbers both{0.0, -0.0};
  for (double size : sizes) both.insert(both.end(), {size, -size});
  return both;
}

Tensor first_order(const Tensor& y, const Tensor& x, double scale, bool recorded) {
  return grad(y, x, {{full(y.shape(), scale, y.dtype())}, true, recorded});
}

class Sweep {
 public:
  Sweep(const Function& f, DType dtype) : f_(f), dtype_(dtype) {
    for (double e : edges(dtype)) {
      const Wide at = std::isinf(e) ? (e > 0 ? kHuge : -kHuge) : static_cast<Wide>(e);
      if (at > f.low && at < f.high) points_.push_back(e);
      if (at == kHuge && f.high == kHuge) points_.push_back(e);
      if (at == -kHuge && f.low == -kHuge) points_.push_back(e);
    }
  }

  Worst run() {
    const Tensor x = leaf(points_, dtype_), y = f_.op(x);
    compare(0, y, x, 1);
    for (double scale : {1.0, -3.0, 0x1p-100, 0x1p100}) {
      compare(1, first_order(y, x, scale, false), x, scale);
      const Tensor slope = first_order(y, x, scale, true);
      compare(1, slope, x, scale);
      if (slope.requires_grad()) compare(2, first_order(slope, x, 1, false), x, scale);
    }
    return worst_;
  }

 private:
  void compare(int order, const Tensor& got, const Tensor& x, double scale) {
    const Numbers numbers = got.to_vector<double>(), at = x.to_vector<double>();
    const auto k = static_cast<size_t>(order);
    for (size_t i = 0; i < at.size(); ++i) {
      const Wide point =
          std::isinf(at[i]) ? (at[i] > 0 ? kHuge : -kHuge) : static_cast<Wide>(at[i]);
      const Wide value = f_.exact[0](point);
      if (order > 0 && !std::isinf(at[i]) && std::isinf(rounded(value, dtype_))) continue;
      const Wide want = static_cast<Wide>(scale) * f_.exact[k](point);
      const double least = std::max(1.0, f_.decay * (order > 0 ? std::abs(scale) : 1));
      const double error = ulps(numbers[i], want, dtype_, least);
      INFO(f_.name << ", " << to_string(dtype_) << ", order " << order << ", times " << scale
                   << ", at " << at[i] << ": " << numbers[i] << ", right is "
                   << static_cast<double>(want));
      CHECK(error <= f_.ulps[k]);
      worst_.note(order, error);
    }
  }

  const Function& f_;
  DType dtype_;
  Numbers points_;
  Worst worst_;
};

}  // namespace

TEST_CASE("functions of one number are right to the ends of their types, to second order") {
  std::string table =
      "units in the last place at the edges           float32               float64\n";
  for (const Function& f : functions()) {
    table += row(f.name, Sweep(f, kFloat32).run(), Sweep(f, kFloat64).run());
  }
  write_report("edges_elementwise", table);
}
