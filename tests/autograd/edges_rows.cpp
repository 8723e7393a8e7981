// Softmaxes and their losses, norms and attention at the edges of what a row may hold: numbers so
// large that what distinguishes them is rounded away, equal ones, infinities, weights of no size.
// Values, gradients (fused and composed) and second order against closed forms, in both dtypes.
#include <weft/autograd/functional.h>
#include <weft/autograd/ops.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <limits>

using namespace weft;
using Numbers = std::vector<double>;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr DType kDTypes[] = {kFloat32, kFloat64};

double epsilon(DType dtype) {
  return dtype == kFloat32 ? static_cast<double>(std::numeric_limits<float>::epsilon())
                           : std::numeric_limits<double>::epsilon();
}

double lowest(DType dtype) {
  return dtype == kFloat32 ? static_cast<double>(std::numeric_limits<float>::lowest())
                           : std::numeric_limits<double>::lowest();
}

Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }

Tensor row(const Numbers& v, DType dtype) {
  return to(from_vector(v, {static_cast<int64_t>(v.size())}), dtype);
}

// Equal to a few units in the last place of the largest, infinities and NaN by themselves.
void check_near(const Numbers& got, const Numbers& want, DType dtype, double ulps = 8) {
  CAPTURE(got, want, to_string(dtype));
  REQUIRE(got.size() == want.size());
  double size = 0;
  for (double v : want) size = std::isfinite(v) ? std::max(size, std::abs(v)) : size;
  for (size_t i = 0; i < got.size(); ++i)
    if (std::isfinite(want[i]))
      CHECK(std::abs(got[i] - want[i]) <= ulps * epsilon(dtype) * size);
    else
      CHECK((got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]))));
}

using Function = std::function<Tensor(const Tensor&)>;

// The gradient of sum f(x), as training makes it (fused), and as a recorded function (composed).
void check_slope(const Function& f, const Tensor& x, const Numbers& want, double ulps = 8) {
  auto slope = [&](bool create_graph) {
    Tensor u = clone(x).set_requires_grad();
    return numbers(grad(sum(f(u)), u, {.create_graph = create_graph}));
  };
  check_near(slope(false), want, x.dtype(), ulps);
  check_near(slope(true), want, x.dtype(), ulps);
}

// The Hessian of sum f(x).
void check_curvature(const Function& f, const Tensor& x, const Numbers& want, double ulps = 8) {
  check_near(numbers(hessian([&](const Tensor& u) { return sum(f(u)); }, x)), want, x.dtype(),
             ulps);
}

// diag(p) - p p^T
Numbers softmax_curvature(const Numbers& p) {
  Numbers h;
  for (size_t i = 0; i < p.size(); ++i)
    for (size_t j = 0; j < p.size(); ++j) h.push_back((i == j ? p[i] : 0) - p[i] * p[j]);
  return h;
}

const Numbers kThirds(3, 1.0 / 3);

}  // namespace

TEST_CASE("edges: cross_entropy of equal logits of any size") {
  const Numbers want = {-2.0 / 3, 1.0 / 3, 1.0 / 3};
  const Tensor target = tensor({0});
  auto loss = [&](const Tensor& z) { return cross_entropy(unsqueeze(z, 0), target); };
  auto smooth = [&](const Tensor& z) {
    return cross_entropy(unsqueeze(z, 0), target, {.label_smoothing = 0.3});
  };
  for (const DType dtype : kDTypes)
    for (const double size : {0.0, 1e5, 1e7, 1e8, -1e8, 1e30, 0.5 * lowest(dtype), lowest(dtype)}) {
      const Tensor z = full({3}, size, dtype);
      CAPTURE(size);
      CHECK(loss(z).item() == Approx(std::log(3)).epsilon(1e-6));
      check_slope(loss, z, want);
      check_slope(smooth, z, {-1.4 / 3, 0.7 / 3, 0.7 / 3});
      check_curvature(loss, z, softmax_curvature(kThirds));
    }
}

