// Attention by meaning: what may be seen, what must not, and what that does to gradients. On the
// fused path and on the one that returns weights.
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/nn/attention/cross_attention.h>
#include <weft/nn/init.h>
#include <weft/tests/catch.h>
#include <weft/tests/nn/numbers.h>

#include <cmath>

using namespace weft;

namespace {

constexpr int64_t kBatch = 2, kQueries = 3, kKeys = 5, kWidth = 8, kHeads = 2;

std::vector<double> values(const Tensor& t) { return to(t.detach(), kFloat64).to_vector<double>(); }

struct Fixture {
  explicit Fixture(AttentionWeights form) : weights(form) { attention.to(kFloat64); }

  AttentionResult operator()(const Mask& mask = {}) {
    return attention(query, memory, memory, AttentionCall{.mask = mask, .weights = weights});
  }

  MultiheadAttention attention{{.embed_dim = kWidth, .num_heads = kHeads, .batch_first = true},
                               Generator(1)};
  AttentionWeights weights;
  Tensor query = normal({kBatch, kQueries, kWidth}, 2).set_requires_grad();
  Tensor memory = normal({kBatch, kKeys, kWidth}, 3).set_requires_grad();
};

// `t` with the rows from `first` on along dim 1 replaced.
Tensor with_other_rows(const Tensor& t, int64_t first) {
  NoGrad no_grad;
  const Tensor kept = slice(t.detach(), 1, 0, first);
  return cat({kept, normal({kBatch, t.size(1) - first, kWidth}, 99, t.dtype()) * 100}, 1)
      .set_requires_grad();
}

const auto kPaths = {AttentionWeights::none, AttentionWeights::per_head};

}  // namespace

TEST_CASE("a masked source position changes no bit, and its gradient is exactly zero") {
  for (const AttentionWeights path : kPaths) {
    Fixture f(path);
    const Mask mask = Mask::padding({3, 3}, kKeys);
    const AttentionResult before = f(mask);
    f.memory = with_other_rows(f.memory, 3);
    const AttentionResult after = f(mask);
    CHECK(values(before.output) == values(after.output));
    sum(after.output * normal({kBatch, kQueries, kWidth}, 4)).backward();
    for (double g : values(slice(f.memory.grad(), 1, 3))) CHECK(g == 0);
    for (double g : values(slice(f.memory.grad(), 1, 0, 3))) CHECK(g != 0);
  }
}

TEST_CASE("output t ignores what comes after t") {
  for (const AttentionWeights path : kPaths) {
    Fixture f(path);
    auto self = [&](const Tensor& x) {
      return f.attention(x, x, x, AttentionCall{.mask = Mask::causal(), .weights = path}).output;
    };
    const Tensor before = self(f.memory), after = self(with_other_rows(f.memory, 2));
    CHECK(values(slice(before, 1, 0, 2)) == values(slice(after, 1, 0, 2)));
    CHECK(largest_difference(slice(before, 1, 2), slice(after, 1, 2)) > 0.1);
    sum(slice(before, 1, 0, 2)).backward();
    for (double g : values(slice(f.memory.grad(), 1, 2))) CHECK(g == 0);
  }
}

TEST_CASE("permuting the memory with its mask changes nothing beyond rounding") {
  for (const AttentionWeights path : kPaths) {
    Fixture f(path);
    const Tensor order = tensor({4, 0, 3, 1, 2});
    const Tensor allowed = tensor({{true, true, false, true, true},
                                   {false, true, true, true, false},
                                   {true, false, false, false, true}});
    const Tensor before = f(Mask::may_attend(allowed)).output;
    f.memory = index_select(f.memory, 1, order);
    const Tensor after = f(Mask::may_attend(index_select(allowed, 1, order))).output;
    CHECK(largest_difference(before, after) < 1e-14);
  }
}

