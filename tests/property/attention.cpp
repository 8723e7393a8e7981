// Fused attention equals the composition, in value and in all gradients, for any shapes, masks and
// layouts of its operands, Tq != Tk and shared key heads among them.
#include <weft/autograd/ops.h>
#include <weft/tests/property/property.h>

#include <limits>

using namespace weft;
using namespace weft::property;

namespace {

constexpr double kHidden = -std::numeric_limits<double>::infinity();

enum class MaskKind { none, boolean, additive, additive_with_holes };

// A mask that broadcasts to [B, H, Tq, Tk]; a query may be left with nothing to see.
Tensor draw_mask(MaskKind kind, const Shape& scores) {
  if (kind == MaskKind::none) return {};
  const Shape shape = draw_broadcast(scores);
  if (kind == MaskKind::boolean) return gt(draw_tensor(shape), -0.5);
  Tensor bias = draw_tensor(shape);
  if (kind == MaskKind::additive) return bias;
  return masked_fill(bias, lt(draw_tensor(shape), -0.5), kHidden);
}

// [B, H, T, D] as a view of [B, T, H, D], of [T, B, H, D], or any other layout.
Tensor draw_heads(int64_t batch, int64_t heads, int64_t length, int64_t width) {
  switch (draw(0, 2)) {
    case 0:
      return permute(draw_tensor({batch, length, heads, width}), {0, 2, 1, 3});
    case 1:
      return permute(draw_tensor({length, batch, heads, width}), {1, 2, 0, 3});
    default:
      return draw_tensor({batch, heads, length, width});
  }
}

struct Case {
  Tensors inputs;  // q, k, v and perhaps a floating mask
  AttentionOptions options;
};

Case draw_case(int64_t longest) {
  const int64_t b = draw(1, 2), groups = draw(1, 3), shared = draw(1, 2), h = groups * shared,
                tq = draw(0, longest), tk = draw(0, longest), width = draw(1, 9),
                value_width = draw(1, 9);
  const auto kind = *rc::gen::element(MaskKind::none, MaskKind::boolean, MaskKind::additive,
                                      MaskKind::additive_with_holes);
  Case c{{draw_heads(b, h, tq, width), draw_heads(b, groups, tk, width),
          draw_heads(b, groups, tk, value_width)},
         {}};
  const Tensor mask = draw_mask(kind, {b, h, tq, tk});
  if (kind == MaskKind::boolean) c.options.mask = mask;
  if (kind == MaskKind::additive || kind == MaskKind::additive_with_holes) c.inputs.push_back(mask);
  c.options.enable_gqa = shared > 1;
  c.options.causal = draw_bool();
  if (draw_bool()) c.options.scale = 0.3;
  if (draw_bool()) c.options.dropout = 0.4;
  c.options.key = {draw_seed(), draw_seed()};
  return c;
}

AttentionOptions with_mask(const Case& c, const Tensors& in) {
  AttentionOptions o = c.options;
  if (in.size() > 3) o.mask = in[3];
  return o;
}

void compare(const Case& c, DType dtype, double tolerance) {
  const auto fused = [&](const Tensors& in) {
    return scaled_dot_product_attention(in[0], in[1], in[2], with_mask(c, in));
  };
  const auto composed = [&](const Tensors& in) {
    return attention_with_weights(in[0], in[1], in[2], with_mask(c, in)).output;
  };
  expect_close(evaluate(fused, c.inputs, 1, dtype), evaluate(composed, c.inputs, 1, kFloat64),
               tolerance);
}

}  // namespace

TEST_CASE("fused attention equals the composition") {
  holds("float64", [] { compare(draw_case(9), kFloat64, 1e-11); });
  holds("float32", [] { compare(draw_case(9), kFloat32, 1e-4); });
}

TEST_CASE("fused attention equals the composition across its blocks") {
  holds("float64, long", [] { compare(draw_case(150), kFloat64, 1e-11); });
}

TEST_CASE("what a query may not see has no influence and gets no gradient") {
  holds("masked keys", [] {
    const int64_t tq = draw(1, 6), tk = draw(2, 8), hidden = draw(0, tk - 1);
    const Tensor q = draw_heads(1, 2, tq, 4), k = draw_heads(1, 2, tk, 4),
                 v = draw_heads(1, 2, tk, 3);
    const AttentionOptions o{.mask = ne(arange(tk), static_cast<double>(hidden))};
    const auto f = [&](const Tensors& in) {
      return scaled_dot_product_attention(in[0], in[1], in[2], o);
    };
    const Evaluation before = evaluate(f, {q, k, v}, 1);
    const Tensor at = reshape(eq(arange(tk), static_cast<double>(hidden)), {tk, 1});
    const Evaluation after = evaluate(f, {q, masked_fill(k, at, 1e6), masked_fill(v, at, -1e6)}, 1);
    expect_close("output", after.y, before.y, 0);
    expect_close("gradient of the hidden key", select(before.gradients[1], 2, hidden),
                 zeros({1, 2, 4}, kFloat64), 0);
    expect_close("gradient of the hidden value", select(before.gradients[2], 2, hidden),
                 zeros({1, 2, 3}, kFloat64), 0);
  });
}