TEST_CASE("edges: linear_cross_entropy of equal logits of any size") {
  for (const DType dtype : kDTypes)
    for (const Reduction reduction : {Reduction::none, Reduction::mean})
      for (const double size : {1e5, 1e8, 1e30}) {
        const Tensor weight = full({3, 1}, 1, dtype), target = tensor({0});
        auto loss = [&](const Tensor& bias) {
          return linear_cross_entropy(full({1, 1}, size, dtype), weight, bias, target,
                                      {.reduction = reduction});
        };
        const Tensor bias = zeros({3}, dtype);
        check_slope(loss, bias, {-2.0 / 3, 1.0 / 3, 1.0 / 3});
        check_curvature(loss, bias, softmax_curvature(kThirds));
      }
}

TEST_CASE("edges: class weights of any size and sign, as their ratios") {
  const Numbers logits = {0.5, -1, 2, 0.25, 1, -0.5}, ratios = {1, 3, -0.5};
  const Tensor target = tensor({0, 2});
  for (const DType dtype : kDTypes) {
    const Tensor z = to(from_vector(logits, {2, 3}), dtype);
    const Tensor losses = cross_entropy(to(z, kFloat64), target, {.reduction = Reduction::none});
    const Numbers each = numbers(losses), p = numbers(softmax(to(z, kFloat64), 1));
    const double share = 1 / (1 - 0.5), other = -0.5 / (1 - 0.5);
    const double want = share * each[0] + other * each[1];
    const Numbers slope = {share * (p[0] - 1), share * p[1], share * p[2],
                           other * p[3],       other * p[4], other * (p[5] - 1)};
    for (const double unit : {1.0, 1e-40, 1e38, dtype == kFloat64 ? 1e-320 : 1e-44, -1.0}) {
      const CrossEntropyOptions o{row(ratios, kFloat64) * unit};
      CAPTURE(unit);
      auto fused = [&](const Tensor& x) { return cross_entropy(x, target, o); };
      auto picked = [&](const Tensor& x) { return nll_loss(log_softmax(x, 1), target, o); };
      const Tensor identity = to(from_vector<double>({1, 0, 0, 0, 1, 0, 0, 0, 1}, {3, 3}), dtype);
      auto blocked = [&](const Tensor& x) {
        return linear_cross_entropy(x, identity, {}, target, o);
      };
      for (const Function& f : {Function(fused), Function(picked), Function(blocked)}) {
        check_near({f(z).item()}, {want}, dtype, 32);
        check_slope(f, z, slope, 32);
      }
    }
  }
}

TEST_CASE("edges: label smoothing and logits of minus infinity") {
  const Tensor target = tensor({0});
  for (const DType dtype : kDTypes) {
    const Tensor z = to(from_vector<double>({0, -kInf, 0}, {1, 3}), dtype);
    auto plain = [&](const Tensor& x) { return cross_entropy(x, target); };
    auto smooth = [&](const Tensor& x) {
      return cross_entropy(x, target, {.label_smoothing = 0.3});
    };
    CHECK(plain(z).item() == Approx(std::log(2)));
    check_slope(plain, z, {-0.5, 0, 0.5});
    CHECK(smooth(z).item() == kInf);
    check_slope(smooth, z, {0.5 - 0.8, -0.1, 0.5 - 0.1});
  }
}

