// Other attentions by meaning: each equals its formula, or multi-head attention where both are the
// same; and positions do what they are for.
#include <weft/autograd/autograd.h>
#include <weft/autograd/inspect/intermediates.h>
#include <weft/autograd/ops.h>
#include <weft/nn/attention/grouped_attention.h>
#include <weft/nn/attention/heads.h>
#include <weft/nn/attention/linear_attention.h>
#include <weft/nn/attention/score_attention.h>
#include <weft/nn/position_bias.h>
#include <weft/tests/catch.h>
#include <weft/tests/nn/numbers.h>

#include <cmath>

using namespace weft;

namespace {

// The mask of a query's keys, as rows of 0 and 1.
std::vector<double> seen(const Mask& mask, int64_t queries, int64_t keys, int64_t first = 0) {
  return to(mask.resolve(queries, keys, 0, first).mask, kFloat64).to_vector<double>();
}

Tensor parameter(const Module& m, const std::string& name) {
  for (const NamedTensor& p : m.named_parameters())
    if (p.name == name) return p.tensor;
  return {};
}

}  // namespace

TEST_CASE("rows of parameters that a layer gives to a head are those that the head learns by") {
  const Tensor x = normal({2, 3, 8}, 1), memory = normal({2, 5, 6}, 2);
  MultiheadAttention packed({.embed_dim = 8, .num_heads = 4, .batch_first = true}, Generator(1)),
      apart({.embed_dim = 8, .num_heads = 4, .kdim = 6, .vdim = 6, .batch_first = true},
            Generator(1));
  GroupedQueryAttention grouped(
      {.embed_dim = 8, .num_heads = 4, .num_kv_heads = 2, .kdim = 6, .vdim = 6}, Generator(1));
  const auto check_rows = [](auto& layer, const Tensor& query, const Tensor& keys) {
    layer.to(kFloat64);
    for (int64_t head = 0; head < 4; ++head) {
      Tensor only = zeros({4, 1, 1}, kFloat64);
      only.mutable_data<double>("test")[head] = 1;
      HookHandle hook =
          layer.register_weights_hook([only](const Tensor& weights) { return weights * only; });
      layer.zero_grad();
      sum(tanh(layer(query, keys, keys).output)).backward();
      hook.remove();
      for (const auto& [name, parts] : layer.head_rows()) {
        const Tensor g = reshape(parameter(layer, name).grad().detach(), {parts, -1});
        for (int64_t part = 0; part < parts; ++part) {
          const bool own = parts >= 4 ? part % 4 == head : part == head / (4 / parts);
          CHECK((max(abs(select(g, 0, part))).item() > 0) == own);
        }
      }
    }
  };
  check_rows(packed, x, x);
  check_rows(apart, x, memory);
  check_rows(grouped, x, memory);
  CHECK(packed.head_rows().size() == 1);
  CHECK(apart.head_rows().size() == 3);
  CHECK(LuongAttention().head_rows().empty());
  CHECK(LuongAttention(4, 6, Generator(1)).head_rows().size() == 1);
  CHECK(BahdanauAttention(4, 6, 7, Generator(1)).head_rows().size() == 3);
}

TEST_CASE("a window lets each query see its neighbours") {
  CHECK(seen(Mask::window(1, 0), 3, 4) == std::vector<double>{1, 0, 0, 0,  //
                                                              1, 1, 0, 0,  //
                                                              0, 1, 1, 0});
  CHECK(seen(Mask::window(0, 2), 2, 4) == std::vector<double>{1, 1, 1, 0,  //
                                                              0, 1, 1, 1});
  CHECK(seen(Mask::window(1, 1), 1, 4, 3) == std::vector<double>{0, 0, 1, 1});
  CHECK(seen(Mask::window(1, 5) & Mask::window(5, 0), 2, 2) == std::vector<double>{1, 0, 1, 1});
  CHECK_FALSE(Mask::window(2, 2).resolve(3, 3).mask.defined());
  const auto causal = (Mask::window(1, 9) & Mask::causal()).resolve(3, 3);
  CHECK(causal.causal);
  CHECK(to(causal.mask, kFloat64).to_vector<double>() ==
        std::vector<double>{1, 1, 1, 1, 1, 1, 0, 1, 1});
  CHECK(message_of([] { Mask::window(-1, 0); }) ==
        "Mask::window: before and after must not be negative; got -1 and 0");
}