TEST_CASE("one head equals the formula") {
  MultiheadAttention attention({.embed_dim = 4, .num_heads = 1, .batch_first = true}, Generator(1));
  attention.to(kFloat64);
  const Tensor x = normal({1, 3, 4}, 2), m = normal({1, 5, 4}, 3);
  const Tensors w = split(attention.in_proj_weight, 4, 0), b = split(attention.in_proj_bias, 4, 0);
  const Tensor q = linear(x, w[0], b[0]), k = linear(m, w[1], b[1]), v = linear(m, w[2], b[2]);
  const Tensor weights = softmax(matmul(q, transpose(k, 1, 2)) / std::sqrt(4.0), -1);
  const NamedTensors p = attention.named_parameters();
  REQUIRE(p[2].name == "out_proj.weight");
  const Tensor y = linear(matmul(weights, v), p[2].tensor, p[3].tensor);
  CHECK(largest_difference(attention(x, m, m).output, y) < 1e-14);
  const AttentionResult result =
      attention(x, m, m, AttentionCall{.weights = AttentionWeights::averaged});
  CHECK(largest_difference(result.weights, weights) < 1e-14);
}

TEST_CASE("a fully masked row gives zeros and zero gradients") {
  const Tensor allowed = tensor({{true, true, false, true, true},
                                 {false, false, false, false, false},
                                 {true, false, false, false, true}});
  const Tensor minus_inf =
      where(allowed, zeros({}, kFloat64), full({}, -INFINITY, kFloat64)).set_requires_grad();
  for (const Mask& mask : {Mask::may_attend(allowed), Mask::additive(minus_inf)})
    for (const AttentionWeights path : kPaths) {
      Fixture f(path);
      const Tensor output = f(mask).output;
      const Tensor bias = f.attention.named_parameters()[3].tensor;
      for (int64_t batch = 0; batch < kBatch; ++batch)
        CHECK(values(select(select(output, 1, 1), 0, batch)) == values(bias));
      sum(output * normal({kBatch, kQueries, kWidth}, 4)).backward();
      for (double g : values(select(f.query.grad(), 1, 1))) CHECK(g == 0);
      for (double g : values(f.memory.grad())) CHECK(std::isfinite(g));
      for (const Tensor& p : f.attention.parameters())
        for (double g : values(p.grad())) CHECK(std::isfinite(g));
    }
  for (double g : values(minus_inf.grad())) CHECK(std::isfinite(g));
}

TEST_CASE("weights asked for belong to the same output") {
  MultiheadAttention attention(
      {.embed_dim = kWidth, .num_heads = kHeads, .dropout = 0.4, .batch_first = true},
      Generator(1));
  attention.to(kFloat64);
  const Tensor x = normal({kBatch, kQueries, kWidth}, 2), m = normal({kBatch, kKeys, kWidth}, 3);
  auto again = [&](AttentionWeights form) {  // the same dropout mask each time
    MultiheadAttention twin(attention.options(), Generator(1));
    twin.to(kFloat64);
    return twin(x, m, m, AttentionCall{.weights = form});
  };
  const AttentionResult fused = again(AttentionWeights::none);
  const AttentionResult per_head = again(AttentionWeights::per_head);
  const AttentionResult averaged = again(AttentionWeights::averaged);
  CHECK_FALSE(fused.weights.defined());
  CHECK(largest_difference(fused.output, per_head.output) < 1e-14);
  CHECK(per_head.weights.shape() == Shape{kBatch, kHeads, kQueries, kKeys});
  CHECK(averaged.weights.shape() == Shape{kBatch, kQueries, kKeys});
  CHECK(largest_difference(mean(per_head.weights, {1}), averaged.weights) < 1e-15);
  for (double s : values(sum(per_head.weights, {-1}))) CHECK(s == Approx(1));  // before dropout
}

TEST_CASE("the gradient of a weight is what moving it does to the output") {
  Fixture f(AttentionWeights::per_head);
  const AttentionResult r = f();
  r.weights.requires_grad();
  Tensor weights = r.weights;
  weights.retain_grad();
  const Tensor c = normal({kBatch, kQueries, kWidth}, 4);
  sum(r.output * c).backward();
  // d<c, y> / dA[b, h, i, j] = <c_i W_out restricted to head h, v_j>
  const Tensor w_v = slice(f.attention.in_proj_weight, 0, 2 * kWidth);
  const Tensor v = linear(f.memory, w_v, slice(f.attention.in_proj_bias, 0, 2 * kWidth));
  const Tensor w_out = f.attention.named_parameters()[2].tensor;
  constexpr int64_t kHead = 1, kHeadWidth = kWidth / kHeads;
  const Tensor into_head = slice(matmul(c, w_out), 2, kHead * kHeadWidth);  // [B, Tq, Dh]
  const Tensor expected = matmul(into_head, transpose(slice(v, 2, kHeadWidth), 1, 2));
  CHECK(largest_difference(select(weights.grad(), 1, kHead), expected) < 1e-13);
}

