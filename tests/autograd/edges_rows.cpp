// Softmaxes, their losses and attention at the edges of what a row may hold: numbers so large that
// what distinguishes them is rounded away, equal ones, infinities, weights of no size.
#include <weft/autograd/inspect/anomaly.h>
#include <weft/tests/autograd/edges_rows.h>

using namespace weft;
using namespace weft::rows;

namespace {

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

TEST_CASE("edges: label smoothing and rows that are ignored") {
  const Tensor target = tensor({0, -100});
  for (const DType dtype : kDTypes)
    for (const Reduction reduction : {Reduction::mean, Reduction::sum}) {
      const Tensor z = to(from_vector<double>({5, 5, 5, 3, -1, 9}, {2, 3}), dtype);
      auto smooth = [&](const Tensor& x) {
        return cross_entropy(x, target, {.label_smoothing = 0.3, .reduction = reduction});
      };
      CHECK(smooth(z).item() == Approx(std::log(3)));  // of the row that counts, alone
      check_slope(smooth, z, {-1.4 / 3, 0.7 / 3, 0.7 / 3, 0, 0, 0});
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
              const DetectAnomaly anomaly;  // which finds nothing, inside either
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

TEST_CASE("edges: what stands in hidden keys and values reaches nobody") {
  const Tensor padding = tensor({{true, true, true, false, false}});
  struct Hiding {
    const char* name;
    AttentionOptions options;
  };
  const Hiding hidings[] = {{"padding", {.mask = padding}},
                            {"padding, dropout", {.mask = padding, .dropout = 0.5, .key = {5, 1}}},
                            {"added", {.mask = tensor({{0.5, 0., -1., -kInf, -kInf}}, kFloat64)}},
                            {"causal", {.causal = true}}};
  for (const DType dtype : kDTypes)
    for (const auto& [name, options] : hidings)
      for (const double junk : {kInf, std::numeric_limits<double>::quiet_NaN()})
        for (const bool weights : {false, true})
          for (const bool create_graph : {false, true}) {
            CAPTURE(name, junk, weights, create_graph);
            Generator gen(3);
            const Tensor q = randn({2, 2, 3, 4}, gen, dtype), k = randn({2, 2, 5, 4}, gen, dtype),
                         v = randn({2, 2, 5, 2}, gen, dtype), dy = randn({2, 2, 3, 2}, gen, dtype);
            const Tensor past = ge(reshape(arange(5), {5, 1}), 3);  // the last two
            auto slopes = [&, &o = options](double there) {
              Tensors in = {clone(q), masked_fill(k, past, there), masked_fill(v, past, there)};
              for (Tensor& t : in) t.set_requires_grad();
              const Tensor y = weights ? attention_with_weights(in[0], in[1], in[2], o).output
                                       : scaled_dot_product_attention(in[0], in[1], in[2], o);
              Tensors d = grad({y}, in, {.grad_outputs = {dy}, .create_graph = create_graph});
              d.push_back(y.detach());
              return d;
            };
            const Tensors want = slopes(0), got = slopes(junk);
            for (size_t i = 0; i < 4; ++i) check_near(numbers(got[i]), numbers(want[i]), dtype, 64);
            for (size_t i : {size_t{1}, size_t{2}})
              CHECK(max(abs(slice(got[i].detach(), 2, 3))).item() == 0);
          }
}