TEST_CASE("alibi charges each head its slope for the distance") {
  const Tensor four = alibi(4, 2, 3).resolve(2, 3).mask;  // [1, H, Tq, Tk]
  CHECK(four.shape() == Shape{1, 4, 2, 3});
  CHECK(four.at({0, 0, 0, 2}) == -2 * 0.25);
  CHECK(four.at({0, 3, 1, 0}) == -std::exp2(-8));
  CHECK(four.at({0, 2, 1, 1}) == 0);
  // The paper's slopes for 8 heads begin 1/2, 1/4; of 12 heads, 4 come from those for 16.
  const Tensor twelve = select(select(alibi(12, 1, 2).resolve(1, 2).mask, 3, 1), 0, 0);
  const std::vector<double> slopes = to(-twelve, kFloat64).to_vector<double>();
  for (size_t h = 0; h < 8; ++h) CHECK(slopes[h] == std::exp2(-1.0 - static_cast<double>(h)));
  for (size_t h = 8; h < 12; ++h)
    CHECK(slopes[h] == Approx(std::exp2(-0.5 - static_cast<double>(h - 8))));
  CHECK(alibi(1, 1, 6, 5).resolve(1, 6, 0, 5).mask.at({0, 0, 0, 5}) == 0);  // itself
  CHECK(message_of([] { alibi(0, 1, 1); }) == "alibi: num_heads must be positive; got 0");
}

TEST_CASE("relative position buckets are T5's") {
  // First distance (key - query) of each bucket, from the published formula in float32.
  using Starts = std::vector<std::pair<int64_t, int64_t>>;
  auto check = [](RelativePositionBiasOptions o, const Starts& starts) {
    const RelativePositionBias bias(o, Generator(1));
    for (size_t i = 0; i < starts.size(); ++i)
      for (int64_t d = starts[i].first; d < (i + 1 < starts.size() ? starts[i + 1].first : 200);
           ++d)
        CHECK(bias.bucket(d) == starts[i].second);
  };
  check({.num_heads = 1},
        {{-200, 15}, {-90, 14}, {-63, 13}, {-45, 12}, {-31, 11}, {-22, 10}, {-15, 9}, {-11, 8},
         {-7, 7},    {-6, 6},   {-5, 5},   {-4, 4},   {-3, 3},   {-2, 2},   {-1, 1},  {0, 0},
         {1, 17},    {2, 18},   {3, 19},   {4, 20},   {5, 21},   {6, 22},   {7, 23},  {8, 24},
         {12, 25},   {16, 26},  {23, 27},  {32, 28},  {46, 29},  {64, 30},  {91, 31}});
  check({.num_heads = 1, .num_buckets = 6, .max_distance = 20, .bidirectional = false},
        {{-200, 5}, {-10, 4}, {-5, 3}, {-2, 2}, {-1, 1}, {0, 0}});

  RelativePositionBias bias({.num_heads = 2}, Generator(1));
  const Tensor whole = bias(int64_t{4}, int64_t{5}),
               last = bias(int64_t{1}, int64_t{5}, int64_t{3});
  CHECK(whole.shape() == Shape{1, 2, 4, 5});
  CHECK(largest_difference(slice(whole, 2, 3), last) == 0);
  CHECK(whole.at({0, 1, 2, 4}) == bias.weight.at({18, 1}));
  CHECK(
      message_of([] { RelativePositionBias({.num_heads = 2, .num_buckets = 2}, Generator(1)); }) ==
      "relative position bias: expected heads, 4 buckets or more and a max_distance above "
      "0; got 2, 2 and 128");
}

TEST_CASE("rotary positions make products depend on distance alone") {
  RotaryPositions rotary;
  const Tensor q = expand(normal({1, 6}, 1), {9, 6}), k = expand(normal({1, 6}, 2), {9, 6});
  const Tensor products = matmul(rotary(q), transpose(rotary(k), 0, 1));  // [9, 9]
  for (int64_t i = 0; i < 7; ++i) {
    CHECK(products.at({i, i + 2}) == Approx(products.at({0, 2})).epsilon(1e-13));
    CHECK(products.at({i + 1, i}) == Approx(products.at({1, 0})).epsilon(1e-13));
  }
  CHECK(std::abs(products.at({0, 1}) - products.at({0, 2})) > 1e-3);
  const Tensor x = normal({2, 4, 6}, 3), turned = rotary(x);
  CHECK(largest_difference(select(turned, 1, 0), select(x, 1, 0)) == 0);
  CHECK(largest_difference(sum(turned * turned, {-1}), sum(x * x, {-1})) < 1e-14);
  CHECK(largest_difference(rotary(slice(x, 1, 2), int64_t{2}), slice(turned, 1, 2)) == 0);
  CHECK(turned.at({0, 1, 2}) == Approx(x.at({0, 1, 2}) * std::cos(std::pow(10000, -1 / 3.)) -
                                       x.at({0, 1, 3}) * std::sin(std::pow(10000, -1 / 3.))));
  CHECK(message_of([&] {
          rotary(ones({2, 3}));
        }) == "rotary positions: expected [..., T, width] with an even width; got shape [2, 3]");
}