TEST_CASE("masks combine, and PyTorch's conventions convert") {
  Fixture f(AttentionWeights::per_head);
  const Tensor yes = tensor({{true, true, false, true, true},
                             {true, true, true, true, false},
                             {true, false, false, false, true}});
  const Tensor no = logical_not(yes);
  const auto expected = values(f(Mask::may_attend(yes)).output);
  CHECK(values(f(Mask::must_ignore(no)).output) == expected);
  CHECK(values(f(Mask::from_torch_mha(no)).output) == expected);
  CHECK(values(f(Mask::from_torch_sdpa(yes)).output) == expected);

  const AttentionResult r = f(Mask::may_attend(yes) & Mask::causal() & Mask::padding({5, 2}, 5));
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t i = 0; i < kQueries; ++i)
      for (int64_t j = 0; j < kKeys; ++j) {
        const bool seen = yes.at({i, j}) != 0 && j <= i && (b == 0 || j < 2);
        INFO(b << " " << i << " " << j);
        CHECK((r.weights.at({b, 1, i, j}) != 0) == seen);
      }
  const AttentionResult late = f(Mask::causal(Mask::Alignment::bottom_right));
  CHECK(late.weights.at({0, 0, 0, 2}) != 0);
  CHECK(late.weights.at({0, 0, 0, 3}) == 0);
  const Tensor ids = tensor({{7, 8, 9, 9, 9}, {7, 8, 9, 1, 1}});
  CHECK(values(f(Mask::padding(ids, 1)).output) == values(f(Mask::padding({5, 3}, 5)).output));
}

TEST_CASE("masks of the wrong kind are refused") {
  const Tensor yes = ones({2, 3}, kBool);
  CHECK(message_of([&] { Mask::may_attend(to(yes, kInt64)); }) ==
        "Mask::may_attend: expected a bool tensor; got int64");
  CHECK(message_of([&] { Mask::additive(yes); }) ==
        "Mask::additive: expected a floating tensor; got bool");
  CHECK(message_of([&] {
          Mask::must_ignore(ones({2, 3, 5}, kBool));
        }) ==
        "Mask::must_ignore: expected [Tq, Tk] or [B, H, Tq, Tk], where B, H, Tq, Tk may be 1; got "
        "[2, 3, 5]; unsqueeze(mask, 1) makes a mask per batch, from_torch_mha(mask, num_heads) one "
        "per head");
  CHECK(message_of([] {
          Mask::padding({3, 6}, 5);
        }) == "Mask::padding: lengths must be in [0, 5]; got 6");
  Fixture f(AttentionWeights::none);
  CHECK(
      message_of([&] { f(Mask::may_attend(yes)); }) ==
      "multihead attention: the mask must broadcast to [B, num_heads, Tq, Tk] = [2, 2, 3, 5]; got "
      "[2, 3]");
  CHECK(
      message_of([&] {
        f(Mask::may_attend(ones({2, 4, 3, 5}, kBool)));
      }) ==
      "multihead attention: the mask must broadcast to [B, num_heads, Tq, Tk] = [2, 2, 3, 5]; got "
      "[2, 4, 3, 5]; a mask per head needs num_heads = 2 of them");
  CHECK(
      message_of([&] {
        f(Mask::from_torch_mha(zeros({4, 3, 5}, kBool)));
      }) ==
      "multihead attention: the mask must broadcast to [B, num_heads, Tq, Tk] = [2, 2, 3, 5]; got "
      "[4, 1, 3, 5]; Mask::from_torch_mha takes num_heads = 2 for a mask per head");
  const Tensor x = zeros({2, 3, 4});
  MultiheadAttention sequence_first({.embed_dim = 4, .num_heads = 2}, Generator(1));
  CHECK(
      message_of([&] {
        sequence_first(x, x, x, {.mask = Mask::padding({3, 1}, 3)});
      }) ==
      "multihead attention: the mask must broadcast to [B, num_heads, Tq, Tk] = [3, 2, 2, 2]; got "
      "[2, 1, 1, 3]; batches come first with batch_first = true");
}

