// Matrix products of every form and layout, against sums over single elements.
#include <weft/autograd/ops.h>
#include <weft/tests/property/property.h>

using namespace weft;
using namespace weft::property;

namespace {

// [..., m, k] x [..., k, n] as a sum of broadcast products: [..., m, k, 1] * [..., 1, k, n].
Tensor by_sums(const Tensor& a, const Tensor& b) {
  const Tensor x = a.dim() == 1 ? unsqueeze(a, 0) : a, y = b.dim() == 1 ? unsqueeze(b, 1) : b;
  Tensor c = sum(unsqueeze(x, -1) * unsqueeze(y, -3), {-2});
  if (b.dim() == 1) c = squeeze(c, -1);
  return a.dim() == 1 ? squeeze(c, b.dim() == 1 ? -1 : -2) : c;
}

struct Operands {
  Tensor a, b;
};

Operands draw_operands() {
  const int64_t m = draw(0, 5), k = draw(0, 5), n = draw(0, 5);
  const Shape batch = draw_shape(0, 2, 0, 3);
  Shape sa = draw_broadcast(batch), sb = draw_broadcast(batch);
  const bool vector_a = sa.rank() == 0 && draw_bool(), vector_b = sb.rank() == 0 && draw_bool();
  if (!vector_a) sa.push_back(m);
  sa.push_back(k);
  sb.push_back(k);
  if (!vector_b) sb.push_back(n);
  return {draw_tensor(sa), draw_tensor(sb)};
}

}  // namespace

TEST_CASE("matmul is a sum of products, in every form") {
  holds("matmul", [] {
    const auto [a, b] = draw_operands();
    const uint64_t seed = draw_seed();
    const auto got = evaluate([](const Tensors& in) { return matmul(in[0], in[1]); }, {a, b}, seed);
    const auto wanted =
        evaluate([](const Tensors& in) { return by_sums(in[0], in[1]); }, {a, b}, seed);
    expect_close(got, wanted);
  });
}

TEST_CASE("matmul of larger operands, in float32 as well") {
  holds("matmul", [] {
    const int64_t m = draw(1, 70), k = draw(1, 70), n = draw(1, 70), batch = draw(1, 3);
    const Tensor a = draw_tensor({batch, m, k}),
                 b = draw_tensor(draw_bool() ? Shape{k, n} : Shape{batch, k, n});
    const auto f = [](const Tensors& in) { return matmul(in[0], in[1]); };
    const Evaluation exact =
        evaluate([](const Tensors& in) { return by_sums(in[0], in[1]); }, {a, b}, 1);
    expect_close(evaluate(f, {a, b}, 1), exact, 1e-11);
    expect_close(evaluate(f, {a, b}, 1, kFloat32), exact, 1e-3);
  });
}

TEST_CASE("linear is a product with a transposed weight, plus a bias") {
  holds("linear", [] {
    Shape shape = draw_shape(0, 3, 0, 3);
    const int64_t in = draw(0, 5), out = draw(0, 5);
    shape.push_back(in);
    Tensors operands{draw_tensor(shape), draw_tensor({out, in})};
    if (draw_bool()) operands.push_back(draw_tensor({out}));
    const uint64_t seed = draw_seed();
    const auto fused = [](const Tensors& x) {
      return linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor());
    };
    const auto composed = [](const Tensors& x) {
      const Tensor y = by_sums(x[0], transpose(x[1], 0, 1));
      return x.size() > 2 ? y + x[2] : y;
    };
    expect_close(evaluate(fused, operands, seed), evaluate(composed, operands, seed));
  });
}