TEST_CASE("edges: attention whose mask shifts all scores of a row far down") {
  for (const DType dtype : kDTypes)
    for (const double size : {-1e5, -1e9, -1e30, lowest(dtype)})
      for (const bool causal : {false, true})
        for (const double dropout : {0.0, 0.5}) {
          Generator gen(3);
          const Tensor q = zeros({1, 1, 3, 4}, dtype), k = randn({1, 1, 5, 4}, gen, dtype),
                       v = randn({1, 1, 5, 2}, gen, dtype), dy = randn({1, 1, 3, 2}, gen, dtype);
          const AttentionOptions zero{.causal = causal, .dropout = dropout, .key = {5, 1}};
          AttentionOptions o = zero;
          o.mask = full({3, 5}, size, dtype);
          auto slopes = [&](const AttentionOptions& options, bool weights, bool create_graph) {
            Tensors in = {clone(q), clone(k), clone(v)};
            for (Tensor& t : in) t.set_requires_grad();
            const Tensor y = weights ? attention_with_weights(in[0], in[1], in[2], options).output
                                     : scaled_dot_product_attention(in[0], in[1], in[2], options);
            Tensors d = grad({y}, in, {.grad_outputs = {dy}, .create_graph = create_graph});
            d.push_back(y.detach());
            return d;
          };
          const Tensors want = slopes(zero, false, false);
          CAPTURE(size, causal, dropout);
          for (const bool weights : {false, true})
            for (const bool create_graph : {false, true}) {
              CAPTURE(weights, create_graph);
              const Tensors got = slopes(o, weights, create_graph);
              for (size_t i = 0; i < 4; ++i)
                check_near(numbers(got[i]), numbers(want[i]), dtype, 64);
            }
        }
}

TEST_CASE("edges: logsumexp and log_softmax of equal numbers of any size") {
  auto lse = [](const Tensor& x) { return logsumexp(x, {0}); };
  auto middle = [](const Tensor& x) {
    return logsumexp(expand(reshape(x, {1, 3, 1}), {2, 3, 2}), {1}) * 0.25;
  };
  auto first = [](const Tensor& x) { return select(log_softmax(x, 0), 0, 0); };
  for (const DType dtype : kDTypes)
    for (const double size : {0.0, 1e5, 1e7, 1e8, -1e8, 1e30, lowest(dtype)}) {
      const Tensor x = full({3}, size, dtype);
      CAPTURE(size);
      for (const Function& f : {Function(lse), Function(middle)}) {
        check_slope(f, x, kThirds);
        check_curvature(f, x, softmax_curvature(kThirds));
      }
      check_near({first(x).item()}, {-std::log(3)}, dtype);
      check_slope(first, x, {2.0 / 3, -1.0 / 3, -1.0 / 3});
      Numbers curvature = softmax_curvature(kThirds);
      for (double& h : curvature) h = -h;
      check_curvature(first, x, curvature);
    }
}

TEST_CASE("edges: softmaxes of infinities, as in PyTorch") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  auto lse = [](const Tensor& x) { return logsumexp(x, {0}); };
  auto first = [](const Tensor& x) { return select(log_softmax(x, 0), 0, 0); };
  for (const DType dtype : kDTypes) {
    const Tensor some = row({0, -kInf, 0}, dtype), none = full({2}, -kInf, dtype);
    check_near(numbers(lse(some)), {std::log(2)}, dtype);
    check_slope(lse, some, {0.5, 0, 0.5});
    check_curvature(lse, some, {0.25, 0, -0.25, 0, 0, 0, -0.25, 0, 0.25});
    check_near(numbers(log_softmax(some, 0)), {-std::log(2), -kInf, -std::log(2)}, dtype);
    check_slope(first, some, {0.5, 0, -0.5});
    check_curvature(first, some, {-0.25, 0, 0.25, 0, 0, 0, 0.25, 0, -0.25});
    check_near(numbers(softmax(some, 0)), {0.5, 0, 0.5}, dtype);

    CHECK(lse(none).item() == -kInf);
    check_slope(lse, none, {0, 0});
    check_curvature(lse, none, {0, 0, 0, 0});
    check_near(numbers(log_softmax(none, 0)), {kNan, kNan}, dtype);
    check_near(numbers(softmax(none, 0)), {kNan, kNan}, dtype);

    check_near(numbers(lse(row({0, kInf}, dtype))), {kInf}, dtype);
    check_slope(lse, row({0, kInf}, dtype), {0, kNan});
    check_near(numbers(lse(row({kNan, kInf}, dtype))), {kNan}, dtype);
    check_near(numbers(lse(row({kInf, kNan}, dtype))), {kNan}, dtype);
  }
}