TEST_CASE("multi-head attention takes one sequence without a batch") {
  Fixture f(AttentionWeights::averaged);
  const AttentionResult batched = f();
  const Tensor query = select(f.query, 0, 1), memory = select(f.memory, 0, 1);
  const AttentionResult one =
      f.attention(query, memory, memory, AttentionCall{.weights = AttentionWeights::averaged});
  CHECK(one.output.shape() == Shape{kQueries, kWidth});
  CHECK(largest_difference(one.output, select(batched.output, 0, 1)) < 1e-14);
  CHECK(largest_difference(one.weights, select(batched.weights, 0, 1)) < 1e-14);
}

TEST_CASE("multi-head attention names what does not fit") {
  Fixture f(AttentionWeights::none);
  CHECK(message_of([&] {
          f.attention(f.query, ones({2, 5, 6}, kFloat64), f.memory);
        }) ==
        "multihead attention: expected query [B, T, 8], key [B, T, 8], value [B, T, 8]; got [2, 3, "
        "8], [2, 5, 6], [2, 5, 8]");
  MultiheadAttention sequence_first({.embed_dim = 8, .num_heads = 2}, Generator(1));
  CHECK(message_of([&] {
          sequence_first(ones({2, 3, 8}), ones({2, 5, 8}), ones({2, 5, 8}));
        }) ==
        "multihead attention: expected query [T, B, 8], key [T, B, 8], value [T, B, 8]; got [2, 3, "
        "8], [2, 5, 8], [2, 5, 8]; batches come first with batch_first = true");
  CHECK(message_of([&] {
          f.attention(ones({3, 2, 8}, kFloat64), ones({5, 2, 8}, kFloat64),
                      ones({5, 2, 8}, kFloat64));
        }) ==
        "multihead attention: expected query [B, T, 8], key [B, T, 8], value [B, T, 8]; got [3, 2, "
        "8], [5, 2, 8], [5, 2, 8]; sequences come first with batch_first = false");
  CHECK(message_of([] { MultiheadAttention({.embed_dim = 8, .num_heads = 3}, Generator(1)); }) ==
        "multihead attention: embed_dim must be a positive multiple of num_heads; got 8 and 3");
}

TEST_CASE("initial values have the bounds of PyTorch's formulas") {
  const MultiheadAttention packed({.embed_dim = 64, .num_heads = 4}, Generator(1));
  auto largest = [](const Tensor& t) { return max(abs(t.detach())).item(); };
  auto about = [&](const Tensor& t, double bound) {
    CHECK(largest(t) <= bound);
    CHECK(largest(t) > 0.98 * bound);
  };
  about(packed.in_proj_weight, std::sqrt(6.0 / (64 + 3 * 64)));
  CHECK(largest(packed.in_proj_bias) == 0);
  const MultiheadAttention apart({.embed_dim = 64, .num_heads = 4, .kdim = 32}, Generator(1));
  about(apart.q_proj_weight, std::sqrt(6.0 / 128));
  about(apart.k_proj_weight, std::sqrt(6.0 / 96));
  about(apart.named_parameters()[4].tensor, 1 / 8.0);  // out_proj.weight, as any Linear
}

