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