TEST_CASE("grouped-query attention is multi-head attention whose key heads repeat") {
  constexpr int64_t kWidth = 8, kHeads = 4;
  const Tensor x = normal({2, 3, kWidth}, 1), memory = normal({2, 5, kWidth}, 2);
  for (const int64_t groups : {1, 2, 4}) {
    GroupedQueryAttention grouped(
        {.embed_dim = kWidth, .num_heads = kHeads, .num_kv_heads = groups}, Generator(1));
    grouped.to(kFloat64);
    auto repeated = [&](const std::string& name) {  // [groups * 2, ...] -> [8, ...]
      const Tensor p = parameter(grouped, name);
      Tensors rows;
      for (const Tensor& group : split(p, p.size(0) / groups, 0))
        for (int64_t i = 0; i < kHeads / groups; ++i) rows.push_back(group);
      return cat(rows, 0);
    };
    NamedTensors state;
    for (const std::string kind : {"weight", "bias"}) {
      state.push_back(
          {"in_proj_" + kind, cat({parameter(grouped, "q_proj." + kind), repeated("k_proj." + kind),
                                   repeated("v_proj." + kind)},
                                  0)});
      state.push_back({"out_proj." + kind, parameter(grouped, "out_proj." + kind)});
    }
    MultiheadAttention whole({.embed_dim = kWidth, .num_heads = kHeads, .batch_first = true},
                             Generator(2));
    whole.to(kFloat64);
    whole.load_state_dict(state);
    for (const auto form : {AttentionWeights::none, AttentionWeights::averaged}) {
      const AttentionCall call{.mask = Mask::padding({5, 3}, 5), .weights = form};
      const auto a = grouped(x, memory, memory, call), b = whole(x, memory, memory, call);
      CHECK(largest_difference(a.output, b.output) < 1e-14);
      if (b.weights.defined()) CHECK(largest_difference(a.weights, b.weights) < 1e-14);
    }
  }
  CHECK(message_of([] {
          GroupedQueryAttention({.embed_dim = 8, .num_heads = 4, .num_kv_heads = 3}, Generator(1));
        }) == "grouped-query attention: num_heads must be a multiple of num_kv_heads; got 4 and 3");
}

TEST_CASE("the weights of other attentions are seen by name too") {
  GroupedQueryAttention attention({.embed_dim = 4, .num_heads = 2, .num_kv_heads = 1},
                                  Generator(1));
  attention.to(kFloat64);
  const Tensor x = normal({2, 3, 4}, 1), plain = attention(x, x, x).output;
  const Intermediates seen({"weights"});
  CHECK(largest_difference(attention(x, x, x).output, plain) < 1e-14);
  CHECK(seen["weights"].shape() == Shape{2, 2, 3, 3});
  const Intermediates misspelled({"weight"});
  attention(x, x, x);  // fused for all that this one asks for
  CHECK(message_of([&] { misspelled["weight"]; }) ==
        "intermediates: there is no \"weight\"; seen: scores, weights; nearest: weights, scores");
}

TEST_CASE("split_heads and merge_heads are each other's inverse") {
  const Tensor x = normal({2, 3, 6}, 1);
  const Tensor heads = split_heads(x, 2);
  CHECK(heads.shape() == Shape{2, 2, 3, 3});
  CHECK(heads.at({1, 1, 2, 0}) == x.at({1, 2, 3}));
  CHECK(merge_heads(heads).to_vector<double>() == x.to_vector<double>());
  CHECK(message_of([&] { split_heads(x, 4); }) ==
        "split_heads: expected [B, T, D] with D a multiple of num_heads = 4; got [2, 3, 6]");
  CHECK(message_of([&] { merge_heads(x); }) ==
        "merge_heads: expected [B, H, T, Dh]; got [2, 3, 6]");
}

TEST_CASE("positions say what does not fit them") {
  LearnedPositions learned(5, 4, Generator(1));
  CHECK(message_of([&] {
          learned(ones({3, 1, 1}));
        }) == "positions: the table is 4 wide; got shape [3, 1, 1]");
  CHECK(message_of([] {
          RotaryPositions()(ones({3, 4}, kInt64));
        }) == "positions: expected a floating tensor; got int64");
}

