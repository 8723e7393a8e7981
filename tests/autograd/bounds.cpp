// What ops refuse, one bound and one operand at a time, and what lies just within.
#include <weft/autograd/ops.h>
#include <weft/tests/catch.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace weft;

namespace {

using Call = std::function<void()>;

// Calls, each with what its message begins with.
void check_refused(const std::vector<std::pair<std::string, Call>>& calls) {
  for (const auto& [message, call] : calls) CHECK(message_of(call).find(message) == 0);
}

void check_allowed(const std::vector<Call>& calls) {
  for (const Call& call : calls) CHECK(message_of(call).empty());
}

Tensor wide(const Shape& shape) { return ones(shape, kFloat64); }

const Tensor number = ones({}), row = ones({3}), matrix = ones({2, 3}), flags = gt(matrix, 0);
const Tensor ids = tensor({0, 1});

}  // namespace

TEST_CASE("bounds of dims") {
  check_refused({
      {"unsqueeze: dim must be in [-3, 2]; got -4", [] { unsqueeze(matrix, -4); }},
      {"unsqueeze: dim must be in [-3, 2]; got 3", [] { unsqueeze(matrix, 3); }},
      {"stack: dim must be in [-3, 2]; got -4", [] { stack({matrix}, -4); }},
      {"stack: dim must be in [-3, 2]; got 3", [] { stack({matrix}, 3); }},
      {"transpose: dim must be in", [] { transpose(matrix, -3, 0); }},
      {"transpose: dim must be in", [] { transpose(matrix, 0, 2); }},
      {"squeeze: dim must be in", [] { squeeze(matrix, 2); }},
      {"permute: dims must name", [] { permute(matrix, {0}); }},
      {"permute: dims must name",
       [] {
         permute(matrix, {0, 0});
       }},
      {"permute: dims must name",
       [] {
         permute(matrix, {1, 0, 1});
       }},
      {"sum: a dim is named twice",
       [] {
         sum(matrix, {1, -1});
       }},
      {"flip: a dim is named twice",
       [] {
         flip(matrix, {0, -2});
       }},
      {"cat: needs at least one dim", [] { cat({number}, 0); }},
      {"pad: needs at least one dim", [] { pad(number, 0, 1, 1); }},
      {"rms_norm: needs at least one dim", [] { rms_norm(number); }},
      {"layer_norm: needs at least one dim", [] { layer_norm(number); }},
      {"tril: needs at least two dims", [] { tril(row); }},
      {"triu: needs at least two dims", [] { triu(row); }},
      {"matmul: needs at least one dim on each side", [] { matmul(number, row); }},
      {"matmul: needs at least one dim on each side", [] { matmul(row, number); }},
      {"embedding: the weight must be [V, D]",
       [] {
         embedding(ids, ones({2, 3, 4}));
       }},
      {"linear: the weight must be [out, in]",
       [] {
         linear(row, ones({1, 2, 3}));
       }},
  });
  check_allowed({
      [] { unsqueeze(matrix, -3), unsqueeze(matrix, 2), stack({matrix}, -3), stack({matrix}, 2); },
      [] { transpose(matrix, -2, 1), squeeze(number, 0), squeeze(number, -1), tril(matrix); },
      [] { sum(number, {0}), cumsum(number, 0), flip(number, {}), softmax(number, -1); },
      [] { matmul(row, row), linear(row, matrix), layer_norm(row), rms_norm(row); },
  });
}

