#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/detail/attention_samples.h>
#include <weft/autograd/transforms/grad.h>

namespace weft {
namespace {

constexpr double kHidden = -std::numeric_limits<double>::infinity();

// Inputs are q, k, v and perhaps a mask.
AttentionOptions with_mask(AttentionOptions options, const Tensors& in) {
  if (in.size() > 3) options.mask = in[3];
  return options;
}

void add(Samples& s, const char* name, Tensors inputs, const AttentionOptions& options = {}) {
  s.add(
      name, std::move(inputs),
      [options](const Tensors& in) {
        return scaled_dot_product_attention(in[0], in[1], in[2], with_mask(options, in));
      },
      [options](const Tensors& in) {
        return attention_with_weights(in[0], in[1], in[2], with_mask(options, in)).output;
      });
}

void add_error(Samples& s, Tensors inputs, const char* message,
               const AttentionOptions& options = {}) {
  s.add_error(
      std::move(inputs),
      [options](const Tensors& in) {
        return scaled_dot_product_attention(in[0], in[1], in[2], with_mask(options, in));
      },
      message);
}

// q [2, 2, 3, 4], k [2, 2, 5, 4], v [2, 2, 5, 3]
Tensors cross(Samples& s) {
  return {s.normal({2, 2, 3, 4}), s.normal({2, 2, 5, 4}), s.normal({2, 2, 5, 3})};
}

Tensors cross(Samples& s, const Tensor& mask) {
  Tensors inputs = cross(s);
  inputs.push_back(mask);
  return inputs;
}

void add_masks(Samples& s) {
  add(s, "shared bool mask", cross(s, s.booleans({3, 5}, 0.7)));
  add(s, "padding",
      cross(s, tensor({{true, true, true, true, true}, {true, true, true, false, false}})
                   .strided_view({2, 1, 1, 5}, {5, 5, 5, 1})));
  add(s, "bool mask per head", cross(s, s.booleans({2, 2, 3, 5}, 0.6)));
  add(s, "a query that sees nothing",
      cross(s, tensor({{true, false, true, true, false},
                       {false, false, false, false, false},
                       {true, true, true, true, true}})));
  add(s, "additive", cross(s, s.normal({3, 5})));
  add(s, "additive per head", cross(s, s.normal({1, 2, 3, 5})));
  add(s, "additive per key", cross(s, s.normal({2, 1, 1, 5})));
  add(s, "additive with holes",
      cross(s, tensor({{0.5, kHidden, 1., -2., 0.},
                       {kHidden, kHidden, kHidden, kHidden, kHidden},
                       {0.25, 0., kHidden, 0., 0.125}},
                      kFloat64)));
}

void add_causal(Samples& s) {
  const AttentionOptions causal{.causal = true};
  add(s, "causal", {s.normal({1, 2, 4, 3}), s.normal({1, 2, 4, 3}), s.normal({1, 2, 4, 3})},
      causal);
  add(s, "causal, more keys", cross(s), causal);
  add(s, "causal, fewer keys",
      {s.normal({1, 2, 4, 3}), s.normal({1, 2, 2, 3}), s.normal({1, 2, 2, 3})}, causal);
  add(s, "causal and masked", cross(s, s.booleans({2, 1, 3, 5}, 0.7)), causal);
  add(s, "causal and additive", cross(s, s.normal({3, 5})), causal);
}

void add_shapes(Samples& s) {
  add(s, "one of each", {s.normal({1, 1, 1, 1}), s.normal({1, 1, 1, 1}), s.normal({1, 1, 1, 1})});
  for (int64_t heads : {1, 2})
    add(s, heads == 1 ? "multi-query" : "grouped-query",
        {s.normal({1, 4, 2, 3}), s.normal({1, heads, 3, 3}), s.normal({1, heads, 3, 2})},
        {.enable_gqa = true});
  add(s, "no keys", {s.normal({1, 2, 3, 4}), s.normal({1, 2, 0, 4}), s.normal({1, 2, 0, 3})});
  add(s, "no queries", {s.normal({1, 2, 0, 4}), s.normal({1, 2, 3, 4}), s.normal({1, 2, 3, 2})});
  s.add(
      "self", {s.normal({1, 2, 3, 4})},
      [](const Tensors& in) { return scaled_dot_product_attention(in[0], in[0], in[0]); },
      [](const Tensors& in) { return attention_with_weights(in[0], in[0], in[0]).output; });
  auto heads = [](const Tensor& x) { return permute(x, {0, 2, 1, 3}); };
  s.add(
      "heads as views", {s.normal({2, 3, 2, 4}), s.normal({2, 5, 2, 4}), s.normal({2, 5, 2, 4})},
      [=](const Tensors& in) {
        return scaled_dot_product_attention(heads(in[0]), heads(in[1]), heads(in[2]));
      },
      [=](const Tensors& in) {
        return attention_with_weights(heads(in[0]), heads(in[1]), heads(in[2])).output;
      });
}

void add_attention_errors(Samples& s) {
  add_error(s, {s.normal({2, 3, 4}), s.normal({2, 5, 4}), s.normal({2, 5, 4})},
            "scaled_dot_product_attention: expected q [B, H, Tq, Dh], k [B, H, Tk, Dh], v [B, H, "
            "Tk, Dv]; got [2, 3, 4], [2, 5, 4], [2, 5, 4]");
  add_error(s, {s.normal({1, 2, 3, 4}), s.normal({1, 2, 5, 3}), s.normal({1, 2, 5, 3})},
            "scaled_dot_product_attention: expected q [B, H, Tq, Dh], k [B, H, Tk, Dh], v [B, H, "
            "Tk, Dv]; got [1, 2, 3, 4], [1, 2, 5, 3], [1, 2, 5, 3]");
  const Tensors grouped{s.normal({1, 4, 2, 3}), s.normal({1, 3, 2, 3}), s.normal({1, 3, 2, 3})};
  for (const bool enable : {false, true})
    add_error(s, grouped,
              "scaled_dot_product_attention: expected q [B, H, Tq, Dh], k [B, H, Tk, Dh], v [B, H, "
              "Tk, Dv]; got [1, 4, 2, 3], [1, 3, 2, 3], [1, 3, 2, 3]",
              {.enable_gqa = enable});
  add_error(s, cross(s), "scaled_dot_product_attention: dropout must be in [0, 1); got 1",
            {.dropout = 1});
  add_error(s, cross(s, s.booleans({3, 4})),
            "scaled_dot_product_attention: the mask must broadcast to [B, H, Tq, Tk] = [2, 2, 3, "
            "5]; got [3, 4]");
  add_error(s, cross(s, s.booleans({2, 5})),
            "scaled_dot_product_attention: the mask must broadcast to [B, H, Tq, Tk] = [2, 2, 3, "
            "5]; got [2, 5]");
  add_error(s, cross(s, s.integers({3, 5}, 2)),
            "scaled_dot_product_attention: the mask must be bool (true: may attend) or floating "
            "(added); got int64");
  add_error(s,
            {s.normal({1, 1, 2, 2}), to(s.normal({1, 1, 2, 2}), kFloat32), s.normal({1, 1, 2, 2})},
            "scaled_dot_product_attention: q, k and v must have one dtype; got float64, float32 "
            "and float64");
}

// Gradients of q, k, v and a floating mask at random output gradients, which come last.
void add_backward(Samples& s, const char* name, Tensors inputs,
                  const AttentionOptions& options = {}) {
  inputs.push_back(s.normal({2, 2, 3, 3}));
  auto gradients = [options](bool fused) {
    return [=](const Tensors& in) {
      auto f = [&](const Tensors& x) {
        const AttentionOptions o = with_mask(options, x);
        return fused ? scaled_dot_product_attention(x[0], x[1], x[2], o)
                     : attention_with_weights(x[0], x[1], x[2], o).output;
      };
      return vjp(f, Tensors(in.begin(), in.end() - 1), {in.back()});
    };
  };
  s.add(name, std::move(inputs), gradients(true), gradients(false));
}

}  // namespace

void attention_backward_samples(Samples& s) {
  add_backward(s, "plain", cross(s));
  add_backward(s, "a bias that learns, causal", cross(s, s.normal({2, 1, 5})), {.causal = true});
  add_backward(s, "dropout", cross(s), {.scale = 0.3, .dropout = 0.4, .key = {5, 0}});
}

void attention_samples(Samples& s) {
  add(s, "plain", cross(s));
  add(s, "scale", cross(s), {.scale = 0.3});
  add(s, "dropout", cross(s), {.dropout = 0.4, .key = {5, 0}});
  add(s, "dropout, causal and masked", cross(s, s.booleans({3, 5}, 0.8)),
      {.causal = true, .dropout = 0.3, .key = {6, 0}});
  add_masks(s);
  add_causal(s);
  add_shapes(s);
  s.add("weights", cross(s, s.booleans({3, 5}, 0.7)), [](const Tensors& in) {
    const auto r = attention_with_weights(in[0], in[1], in[2], {.mask = in[3]});
    return Tensors{r.output, r.weights};
  });
  add_attention_errors(s);
}

}  // namespace weft
