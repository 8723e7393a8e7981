// Reductions, softmax, layer_norm and losses over any dims and layouts, against their definitions.
#include <weft/autograd/ops.h>
#include <weft/tests/property/property.h>

using namespace weft;
using namespace weft::property;

namespace {

Shape draw_dims(const Tensor& x) {
  Shape dims;
  for (int d = 0; d < x.dim(); ++d)
    if (draw_bool()) dims.push_back(draw_bool() ? d : d - x.dim());
  return dims;
}

// The dims to be reduced last and merged: [kept..., n].
Tensor reduced_last(const Tensor& x, const Shape& dims) {
  std::vector<bool> reduced(static_cast<size_t>(x.dim()), dims.rank() == 0);
  for (int64_t d : dims) reduced[static_cast<size_t>(d < 0 ? d + x.dim() : d)] = true;
  Shape order, shape;
  for (int d = 0; d < x.dim(); ++d)
    if (!reduced[static_cast<size_t>(d)]) order.push_back(d), shape.push_back(x.size(d));
  shape.push_back(x.numel() / std::max<int64_t>(shape.numel(), 1));
  for (int d = 0; d < x.dim(); ++d)
    if (reduced[static_cast<size_t>(d)]) order.push_back(d);
  return reshape(permute(x, order), shape);
}

using Reduce = Tensor (*)(const Tensor&, const Shape&, bool);

// f over any dims equals `definition` of the rows [kept..., n].
void check_reduction(const char* name, Reduce f, Tensor (*definition)(const Tensor&)) {
  holds(name, [=] {
    const Tensor x = draw_tensor(draw_shape(0, 5, 1, 4));
    const Shape dims = draw_dims(x);
    const bool keep = draw_bool();
    const uint64_t seed = draw_seed();
    const auto got = evaluate([&](const Tensors& in) { return f(in[0], dims, keep); }, {x}, seed);
    const auto wanted = evaluate(
        [&](const Tensors& in) {
          return reshape(definition(reduced_last(in[0], dims)), got.y.shape());
        },
        {x}, seed);
    expect_close(got, wanted, 1e-11);
    RC_ASSERT(!keep || got.y.dim() == x.dim());
  });
}

// The sum along the last dim, one element after the other.
Tensor sum_last(const Tensor& x) {
  Tensor total = select(x, -1, 0);
  for (int64_t i = 1; i < x.size(-1); ++i) total = total + select(x, -1, i);
  return total;
}

Tensor fold_last(const Tensor& x, Tensor (*f)(const Tensor&, const Tensor&)) {
  Tensor folded = select(x, -1, 0);
  for (int64_t i = 1; i < x.size(-1); ++i) folded = f(folded, select(x, -1, i));
  return folded;
}

Tensor mean_last(const Tensor& x) { return sum_last(x) / static_cast<double>(x.size(-1)); }

}  // namespace

TEST_CASE("reductions over any dims equal their definitions") {
  check_reduction("sum", sum, sum_last);
  check_reduction("mean", mean, mean_last);
  check_reduction(
      "var", [](const Tensor& x, const Shape& d, bool k) { return var(x, d, 0, k); },
      [](const Tensor& x) {
        const Tensor deviation = x - unsqueeze(mean_last(x), -1);
        return mean_last(deviation * deviation);
      });
  check_reduction("max", max, [](const Tensor& x) { return fold_last(x, maximum); });
  check_reduction("min", min, [](const Tensor& x) { return fold_last(x, minimum); });
  check_reduction("logsumexp", logsumexp, [](const Tensor& x) { return log(sum_last(exp(x))); });
}

TEST_CASE("sum_to sums what broadcasting stretched") {
  holds("sum_to", [] {
    const Tensor x = draw_tensor(draw_shape(0, 5, 0, 4));
    const Shape shape = draw_broadcast(x.shape());
    const auto numbers = x.to_vector<double>();
    std::vector<double> total(static_cast<size_t>(shape.numel()), 0);
    for (int64_t i = 0; i < x.numel(); ++i)
      total[source_of(i, x.shape(), shape)] += numbers[static_cast<size_t>(i)];
    expect_close("sum", sum_to(x, shape), tensor_of(total, shape));
  });
}

TEST_CASE("softmax and log_softmax along any dim equal their definitions") {
  holds("softmax", [] {
    const Tensor x = draw_tensor(draw_shape(1, 4, 1, 5));
    const int d = static_cast<int>(draw(-x.dim(), x.dim() - 1));
    const double shift = static_cast<double>(draw(-3, 3)) * 100;
    const uint64_t seed = draw_seed();
    const auto definition = [&](const Tensors& in) {
      return exp(in[0]) / sum(exp(in[0]), {d}, true);
    };
    const auto wanted = evaluate(definition, {x}, seed);
    expect_close(evaluate([&](const Tensors& in) { return softmax(in[0] + shift, d); }, {x}, seed),
                 wanted, 1e-11);
    expect_close(
        evaluate([&](const Tensors& in) { return exp(log_softmax(in[0] + shift, d)); }, {x}, seed),
        wanted, 1e-11);
  });
}