TEST_CASE("bounds of sizes and positions") {
  check_refused({
      {"reshape: sizes must not be negative",
       [] {
         reshape(matrix, {-2, 3});
       }},
      {"reshape: sizes must not be negative",
       [] {
         reshape(matrix, {-1, -1});
       }},
      {"reshape: 6 elements do not fit",
       [] {
         reshape(matrix, {-1, 4});
       }},
      {"reshape: 6 elements do not fit", [] { reshape(matrix, {7}); }},
      {"reshape: 0 elements do not fit",
       [] {
         reshape(zeros({0}), {0, -1});
       }},
      {"expand: only dims of size 1 stretch", [] { expand(matrix, {3}); }},
      {"expand: only dims of size 1 stretch",
       [] {
         expand(matrix, {4, 3});
       }},
      {"expand: only dims of size 1 stretch",
       [] {
         expand(matrix, {-1, 2, 3});
       }},
      {"expand: only dims of size 1 stretch",
       [] {
         expand(matrix, {-2, 3});
       }},
      {"select: index must be in [-2, 1]; got -3", [] { select(matrix, 0, -3); }},
      {"select: index must be in [-2, 1]; got 2", [] { select(matrix, 0, 2); }},
      {"slice: step must be positive; got 0", [] { slice(row, 0, 0, 3, 0); }},
      {"pad: before and after", [] { pad(row, 0, -1, 1); }},
      {"pad: before and after", [] { pad(row, 0, 1, -1); }},
      {"split: the size must be positive; got 0", [] { split(row, 0, 0); }},
      {"split: sizes must add up to 3",
       [] {
         split(row, {1, 1}, 0);
       }},
      {"split: sizes must add up to 3",
       [] {
         split(row, {-1, 4}, 0);
       }},
      {"glu: the size of dim 0 must be even", [] { glu(row, 0); }},
      {"index_select: indices must be in [0, 3); got 3", [] { index_select(row, 0, tensor({3})); }},
      {"index_select: indices must be in", [] { index_select(row, 0, tensor({-1})); }},
      {"embedding: padding_idx must be in [-2, 2)", [] { embedding(ids, matrix, 2); }},
      {"embedding: padding_idx must be in [-2, 2)", [] { embedding(ids, matrix, -3); }},
      {"gather: the index must fit x",
       [] {
         gather(matrix, 1, full({3, 1}, 0, kInt64));
       }},
      {"scatter_add: the index must fit x",
       [] {
         scatter_add(matrix, 1, full({3, 1}, 0, kInt64), ones({3, 1}));
       }},
      {"scatter_add: the index must fit src",
       [] {
         scatter_add(matrix, 1, full({2, 2}, 0, kInt64), ones({2, 1}));
       }},
  });
  check_allowed({
      [] {
        reshape(matrix, {-1, 6}), reshape(zeros({0, 2}), {0, 5}), expand(matrix, {1, -1, 3});
      },
      [] {
        select(matrix, 0, -2), select(matrix, 0, 1), slice(row, 0, -9, 9), slice(row, 0, 2, 1);
      },
      [] {
        pad(row, 0, 0, 0), split(row, 1, 0), split(row, {3, 0}, 0), glu(ones({0}), 0);
      },
      [] { embedding(ids, matrix, 1), embedding(ids, matrix, -2), index_select(row, 0, ids); },
      [] {
        gather(matrix, 1, full({1, 5}, 2, kInt64));
      },
      [] {
        scatter_add(matrix, 1, full({1, 5}, 2, kInt64), ones({2, 5}));
      },
  });
}