TEST_CASE("cross-attention adds or concatenates") {
  auto block = [](Combine combine) {
    CrossAttentionOptions o{.embed_dim = kWidth, .num_heads = kHeads, .kdim = 6, .vdim = 6};
    o.combine = combine;
    o.batch_first = true;
    return std::make_unique<CrossAttention>(o, Generator(1));
  };
  const Tensor text = normal({kBatch, kQueries, kWidth}, 2, kFloat32);
  const Tensor image = normal({kBatch, kKeys, 6}, 3, kFloat32);
  const auto adds = block(Combine::add), concatenates = block(Combine::concatenate);
  for (const NamedTensor& p : adds->named_parameters())
    if (p.name.rfind("attention.out_proj", 0) == 0) init::zeros(p.tensor);
  CHECK(values((*adds)(text, image).output) == values(text));
  CHECK((*concatenates)(text, image).output.shape() == text.shape());
  const NamedTensor projection = concatenates->named_parameters().back();
  CHECK(projection.name == "projection.bias");
  const AttentionResult r =
      (*concatenates)(text, image, AttentionCall{.weights = AttentionWeights::averaged});
  CHECK(r.weights.shape() == Shape{kBatch, kQueries, kKeys});
}

namespace {

// scaled_dot_product_attention on q, k, v [1, 1, T, 4] where entry `broken` of all three is
// `value`; the first `seen` rows of the output have gradients.
struct WithBadRow {
  Tensor y, dq, dk, dv;
  WithBadRow(const AttentionOptions& o, int64_t broken, double value, int64_t seen, bool weights) {
    Tensors in;
    for (uint64_t seed : {1u, 2u, 3u}) {
      const Tensor x = normal({1, 1, 6, 4}, seed);
      const Tensor here = reshape(eq(arange(6), static_cast<double>(broken)), {6, 1});
      in.push_back(masked_fill(x, here, value).set_requires_grad());
    }
    y = weights ? attention_with_weights(in[0], in[1], in[2], o).output
                : scaled_dot_product_attention(in[0], in[1], in[2], o);
    y = slice(y, 2, 0, seen);
    y.backward(normal(y.shape(), 9));
    dq = in[0].grad(), dk = in[1].grad(), dv = in[2].grad();
  }
};

}  // namespace

TEST_CASE("NaN and inf at masked positions reach nobody") {
  const bool weights = GENERATE(false, true);
  const double value = GENERATE(std::nan(""), INFINITY);
  const Tensor may = ne(arange(6), 5),
               hidden = masked_fill(zeros({6}, kFloat64), eq(arange(6), 5), -INFINITY);
  for (const AttentionOptions& o : {AttentionOptions{.mask = may}, AttentionOptions{.mask = hidden},
                                    AttentionOptions{.causal = true}}) {
    const WithBadRow clean(o, 5, 0, 5, weights), bad(o, 5, value, 5, weights);
    CHECK(largest_difference(bad.y, clean.y) < 1e-14);
    CHECK(largest_difference(bad.dq, clean.dq) < 1e-14);
    CHECK(largest_difference(bad.dk, clean.dk) < 1e-14);
    CHECK(largest_difference(bad.dv, clean.dv) < 1e-14);
  }
}

TEST_CASE("who may attend to NaN gives NaN") {
  const bool weights = GENERATE(false, true);
  const WithBadRow s({.causal = true}, 2, std::nan(""), 6, weights);
  for (int64_t t = 0; t < 6; ++t) CHECK(std::isnan(s.y.at({0, 0, t, 0})) == (t >= 2));
}

TEST_CASE("NaN in the padding of a memory does not reach what a cache decodes") {
  NoGrad no_grad;
  Fixture f(AttentionWeights::none);
  const Tensor padding = reshape(ge(arange(kKeys), 3), {kKeys, 1});
  const AttentionCall call{.mask = Mask::padding({3, 3}, kKeys)};
  const Tensor want = f.attention(f.query, masked_fill(f.memory, padding, 0),
                                  masked_fill(f.memory, padding, 0), call)
                          .output;
  const Tensor memory = masked_fill(f.memory, padding, std::nan(""));
  AttentionCache cache(AttentionCache::Kind::fixed);
  for (int64_t t = 0; t < kQueries; ++t) {
    AttentionCall step = call;
    step.cache = &cache;
    const Tensor y = f.attention(slice(f.query, 1, t, t + 1), memory, memory, step).output;
    CHECK(largest_difference(y, slice(want, 1, t, t + 1)) < 1e-14);
  }
}