TEST_CASE("edges: sums and means overflow only where the result does") {
  for (const DType dtype : kDTypes) {
    const double most = -lowest(dtype);
    const Tensor pair = row({most, most, -most}, dtype);
    for (const int64_t inner : {1, 5, 300}) {  // lines and columns
      const Tensor x = expand(reshape(pair, {3, 1}), {3, inner});
      CHECK(numbers(sum(x, {0})) == Numbers(static_cast<size_t>(inner), most));
      const Tensor equal = full({40, inner}, most, dtype);
      check_near(numbers(mean(equal, {0})), Numbers(static_cast<size_t>(inner), most), dtype);
      CHECK(numbers(sum(equal, {0})) == Numbers(static_cast<size_t>(inner), kInf));
      CHECK(numbers(var(equal, {0})) == Numbers(static_cast<size_t>(inner), 0));
    }
    check_slope([](const Tensor& x) { return mean(x); }, pair, kThirds);
    CHECK(numbers(sum(row({kInf, 1}, dtype), {0})) == Numbers{kInf});
    CHECK(std::isnan(sum(row({kInf, -kInf}, dtype)).item()));
  }
}

TEST_CASE("edges: the variance of equal numbers is exactly 0, of near ones theirs") {
  auto spread = [](const Tensor& x) { return var(x, {0}, 0); };
  for (const DType dtype : kDTypes)
    for (const double size : {0.1, 123456.7, 1e7, 1e20, 1e-30})
      for (const int64_t n : {1, 3, 255, 1000}) {
        CAPTURE(size, n, to_string(dtype));
        const Tensor x = full({n}, size, dtype);
        CHECK(spread(x).item() == 0);
        CHECK(numbers(var(expand(unsqueeze(x, 1), {n, 4}), {0}, 0)) == Numbers(4, 0));
        check_slope(spread, x, Numbers(static_cast<size_t>(n), 0));
      }
  for (const DType dtype : kDTypes) {  // steps of one unit in the last place, whose mean is none
    const double step = dtype == kFloat32 ? 1 : 0x1p-29;
    const Tensor x = row({1e7, 1e7 + step, 1e7 + step}, dtype);
    check_near(numbers(spread(x)), {step * step * 2 / 9}, dtype);
    check_slope(spread, x, {-step * 4 / 9, step * 2 / 9, step * 2 / 9});
    check_curvature(spread, x,
                    {4. / 9, -2. / 9, -2. / 9, -2. / 9, 4. / 9, -2. / 9, -2. / 9, -2. / 9, 4. / 9});
  }
}

namespace {

struct Norm {
  const char* name;
  std::function<Tensor(const Tensor&, double)> f;  // of x and eps
};

std::vector<Norm> layer_norms() {
  return {{"layer_norm", [](const Tensor& x, double eps) { return layer_norm(x, {}, {}, eps); }},
          {"residual_layer_norm", [](const Tensor& x, double eps) {
             return residual_layer_norm(x * 0.5, x * 0.5, {}, {}, {.eps = eps});
           }}};
}

std::vector<Norm> all_norms() {
  std::vector<Norm> norms = layer_norms();
  norms.push_back({"rms_norm", [](const Tensor& x, double eps) { return rms_norm(x, {}, eps); }});
  return norms;
}

// A cotangent that is neither constant nor, in a norm, orthogonal to what it meets.
Tensor cotangent(const Tensor& y) {
  Numbers v(static_cast<size_t>(y.numel()));
  for (size_t i = 0; i < v.size(); ++i) v[i] = 1 + static_cast<double>(i * i % 7);
  return to(from_vector(v, y.shape()), y.dtype());
}

}  // namespace