TEST_CASE("bounds of settings") {
  const auto attend = [](double p) {
    const Tensor x = ones({1, 1, 2, 2});
    scaled_dot_product_attention(x, x, x, {.dropout = p});
  };
  check_refused({
      {"clamp: lo must not exceed hi", [] { clamp(row, 1, 0.5); }},
      {"dropout: p must be in [0, 1); got -0.1", [] { dropout(row, -0.1, {}); }},
      {"dropout: p must be in [0, 1); got 1", [] { dropout(row, 1, {}); }},
      {"scaled_dot_product_attention: dropout must be in [0, 1)", [&] { attend(-0.1); }},
      {"scaled_dot_product_attention: dropout must be in [0, 1)", [&] { attend(1); }},
      {"residual_layer_norm: dropout must be in [0, 1)",
       [] { residual_layer_norm(row, row, {}, {}, {.dropout = -0.1}); }},
      {"residual_layer_norm: dropout must be in [0, 1)",
       [] { residual_layer_norm(row, row, {}, {}, {.dropout = 1}); }},
      {"linear_activation: dropout must be in [0, 1)",
       [] { linear_activation(row, matrix, {}, {.dropout = -0.1}); }},
      {"linear_activation: dropout must be in [0, 1)",
       [] { linear_activation(row, matrix, {}, {.dropout = 1}); }},
      {"cross_entropy: label_smoothing must be in [0, 1]; got -0.1",
       [] { cross_entropy(matrix, ids, {.label_smoothing = -0.1}); }},
      {"cross_entropy: label_smoothing must be in [0, 1]; got 1.1",
       [] { cross_entropy(matrix, ids, {.label_smoothing = 1.1}); }},
      {"cross_entropy: targets must be in [0, 3)", [] { cross_entropy(row, scalar(3, kInt64)); }},
      {"cross_entropy: targets must be in [0, 3)", [] { cross_entropy(row, scalar(-1, kInt64)); }},
      {"cross_entropy: logits need at least one dim", [] { cross_entropy(number, ids); }},
      {"nll_loss: log_probs must be [N, V] or [V]", [] { nll_loss(number, ids); }},
      {"nll_loss: log_probs must be [N, V] or [V]",
       [] {
         nll_loss(ones({1, 2, 3}), ids);
       }},
  });
  check_allowed({
      [] { clamp(row, 1, 1), dropout(row, 0, {}), dropout(row, 0.99, {}); },
      [&] { attend(0), attend(0.99); },
      [] { cross_entropy(matrix, ids, {.label_smoothing = 1}), nll_loss(matrix, ids); },
      [] { cross_entropy(row, scalar(0, kInt64)), cross_entropy(row, scalar(2, kInt64)); },
  });
}

TEST_CASE("operands that do not fit each other, each in turn") {
  const Tensor hidden = ones({2, 3}), weight = ones({4, 3}), bias = ones({4});
  auto loss = [&](const Tensor& h, const Tensor& w, const Tensor& b) {
    return [=] { linear_cross_entropy(h, w, b, tensor({0, 1})); };
  };
  check_refused({
      {"add: shapes do not broadcast", [] { add(row, ones({2})); }},
      {"matmul: inner dimensions must agree", [] { matmul(matrix, matrix); }},
      {"matmul: batch dimensions must broadcast",
       [] {
         matmul(ones({2, 1, 1}), ones({3, 1, 1}));
       }},
      {"where: the condition must be bool", [] { where(matrix, matrix, matrix); }},
      {"masked_fill: the mask must broadcast", [] { masked_fill(row, flags, 0); }},
      {"cat: shapes must agree but for dim 0",
       [] {
         cat({matrix, ones({2, 2})}, 0);
       }},
      {"cat: shapes must agree but for dim 0",
       [] {
         cat({matrix, row}, 0);
       }},
      {"stack: shapes must agree",
       [] {
         stack({matrix, row}, 0);
       }},
      {"rms_norm: weight", [] { rms_norm(matrix, ones({2})); }},
      {"layer_norm: weight must have the shape", [] { layer_norm(matrix, ones({2})); }},
      {"layer_norm: bias must have the shape", [] { layer_norm(matrix, {}, ones({2})); }},
      {"layer_norm: weight must have the dtype", [] { layer_norm(matrix, wide({3})); }},
      {"layer_norm: bias must have the dtype", [] { layer_norm(matrix, {}, wide({3})); }},
      {"residual_layer_norm: ", [] { residual_layer_norm(matrix, row); }},
      {"residual_layer_norm: ", [] { residual_layer_norm(row, wide({3})); }},
      {"mse_loss: x and target must have one shape", [] { mse_loss(matrix, row); }},
      {"l1_loss: x and target must have one shape", [] { l1_loss(matrix, row); }},
      {"binary_cross_entropy_with_logits: x and target",
       [] { binary_cross_entropy_with_logits(matrix, row); }},
      {"linear_cross_entropy: hidden must be [..., D]", loss(number, weight, bias)},
      {"linear_cross_entropy: hidden must be [..., D]", loss(hidden, bias, bias)},
      {"linear_cross_entropy: hidden must be [..., D]", loss(ones({2, 4}), weight, bias)},
      {"linear_cross_entropy: the bias must have shape", loss(hidden, weight, row)},
      {"linear_cross_entropy: hidden and weight", loss(hidden, wide({4, 3}), bias)},
      {"linear_cross_entropy: the bias must have the", loss(hidden, weight, wide({4}))},
  });
  check_allowed({loss(hidden, weight, bias), loss(hidden, weight, {})});
}