TEST_CASE("grouped-query attention decodes in steps, with rotary positions and few heads kept") {
  GroupedQueryAttention attention(
      {.embed_dim = 8, .num_heads = 4, .num_kv_heads = 1, .rotary = true}, Generator(1));
  attention.to(kFloat64);
  const Tensor x = normal({2, 5, 8}, 1);
  const Mask mask = Mask::causal() & Mask::window(2, 0);
  const Tensor whole = attention(x, x, x, AttentionCall{.mask = mask}).output;
  NoGrad no_grad;
  AttentionCache cache(AttentionCache::Kind::grows);
  for (int64_t t = 0; t < 5; ++t) {
    const Tensor one = slice(x, 1, t, t + 1);
    const AttentionCall call{.mask = mask, .cache = &cache};
    CHECK(largest_difference(attention(one, one, one, call).output, slice(whole, 1, t, t + 1)) <
          1e-14);
  }
  CHECK(cache.contents().keys.shape() == Shape{2, 1, 5, 2});
}

TEST_CASE("multi-head attention normalizes and turns queries and keys, at once and in steps") {
  MultiheadAttention attention(
      {.embed_dim = 8, .num_heads = 2, .batch_first = true, .rotary = true, .qk_norm = true},
      Generator(1));
  attention.to(kFloat64);
  NoGrad no_grad;
  for (const char* name : {"q_norm.weight", "k_norm.weight"}) {
    Tensor scale = parameter(attention, name);
    for (int64_t i = 0; i < 4; ++i)
      scale.mutable_data<double>("test")[i] = 0.5 + static_cast<double>(i);
  }
  const Tensor x = normal({2, 5, 8}, 1);
  const Tensors parts =
      split(linear(x, parameter(attention, "in_proj_weight"), parameter(attention, "in_proj_bias")),
            8, -1);
  RotaryPositions rotary;
  const auto prepared = [&](size_t part, const char* norm) {
    return rotary(rms_norm(split_heads(parts[part], 2), parameter(attention, norm)));
  };
  const Tensor q = prepared(0, "q_norm.weight"), k = prepared(1, "k_norm.weight");
  const Tensor found =
      attention_with_weights(q, k, split_heads(parts[2], 2), {.causal = true}).output;
  const Tensor expected = linear(merge_heads(found), parameter(attention, "out_proj.weight"),
                                 parameter(attention, "out_proj.bias"));
  CHECK(largest_difference(attention(x, x, x, AttentionCall{.mask = Mask::causal()}).output,
                           expected) < 1e-14);
  AttentionCache cache(AttentionCache::Kind::grows);
  for (int64_t t = 0; t < 5; ++t) {
    const Tensor one = slice(x, 1, t, t + 1);
    CHECK(largest_difference(attention(one, one, one, AttentionCall{.cache = &cache}).output,
                             slice(expected, 1, t, t + 1)) < 1e-14);
  }
  CHECK(message_of([] {
          MultiheadAttention({.embed_dim = 6, .num_heads = 2, .rotary = true}, Generator(1));
        }) ==
        "multihead attention: rotary positions need heads of an even width; got 3 for embed_dim 6 "
        "and 2 heads");
}

TEST_CASE("linear attention equals its quadratic form") {
  LinearAttention attention(4, 1, Generator(1));
  attention.to(kFloat64);
  const Tensor x = normal({2, 5, 4}, 1);
  auto project = [&](const char* name) {
    return linear(x, parameter(attention, std::string(name) + ".weight"),
                  parameter(attention, std::string(name) + ".bias"));
  };
  auto feature = [](const Tensor& t) {  // elu + 1
    return where(gt(t, 0), t + 1, exp(minimum(t, zeros({}, kFloat64))));
  };
  const Tensor products = matmul(feature(project("q_proj")),
                                 transpose(feature(project("k_proj")), 1, 2));  // [B, Tq, Tk]
  auto expected = [&](const Tensor& allowed) {
    const Tensor scores = where(allowed, products, zeros({}, kFloat64));
    const Tensor y = matmul(scores, project("v_proj")) / sum(scores, {-1}, true);
    return linear(y, parameter(attention, "out_proj.weight"),
                  parameter(attention, "out_proj.bias"));
  };
  const Tensor lower = tril(ones({5, 5}));
  const Mask padding = Mask::padding({5, 2}, 5);
  const Tensor kept = reshape(padding.resolve(5, 5).mask, {2, 1, 5});
  CHECK(largest_difference(attention(x, x, x), expected(ones({1}, kBool))) < 1e-14);
  CHECK(largest_difference(attention(x, x, x, padding), expected(kept)) < 1e-14);
  CHECK(largest_difference(attention(x, x, x, Mask::causal()), expected(gt(lower, 0))) < 1e-14);
  CHECK(largest_difference(attention(x, x, x, Mask::causal() & padding),
                           expected(logical_and(gt(lower, 0), kept))) < 1e-14);
}

