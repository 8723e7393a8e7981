// Elementwise ops on operands of any shapes that broadcast, against loops over single elements.
#include <weft/autograd/ops.h>
#include <weft/tests/property/property.h>

#include <cmath>

using namespace weft;
using namespace weft::property;

namespace {

// A function of two numbers and its derivatives.
struct Scalar {
  const char* name;
  Tensor (*f)(const Tensor&, const Tensor&);
  double (*y)(double, double);
  double (*da)(double, double);
  double (*db)(double, double);
};

const std::vector<Scalar> kScalars = {
    {"add", [](const Tensor& a, const Tensor& b) { return a + b; },
     [](double a, double b) { return a + b; }, [](double, double) { return 1.0; },
     [](double, double) { return 1.0; }},
    {"sub", [](const Tensor& a, const Tensor& b) { return a - b; },
     [](double a, double b) { return a - b; }, [](double, double) { return 1.0; },
     [](double, double) { return -1.0; }},
    {"mul", [](const Tensor& a, const Tensor& b) { return a * b; },
     [](double a, double b) { return a * b; }, [](double, double b) { return b; },
     [](double a, double) { return a; }},
    {"div", [](const Tensor& a, const Tensor& b) { return a / (b * b + 1); },
     [](double a, double b) { return a / (b * b + 1); },
     [](double, double b) { return 1 / (b * b + 1); },
     [](double a, double b) { return -2 * a * b / ((b * b + 1) * (b * b + 1)); }},
    {"maximum", [](const Tensor& a, const Tensor& b) { return maximum(a, b); },
     [](double a, double b) { return std::max(a, b); },
     [](double a, double b) { return a > b ? 1.0 : 0.0; },
     [](double a, double b) { return b > a ? 1.0 : 0.0; }},
    {"minimum", [](const Tensor& a, const Tensor& b) { return minimum(a, b); },
     [](double a, double b) { return std::min(a, b); },
     [](double a, double b) { return a < b ? 1.0 : 0.0; },
     [](double a, double b) { return b < a ? 1.0 : 0.0; }},
};

// Value and gradients by loops: what a stretched element gets is summed.
Evaluation by_loops(const Scalar& s, const Tensor& a, const Tensor& b, const Evaluation& got) {
  const Shape& shape = got.y.shape();
  const auto va = a.to_vector<double>(), vb = b.to_vector<double>(),
             dy = got.dy.to_vector<double>();
  std::vector<double> y, da(va.size(), 0), db(vb.size(), 0);
  for (int64_t i = 0; i < shape.numel(); ++i) {
    const size_t ia = source_of(i, shape, a.shape()), ib = source_of(i, shape, b.shape());
    y.push_back(s.y(va[ia], vb[ib]));
    da[ia] += dy[static_cast<size_t>(i)] * s.da(va[ia], vb[ib]);
    db[ib] += dy[static_cast<size_t>(i)] * s.db(va[ia], vb[ib]);
  }
  return {tensor_of(y, shape), got.dy, {tensor_of(da, a.shape()), tensor_of(db, b.shape())}};
}

}  // namespace

TEST_CASE("elementwise ops broadcast as loops do") {
  for (const Scalar& s : kScalars)
    holds(s.name, [&s] {
      const Shape shape = draw_shape(0, 5, 0, 4);
      const Tensor a = draw_tensor(draw_broadcast(shape)), b = draw_tensor(draw_broadcast(shape));
      const Evaluation got =
          evaluate([&](const Tensors& in) { return s.f(in[0], in[1]); }, {a, b}, draw_seed());
      expect_close(got, by_loops(s, a, b, got));
    });
}

TEST_CASE("where broadcasts its three operands") {
  holds("where", [] {
    const Shape shape = draw_shape(0, 4, 0, 4);
    const Tensor a = draw_tensor(draw_broadcast(shape)), b = draw_tensor(draw_broadcast(shape)),
                 c = gt(draw_tensor(draw_broadcast(shape)), 0);
    const Evaluation got =
        evaluate([&](const Tensors& in) { return where(c, in[0], in[1]); }, {a, b}, draw_seed());
    const Tensor one = to(c, kFloat64);
    const Evaluation wanted =
        evaluate([&](const Tensors& in) { return one * in[0] + (1 - one) * in[1]; }, {a, b}, 0);
    expect_close("value", got.y, wanted.y);
    const auto share = got.dy * one, rest = got.dy * (1 - one);
    expect_close("gradient of a", got.gradients[0], sum_to(share, a.shape()));
    expect_close("gradient of b", got.gradients[1], sum_to(rest, b.shape()));
  });
}

TEST_CASE("comparisons broadcast as loops do") {
  holds("lt and ge", [] {
    const Shape shape = draw_shape(0, 4, 0, 4);
    const Tensor a = draw_tensor(draw_broadcast(shape)), b = draw_tensor(draw_broadcast(shape));
    const Tensor less = lt(a, b);
    const auto va = a.to_vector<double>(), vb = b.to_vector<double>(),
               got = less.to_vector<double>(), not_less = ge(a, b).to_vector<double>();
    for (int64_t i = 0; i < less.numel(); ++i) {
      const bool wanted =
          va[source_of(i, less.shape(), a.shape())] < vb[source_of(i, less.shape(), b.shape())];
      RC_ASSERT((got[static_cast<size_t>(i)] != 0) == wanted);
      RC_ASSERT((not_less[static_cast<size_t>(i)] != 0) == !wanted);
    }
  });
}
