// What the recorder shows of attentions beside MultiheadAttention, against the same written out.
#include <weft/autograd/autograd.h>
#include <weft/nn/attention/grouped_attention.h>
#include <weft/nn/attention/score_attention.h>
#include <weft/nn/inspect/recorder.h>
#include <weft/tests/nn/numbers.h>

#include <memory>

using namespace weft;

namespace {

constexpr double kTight = 1e-12;

// Something curved of the output, [B, T, D].
Tensor loss_of(const Tensor& y) { return sum(tanh(y) * normal(y.shape(), 5)); }

// What a layer's scores, which need gradients, make of the values, and all gradients.
struct FromScores {
  FromScores(Tensor scores, const Tensor& v) : s(std::move(scores)), a(softmax(s, -1)) {
    for (Tensor* t : {&s, &a}) t->retain_grad();
    y = matmul(a, v);
    y.retain_grad();
  }
  void check_equal(const AttentionRecord& r) const {
    CHECK(largest_difference(r.scores(), s) < kTight);
    CHECK(largest_difference(r.weights(), a) < kTight);
    CHECK(largest_difference(r.outputs(), y) < kTight);
    CHECK(largest_difference(r.doutputs(), y.grad()) < kTight);
    CHECK(largest_difference(r.dweights(), a.grad()) < kTight);
    CHECK(largest_difference(r.dscores(), s.grad()) < kTight);
    CHECK(max(abs(r.dscores())).item() > 1e-4);
  }
  Tensor s, a, y;
};

}  // namespace

TEST_CASE("grouped queries: each head has its copy of keys and values, and its part of the slope") {
  GroupedQueryAttention layer({.embed_dim = 8, .num_heads = 4, .num_kv_heads = 2}, Generator(1));
  layer.to(kFloat64);
  const Tensor query = normal({2, 3, 8}, 1), memory = normal({2, 5, 8}, 2);
  const AttentionRecorder seen(layer), third(layer, {.heads = {2}});
  loss_of(layer(query, memory, memory).output).backward();
  const AttentionRecord &r = seen[""], &one = third[""];

  const auto split = [](const Tensor& x, int64_t heads) {
    return permute(reshape(x, {2, x.size(1), heads, 2}), {0, 2, 1, 3});
  };
  const auto projected = [&](const Tensor& x, const char* name) {
    const std::string p = name;
    return linear(x, layer.find(p + ".weight"), layer.find(p + ".bias"));
  };
  Tensor q = split(projected(query, "q_proj"), 4), k = split(projected(memory, "k_proj"), 2),
         v = split(projected(memory, "v_proj"), 2);
  for (Tensor* t : {&q, &k, &v}) t->retain_grad();
  const Tensor serves = tensor({0, 0, 1, 1});
  const Tensor all_v = index_select(v, 1, serves);
  const FromScores o(matmul(q, transpose(index_select(k, 1, serves), 2, 3)) / std::sqrt(2.0),
                     all_v);
  loss_of(projected(reshape(permute(o.y, {0, 2, 1, 3}), {2, 3, 8}), "out_proj")).backward();
  o.check_equal(r);
  CHECK(largest_difference(r.values(), all_v) == 0);
  CHECK(largest_difference(r.dqueries(), q.grad()) < kTight);
  const auto of_pairs = [](const Tensor& x) { return sum(reshape(x, {2, 2, 2, 5, 2}), {2}); };
  CHECK(largest_difference(of_pairs(r.dkeys()), k.grad()) < kTight);
  CHECK(largest_difference(of_pairs(r.dvalues()), v.grad()) < kTight);
  CHECK(largest_difference(one.dkeys(), slice(r.dkeys(), 1, 2, 3)) == 0);
  CHECK(largest_difference(one.weights(), slice(r.weights(), 1, 2, 3)) == 0);
}

TEST_CASE("attention with scores of its own: Bahdanau's and Luong's") {
  const Tensor query = normal({2, 3, 4}, 1), memory = normal({2, 5, 6}, 2);
  BahdanauAttention bahdanau(4, 6, 7, Generator(1));
  LuongAttention luong(4, 6, Generator(1));
  bahdanau.to(kFloat64);
  luong.to(kFloat64);
  const AttentionRecorder seen(bahdanau), also_seen(luong);
  loss_of(bahdanau(query, memory).output).backward();
  loss_of(luong(query, memory).output).backward();
  CHECK(seen[""].kind() == AttentionKind::cross);

  const Tensor hidden = tanh(unsqueeze(linear(query, bahdanau.find("query_proj.weight")), 2) +
                             unsqueeze(linear(memory, bahdanau.find("memory_proj.weight")), 1));
  const Tensor one_head = unsqueeze(memory, 1);
  const FromScores added(unsqueeze(squeeze(linear(hidden, bahdanau.find("score.weight")), -1), 1),
                         one_head);
  loss_of(squeeze(added.y, 1)).backward();
  added.check_equal(seen[""]);

  Tensor q = unsqueeze(linear(query, luong.find("query_proj.weight")), 1);
  q.retain_grad();
  const FromScores general(matmul(q, transpose(one_head, 2, 3)), one_head);
  loss_of(squeeze(general.y, 1)).backward();
  general.check_equal(also_seen[""]);
  CHECK(largest_difference(also_seen[""].dqueries(), q.grad()) < kTight);
}

TEST_CASE("other attentions have the same bits when they are watched") {
  const Tensor query = normal({2, 3, 8}, 1, kFloat32), memory = normal({2, 5, 8}, 2, kFloat32);
  const auto gradients = [&](auto& layer) {
    sum(tanh(layer(query, memory).output)).backward();
    std::vector<float> all;
    for (const Tensor& p : layer.parameters())
      for (const float g : p.grad().template to_vector<float>()) all.push_back(g);
    return all;
  };
  const auto same = [&](auto make) {
    auto alone = make(), watched = make();
    const AttentionRecorder seen(*watched);
    const std::vector<float> expected = gradients(*alone);
    CHECK(gradients(*watched) == expected);
    CHECK(seen.calls().size() == 1);
  };
  same([] { return std::make_unique<BahdanauAttention>(8, 8, 4, Generator(1)); });
  same([] { return std::make_unique<LuongAttention>(8, 8, Generator(1)); });
  struct Grouped : GroupedQueryAttention {
    using GroupedQueryAttention::GroupedQueryAttention;
    AttentionResult operator()(const Tensor& q, const Tensor& m) {
      return GroupedQueryAttention::operator()(q, m, m);
    }
  };
  const GroupedQueryAttentionOptions grouped{
      .embed_dim = 8, .num_heads = 4, .num_kv_heads = 2, .dropout = 0.3};
  same([&] { return std::make_unique<Grouped>(grouped, Generator(1)); });
}