TEST_CASE("edges: layer_norm of equal numbers is exactly 0") {
  for (const Norm& norm : layer_norms())
    for (const DType dtype : kDTypes)
      for (const double size : {0.1, 123456.7, 1e7, 1e20, lowest(dtype), 0.0})
        for (const int64_t n : {1, 3, 255, 1000}) {
          CAPTURE(norm.name, size, n);
          const Tensor x = full({n}, size, dtype);
          CHECK(numbers(norm.f(x, 1e-5)) == Numbers(static_cast<size_t>(n), 0));
          // (g - avg g) / sqrt(eps), which numbers of this size need a unit for
          const Tensor dy = cotangent(to(x, kFloat64));
          if (std::abs(size) < 1e10)
            check_slope([&](const Tensor& u) { return norm.f(u, 1e-5) * to(dy, dtype); }, x,
                        numbers((dy - mean(dy)) / std::sqrt(1e-5)), 64);
          const Tensor gamma = ones({n}, dtype);
          check_slope([&](const Tensor& g) { return layer_norm(x, g) * to(dy, dtype); }, gamma,
                      Numbers(static_cast<size_t>(n), 0));
        }
}

TEST_CASE("edges: layer_norm of near numbers sees the steps between them") {
  for (const Norm& norm : layer_norms())
    for (const DType dtype : kDTypes) {
      const double step = dtype == kFloat32 ? 1 : 0x1p-29;  // one unit in the last place of 1e7
      auto f = [&](const Tensor& x) {
        const Tensor y = norm.f(x, 0);
        return y * cotangent(y);
      };
      const Numbers steps = {0, 1, 1, 0, 2};
      Numbers near = steps;
      for (double& v : near) v = 1e7 + v * step;
      const Tensor u = row(steps, kFloat64).set_requires_grad();
      Numbers slope = numbers(grad(sum(f(u)), u));
      for (double& s : slope) s /= step;
      CAPTURE(norm.name);
      check_near(numbers(f(row(near, dtype))), numbers(f(u)), dtype);
      check_slope(f, row(near, dtype), slope, 32);
      Numbers curvature = numbers(hessian([&](const Tensor& x) { return sum(f(x)); }, u.detach()));
      for (double& h : curvature) h /= step * step;
      check_curvature(f, row(near, dtype), curvature, 64);
    }
}

TEST_CASE("edges: norms of huge and tiny rows are those of ordinary ones") {
  const Numbers shape = {1, -1, 0.5, 0.25, -0.75};
  for (const Norm& norm : all_norms())
    for (const DType dtype : kDTypes) {
      const double most = -lowest(dtype);
      const double tiny = dtype == kFloat32 ? 0x1p-140 : 0x1p-1065;
      for (const double size : {1e18, 1e20, 1e37, most, 1e-20, 1e-37, tiny}) {
        const double eps = size < 1 ? 0 : 1e-5;
        CAPTURE(norm.name, size, to_string(dtype));
        const Tensor u = row(shape, dtype), wide = to(u, kFloat64);
        auto at_size = [&](double scale, double added) {
          return [&norm, scale, added](const Tensor& x) {
            const Tensor y = norm.f(x * scale, added);
            return y * cotangent(y);
          };
        };
        const Function f = at_size(size, eps), ordinary = at_size(1, 0);
        check_near(numbers(f(u)), numbers(ordinary(wide)), dtype);
        if (size == tiny) continue;  // its slopes are too large for the dtype
        const Tensor leaf = clone(wide).set_requires_grad();
        check_slope(f, u, numbers(grad(sum(ordinary(leaf)), leaf)), 64);
        auto total = [&](const Tensor& x) { return sum(ordinary(x)); };
        check_curvature(f, u, numbers(hessian(total, wide)), 256);
      }
    }
}