TEST_CASE("layer_norm equals its definition") {
  holds("layer_norm", [] {
    Shape shape = draw_shape(0, 3, 0, 4);
    shape.push_back(draw(1, 20));
    const int64_t affine = draw(0, 2);
    Tensors inputs{draw_tensor(shape)};
    for (int64_t i = 0; i < affine; ++i) inputs.push_back(draw_tensor({shape.back()}));
    const uint64_t seed = draw_seed();
    const auto fused = [](const Tensors& in) {
      return layer_norm(in[0], in.size() > 1 ? in[1] : Tensor(), in.size() > 2 ? in[2] : Tensor(),
                        0.01);
    };
    const auto composed = [](const Tensors& in) {
      Tensor y = (in[0] - mean(in[0], {-1}, true)) / sqrt(var(in[0], {-1}, 0, true) + 0.01);
      if (in.size() > 1) y = y * in[1];
      return in.size() > 2 ? y + in[2] : y;
    };
    expect_close(evaluate(fused, inputs, seed), evaluate(composed, inputs, seed), 1e-10);
  });
}

TEST_CASE("rms_norm and glu equal their definitions") {
  holds("rms_norm and glu", [] {
    Shape shape = draw_shape(0, 3, 0, 4);
    shape.push_back(2 * draw(1, 10));
    const Tensors inputs{draw_tensor(shape), draw_tensor({shape.back()})};
    const uint64_t seed = draw_seed();
    const auto fused = [](const Tensors& in) { return glu(rms_norm(in[0], in[1], 0.01), -1); };
    const auto composed = [](const Tensors& in) {
      const Tensor h = in[0] / sqrt(mean(in[0] * in[0], {-1}, true) + 0.01) * in[1];
      const Tensors halves = split(h, in[0].size(-1) / 2, -1);
      return halves[0] / (exp(-halves[1]) + 1);
    };
    expect_close(evaluate(fused, inputs, seed), evaluate(composed, inputs, seed), 1e-10);
  });
}

TEST_CASE("cumsum adds up along a dim, and backward from its end") {
  holds("cumsum and flip", [] {
    const Tensor x = draw_tensor(draw_shape(1, 4, 1, 5));
    const int d = static_cast<int>(draw(-x.dim(), x.dim() - 1));
    const auto got = evaluate([&](const Tensors& in) { return cumsum(in[0], d); }, {x}, 1);
    for (int64_t i = 0; i < x.size(d); ++i)
      expect_close("sum", select(got.y, d, i), sum(slice(x, d, 0, i + 1), {d}));
    const Tensor from_end = flip(cumsum(flip(got.dy, {d}), d), {d});
    expect_close("gradient", got.gradients[0], from_end);
    for (int64_t i = 0; i < x.size(d); ++i)
      expect_close("flip", select(flip(x, {d}), d, i), select(x, d, x.size(d) - 1 - i), 0);
  });
}

TEST_CASE("cross_entropy equals its definition, and its fusion with linear") {
  holds("cross_entropy", [] {
    const int64_t rows = draw(0, 6), width = draw(1, 4), classes = draw(1, 6);
    Generator g(draw_seed());
    CrossEntropyOptions o;
    if (draw_bool()) o.weight = rand({classes}, g, kFloat64) + 0.5;
    if (draw_bool()) o.ignore_index = draw(0, classes - 1);
    o.label_smoothing = static_cast<double>(draw(0, 2)) / 4;
    o.reduction = *rc::gen::element(Reduction::none, Reduction::mean, Reduction::sum);
    const Tensor target = randint(classes, {rows}, g);
    const Tensors inputs{draw_tensor({rows, width}), draw_tensor({classes, width}),
                         draw_tensor({classes})};
    // -sum over classes of q(class) w(class) log p(class), q the smoothed target
    const auto definition = [&](const Tensors& in) {
      const Tensor log_p = log_softmax(linear(in[0], in[1], in[2]), -1);
      const Tensor hit = to(eq(unsqueeze(target, 1), arange(classes)), kFloat64);
      const double rest = o.label_smoothing / static_cast<double>(classes);
      const Tensor w = o.weight.defined() ? o.weight : ones({classes}, kFloat64);
      const Tensor counts = to(ne(target, static_cast<double>(o.ignore_index)), kFloat64);
      const Tensor q = hit * (1 - o.label_smoothing) + rest;
      Tensor loss = sum(q * w * log_p, {1}) * counts * -1;
      if (o.reduction == Reduction::none) return loss;
      const double total = sum(index_select(w, 0, target) * counts).item();
      return sum(loss) * (o.reduction == Reduction::sum ? 1 : total > 0 ? 1 / total : 0);
    };
    const auto wanted = evaluate(definition, inputs, 1);
    expect_close(evaluate(
                     [&](const Tensors& in) {
                       return cross_entropy(linear(in[0], in[1], in[2]), target, o);
                     },
                     inputs, 1),
                 wanted, 1e-11);
    expect_close(
        evaluate(
            [&](const Tensors& in) { return linear_cross_entropy(in[0], in[1], in[2], target, o); },
            inputs, 1),
        wanted, 1e-11);
  });
}