TEST_CASE("linear attention leaves what is masked alone, and says which masks it takes") {
  LinearAttention attention(4, 2, Generator(1));
  attention.to(kFloat64);
  const Tensor x = normal({2, 3, 4}, 1), memory = normal({2, 5, 4}, 2).set_requires_grad();
  const Tensor y = attention(x, memory, memory, Mask::padding({3, 0}, 5));
  for (double v : (select(y, 0, 1) - parameter(attention, "out_proj.bias")).to_vector<double>())
    CHECK(v == 0);
  sum(y * y).backward();
  CHECK(max(abs(slice(select(memory.grad(), 0, 0), 0, 3))).item() == 0);
  CHECK(max(abs(select(memory.grad(), 0, 1))).item() == 0);
  CHECK(min(abs(slice(select(memory.grad(), 0, 0), 0, 0, 3))).item() > 0);
  CHECK(message_of([&] { attention(x, memory, memory, Mask::causal()); }) ==
        "linear attention: causal needs as many keys as queries; got 5 and 3");
  CHECK(message_of([&] { attention(x, x, x, Mask::window(1, 1)); }) ==
        "linear attention: the mask may be causal and forbid keys to all queries alike; scores do "
        "not exist here");
  CHECK(message_of([&] {
          attention(x, x, x, Mask::padding({3, 2}, 4));
        }) ==
        "linear attention: the mask must broadcast to [B, 1, 1, Tk] = [2, 1, 1, 3]; got [2, 1, 1, "
        "4]");
  CHECK(message_of([&] { attention(x, x, slice(x, 1, 0, 1), Mask::causal()); }) ==
        "linear attention: expected query [B, Tq, width], key and value [B, Tk, width]; got [2, 3, "
        "4], [2, 3, 4] and [2, 1, 4]");
}

TEST_CASE("bahdanau and luong attention equal their formulas, and take masks") {
  const Tensor x = normal({2, 2, 4}, 1), memory = normal({2, 3, 3}, 2);
  const Mask mask = Mask::padding({3, 2}, 3);
  const Tensor hidden = tensor({{false, false, false}, {false, false, true}});  // by key
  auto expected = [&](const Tensor& scores) {
    return softmax(masked_fill(scores, unsqueeze(hidden, 1), -1e300), -1);
  };
  auto check = [&](auto& attention, const Tensor& query, const Tensor& scores) {
    const Tensor weights = expected(scores);  // [B, Tq, Tk]
    const AttentionResult found = attention(
        query, memory, AttentionCall{.mask = mask, .weights = AttentionWeights::averaged});
    CHECK(largest_difference(found.weights, weights) < 1e-15);
    CHECK(largest_difference(found.output, matmul(weights, memory)) < 1e-14);
    CHECK(largest_difference(attention(query, memory, AttentionCall{.mask = mask}).output,
                             found.output) < 1e-14);
  };
  BahdanauAttention additive(4, 3, 5, Generator(1));
  additive.to(kFloat64);
  const Tensor sums = unsqueeze(linear(x, parameter(additive, "query_proj.weight")), 2) +
                      unsqueeze(linear(memory, parameter(additive, "memory_proj.weight")), 1);
  check(additive, x, einsum("bqkh,oh->bqk", {tanh(sums), parameter(additive, "score.weight")}));

  LuongAttention general(4, 3, Generator(1)), dot;
  general.to(kFloat64);
  check(general, x,
        einsum("bqd,md,bkm->bqk", {x, parameter(general, "query_proj.weight"), memory}));
  const Tensor narrow = slice(x, -1, 0, 3);
  check(dot, narrow, einsum("bqd,bkd->bqk", {narrow, memory}));
  CHECK(message_of([&] {
          AttentionCache cache(AttentionCache::Kind::fixed);
          dot(narrow, memory, AttentionCall{.cache = &cache});
        }) == "luong attention: there is nothing to keep in a cache");
  CHECK(message_of([&] { general(x, slice(memory, 0, 0, 1)); }) ==
        "luong attention: expected query [B, Tq, width] and memory [B, Tk, width]; got [2, 2, 4] "
        "and [1, 3, 3]");
}