TEST_CASE("labels of einsum") {
  const Tensor square = ones({2, 2});
  for (const char* foreign : {"@a,ab->a", "[a,ab->a", "`a,ab->a", "{a,ab->a", "a1,ab->a"})
    CHECK(message_of([&] {
            einsum(foreign, {square, square});
          }).find("einsum: expected letters") == 0);
  for (const char* letters : {"aA,Az->az", "zZ,ZA->zA", "Aa,aZ->AZ", "Zz,zA->ZA"})
    CHECK(einsum(letters, {square, square}).at({0, 1}) == 2);
  CHECK(einsum("...i->...", {row}).item() == 3);  // no dims are dims too
  CHECK(einsum("...i->i...", {matrix}).shape() == Shape{3, 2});
  check_refused({{"einsum: operand 0 of \"...ijk\"", [] { einsum("...ijk", {matrix}); }},
                 {"einsum: operand 0 of \"ijk\"", [] { einsum("ijk", {matrix}); }},
                 {"einsum: operand 0 of \"i\"", [] { einsum("i", {matrix}); }}});
}

TEST_CASE("attention's operands that do not fit each other, each in turn") {
  const std::string shapes = "scaled_dot_product_attention: expected q [B, H, Tq, Dh]",
                    dtypes = "scaled_dot_product_attention: q, k and v must have one dtype",
                    masks = "scaled_dot_product_attention: the mask must ";
  const Shape q{2, 4, 3, 5}, k{2, 4, 6, 5}, v{2, 4, 6, 7};
  auto call = [](const Shape& a, const Shape& b, const Shape& c, const AttentionOptions& o = {}) {
    return [=] { scaled_dot_product_attention(ones(a), ones(b), ones(c), o); };
  };
  auto of = [=](DType a, DType b, DType c) {
    return [=] { scaled_dot_product_attention(ones(q, a), ones(k, b), ones(v, c)); };
  };
  auto masked = [&](const Tensor& mask) { return call(q, k, v, {.mask = mask}); };
  check_refused({
      {shapes, call({4, 3, 5}, k, v)},
      {shapes, call(q, {4, 6, 5}, v)},
      {shapes, call(q, k, {4, 6, 7})},
      {shapes, call(q, {1, 4, 6, 5}, v)},
      {shapes, call(q, k, {1, 4, 6, 7})},
      {shapes, call(q, {2, 2, 6, 5}, {2, 2, 6, 7})},
      {shapes, call(q, k, {2, 2, 6, 7}, {.enable_gqa = true})},
      {shapes, call(q, {2, 3, 6, 5}, {2, 3, 6, 7}, {.enable_gqa = true})},
      {shapes, call(q, {2, 0, 6, 5}, {2, 0, 6, 7}, {.enable_gqa = true})},
      {shapes, call(q, {2, 4, 6, 4}, v)},
      {shapes, call(q, k, {2, 4, 5, 7})},
      {dtypes, of(kFloat64, kFloat32, kFloat32)},
      {dtypes, of(kFloat32, kFloat64, kFloat32)},
      {dtypes, of(kFloat32, kFloat32, kFloat64)},
      {masks + "broadcast", masked(ones({1, 2, 4, 3, 6}))},
      {masks + "broadcast", masked(ones({5}))},
      {masks + "broadcast", masked(ones({2, 6}))},
      {masks + "broadcast", masked(ones({3, 3, 6}))},
      {masks + "broadcast", masked(ones({3, 1, 1, 1}))},
      {masks + "be bool", masked(full({6}, 1, kInt64))},
  });
  check_allowed({call(q, k, v), call(q, {2, 1, 6, 5}, {2, 1, 6, 7}, {.enable_gqa = true}),
                 masked(ones({6})), masked(ones({2, 4, 3, 6})), masked(ones({}))});
}
