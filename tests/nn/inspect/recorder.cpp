// What the recorder shows against attention written out step by step, and that nobody notices it.
#include <weft/autograd/autograd.h>
#include <weft/core/parallel.h>
#include <weft/nn/init.h>
#include <weft/nn/inspect/recorder.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/nn/numbers.h>

#include <memory>

using namespace weft;

namespace {

constexpr double kTight = 1e-12;

// --- A Transformer in training: dropout everywhere, padding, a causal mask ---

struct Training {
  Transformer model{
      {.layer =
           {.d_model = 16, .nhead = 4, .dim_feedforward = 32, .dropout = 0.2, .batch_first = true},
       .num_encoder_layers = 2,
       .num_decoder_layers = 2},
      Generator(1)};
  Tensor source = normal({3, 7, 16}, 2, kFloat32), target = normal({3, 5, 16}, 3, kFloat32);

  Tensor loss(AttentionTrace* trace = nullptr) {
    const Mask padding = Mask::padding({7, 4, 0}, 7);
    const Tensor y = model(
        source, target,
        {.src_mask = padding, .tgt_mask = Mask::causal(), .memory_mask = padding, .trace = trace});
    return mean(y * tanh(y));
  }
  // The loss and all gradients.
  std::vector<float> numbers(const Tensor& l) {
    l.backward();
    std::vector<float> all = l.to_vector<float>();
    for (const Tensor& p : model.parameters())
      for (const float g : p.grad().to_vector<float>()) all.push_back(g);
    return all;
  }
};

// --- One layer, and the same written out ---

constexpr int64_t kBatch = 3, kHeads = 2, kQueries = 4, kKeys = 5, kWidth = 6, kHead = 3;

struct Layer64 {
  explicit Layer64(double dropout = 0)
      : layer({.embed_dim = kWidth, .num_heads = kHeads, .dropout = dropout, .batch_first = true},
              generator) {
    layer.to(kFloat64);
    init::copy(layer.in_proj_bias, normal({3 * kWidth}, 2));
  }
  // Something curved of the output, [B, Tq, D].
  static Tensor loss(const Tensor& y) { return sum(tanh(y) * normal(y.shape(), 5)); }
  Tensor run(const Mask& mask) { return loss(layer(query, memory, memory, {.mask = mask}).output); }

  Generator generator{1};
  MultiheadAttention layer;
  Tensor query = normal({kBatch, kQueries, kWidth}, 3), memory = normal({kBatch, kKeys, kWidth}, 4);
};

struct WrittenOut {
  Tensor q, k, v, s, a, y;
};

// [B, T, D] -> [B, H, T, Dh]
Tensor by_head(const Tensor& x) {
  return permute(reshape(x, {x.size(0), x.size(1), kHeads, kHead}), {0, 2, 1, 3});
}

// `allowed` is bool and `added` floating, [B, H, Tq, Tk] or broadcasting to it; the dropout mask is
// that of the generator's next key.
WrittenOut write_out(Layer64& f, const Tensor& allowed, const Tensor& added) {
  const double p = f.layer.options().dropout;
  Generator probe(1);
  probe.set_state(f.generator.seed(), f.generator.position());
  const Tensor kept = dropout(ones({kBatch, kHeads, kQueries, kKeys}, kFloat64), p,
                              p > 0 ? probe.next_key() : RandomKey{});
  const Tensors w = split(f.layer.in_proj_weight, kWidth, 0),
                b = split(f.layer.in_proj_bias, kWidth, 0);
  WrittenOut o;
  o.q = by_head(linear(f.query, w[0], b[0]));
  o.k = by_head(linear(f.memory, w[1], b[1]));
  o.v = by_head(linear(f.memory, w[2], b[2]));
  o.s = matmul(o.q, transpose(o.k, 2, 3)) / std::sqrt(3.0) + added;
  const Tensor e = exp(o.s) * to(allowed, kFloat64), total = sum(e, {-1}, true);
  o.a = e / masked_fill(total, eq(total, 0), 1);
  o.y = matmul(o.a * kept, o.v);
  for (Tensor* t : {&o.q, &o.k, &o.v, &o.s, &o.a, &o.y}) t->retain_grad();
  const Tensor merged = reshape(permute(o.y, {0, 2, 1, 3}), {kBatch, kQueries, kWidth});
  Layer64::loss(linear(merged, f.layer.find("out_proj.weight"), f.layer.find("out_proj.bias")))
      .backward();
  return o;
}

void check_equal(const AttentionRecord& r, const WrittenOut& o, const Tensor& allowed) {
  const Tensor hidden = logical_not(expand(allowed, o.s.shape()));
  CHECK(largest_difference(r.queries(), o.q) < kTight);
  CHECK(largest_difference(r.keys(), o.k) < kTight);
  CHECK(largest_difference(r.values(), o.v) < kTight);
  CHECK(largest_difference(r.value_norms(), sqrt(sum(o.v * o.v, {-1}))) < kTight);
  CHECK(largest_difference(masked_fill(r.scores(), hidden, 0), masked_fill(o.s, hidden, 0)) <
        kTight);
  CHECK(sum(to(ne(eq(r.scores(), -INFINITY), hidden), kInt64)).item() == 0);
  CHECK(largest_difference(r.weights(), o.a) < kTight);
  CHECK(largest_difference(r.outputs(), o.y) < kTight);
  CHECK(largest_difference(r.doutputs(), o.y.grad()) < kTight);
  CHECK(largest_difference(r.dweights(), o.a.grad()) < kTight);
  CHECK(largest_difference(r.dscores(), o.s.grad()) < kTight);
  CHECK(largest_difference(r.dqueries(), o.q.grad()) < kTight);
  CHECK(largest_difference(r.dkeys(), o.k.grad()) < kTight);
  CHECK(largest_difference(r.dvalues(), o.v.grad()) < kTight);
  CHECK(max(abs(sum(r.dscores(), {-1}))).item() < kTight);
  CHECK(max(abs(sum(r.dkeys(), {2}))).item() < kTight);
  CHECK(max(abs(r.dscores())).item() > 1e-3);
}

}  // namespace

TEST_CASE("a watched run has the same bits: loss and all gradients") {
  const int before = num_threads();
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    Training alone, watched, chosen, traced, traced_alone;
    const std::vector<float> expected = alone.numbers(alone.loss());
    {
      const AttentionRecorder all(watched.model);
      CHECK(watched.numbers(watched.loss()) == expected);
      REQUIRE(all.calls().size() == 6);
      for (const AttentionRecord& r : all.calls()) {  // also when all of it was looked at
        REQUIRE(r.has_gradients());
        CHECK(max(abs(r.dqueries())).item<float>() < 1);
        CHECK(r.dvalues().shape() == r.values().shape());
      }
    }
    const AttentionRecorder some(chosen.model, {.heads = {1}, .rows = {0, 2}});
    CHECK(chosen.numbers(chosen.loss()) == expected);
    AttentionTrace trace, trace_alone;  // the composed path
    const AttentionRecorder composed(traced.model);
    CHECK(traced.numbers(traced.loss(&trace)) ==
          traced_alone.numbers(traced_alone.loss(&trace_alone)));
  }
  set_num_threads(before);
}

TEST_CASE("recorded tensors and gradients are those of attention written out") {
  const double dropout = GENERATE(0.0, 0.3);
  const Tensor none = zeros({1, 1, 1, 1}, kFloat64), all = ones({1, 1, kQueries, kKeys}, kBool),
               past = ge(unsqueeze(arange(kQueries), 1), arange(kKeys)),
               lengths = tensor({5, 2, 0}),  // the last sentence may attend to nothing
      real = lt(reshape(arange(kKeys), {1, 1, 1, kKeys}), reshape(lengths, {3, 1, 1, 1})),
               added = normal({1, kHeads, kQueries, kKeys}, 7);
  const Mask padding = Mask::padding({5, 2, 0}, kKeys);
  struct Case {
    Mask mask;
    Tensor allowed, added;
  };
  const std::vector<Case> cases{
      {Mask(), all, none},
      {Mask::causal(), past, none},
      {padding, real, none},
      {padding & Mask::causal(), logical_and(real, past), none},
      {Mask::additive(added), all, added},
      {padding & Mask::additive(added) & Mask::causal(), logical_and(real, past), added},
  };
  for (const Case& c : cases) {
    Layer64 f(dropout);
    const WrittenOut o = write_out(f, c.allowed, c.added);
    const AttentionRecorder seen(f.layer);
    f.run(c.mask).backward();
    check_equal(seen[""], o, c.allowed);
  }
}

TEST_CASE("a choice of rows and heads bounds what is kept, and changes no number of it") {
  Layer64 all(0.3), some(0.3);
  const Mask mask = Mask::padding({5, 2, 0}, kKeys) & Mask::additive(normal({1, 2, 4, 5}, 7));
  const AttentionRecorder seen(all.layer), part(some.layer, {.heads = {1}, .rows = {9, 2, 0}});
  all.run(mask).backward();
  some.run(mask).backward();
  const AttentionRecord &a = seen[""], &b = part[""];
  CHECK(b.rows() == std::vector<int64_t>{0, 2});
  CHECK(b.heads() == std::vector<int64_t>{1});
  const auto same = [](const Tensor& whole, const Tensor& chosen) {
    const Tensor expected = slice(slice(whole, 0, 0, 3, 2), 1, 1);
    return expected.shape() == chosen.shape() &&
           expected.to_vector<double>() == chosen.to_vector<double>();
  };
  CHECK(same(a.queries(), b.queries()));
  CHECK(same(a.value_norms(), b.value_norms()));
  CHECK(same(a.scores(), b.scores()));
  CHECK(same(a.weights(), b.weights()));
  CHECK(same(a.outputs(), b.outputs()));
  CHECK(same(a.dweights(), b.dweights()));
  CHECK(same(a.dscores(), b.dscores()));
  CHECK(same(a.dqueries(), b.dqueries()));
  CHECK(same(a.dkeys(), b.dkeys()));
  CHECK(same(a.dvalues(), b.dvalues()));
  constexpr size_t kRow = kHead * sizeof(double);  // nothing larger is held by way of a view
  CHECK(b.queries().storage().bytes() == 2 * kQueries * kRow);
  CHECK(b.values().storage().bytes() == 2 * kKeys * kRow);
  CHECK(b.outputs().storage().bytes() == 2 * kQueries * kRow);
  CHECK(b.doutputs().storage().bytes() == 2 * kQueries * kRow);

  const AttentionRecorder beyond(some.layer, {.rows = {3}});
  some.run(mask).backward();
  CHECK(beyond.calls().empty());
}

TEST_CASE("the bias of keys has no gradient, nor have queries and keys where all values are one") {
  Layer64 f;
  f.run(Mask::causal()).backward();
  CHECK(max(abs(slice(f.layer.in_proj_bias.grad(), 0, kWidth, 2 * kWidth))).item() < kTight);

  Layer64 equal;
  init::copy(equal.layer.in_proj_weight,
             cat({slice(equal.layer.in_proj_weight.detach(), 0, 0, 2 * kWidth),
                  zeros({kWidth, kWidth}, kFloat64)},
                 0));
  const AttentionRecorder seen(equal.layer);
  equal.run(Mask::causal()).backward();
  CHECK(max(abs(seen[""].dscores())).item() < kTight);
  CHECK(max(abs(seen[""].dvalues())).item() > 0.01);
  const Tensor g = equal.layer.in_proj_weight.grad();
  CHECK(max(abs(slice(g, 0, 0, 2 * kWidth))).item() < kTight);
  CHECK(max(abs(slice(g, 0, 2 * kWidth))).item() > 0.01);
}

TEST_CASE("a loss that looks at the weights themselves is part of their gradient") {
  Layer64 f(0.3);
  const AttentionRecorder seen(f.layer);
  const AttentionResult r = f.layer(
      f.query, f.memory, f.memory, {.mask = Mask::causal(), .weights = AttentionWeights::per_head});
  Tensor weights = r.weights;
  weights.retain_grad();
  (Layer64::loss(r.output) + sum(weights * weights)).backward();
  CHECK(largest_difference(seen[""].dweights(), weights.grad()) == 0);
  CHECK(largest_difference(seen[""].weights(), weights) == 0);
  const Tensor k = seen[""].dkeys();  // [B, H, Tk, Dh]
  const Tensor rows = reshape(permute(k, {0, 2, 1, 3}), {kBatch * kKeys, kWidth});
  const Tensor by_hand =
      matmul(transpose(rows, 0, 1), reshape(f.memory, {kBatch * kKeys, kWidth}));  // dW_K
  CHECK(largest_difference(slice(f.layer.in_proj_weight.grad(), 0, kWidth, 2 * kWidth), by_hand) <
        kTight);
}

TEST_CASE("attentions have paths and kinds, and many calls make a list") {
  Training t;
  AttentionRecorder seen(t.model,
                         {.paths = {"encoder.layers.1.self_attn", "decoder.layers.0.self_attn",
                                    "decoder.layers.1.multihead_attn"}});
  t.loss();
  t.loss();
  REQUIRE(seen.calls().size() == 6);
  CHECK(seen.calls()[4].path() == "decoder.layers.0.self_attn");
  CHECK(seen["encoder.layers.1.self_attn"].kind() == AttentionKind::encoder_self);
  CHECK(seen["decoder.layers.0.self_attn"].kind() == AttentionKind::decoder_self);
  CHECK(seen["decoder.layers.1.multihead_attn"].kind() == AttentionKind::cross);
  CHECK(&seen["encoder.layers.1.self_attn"] == &seen.calls()[3]);
  seen.clear();
  CHECK(seen.calls().empty());

  const AttentionRecorder inside(t.model.encoder);
  {
    const NoGrad no_grad;
    t.loss();
  }
  CHECK(inside["layers.0.self_attn"].kind() == AttentionKind::self);
  CHECK(!inside["layers.0.self_attn"].has_gradients());
}

TEST_CASE("gradients of several passes are summed, and those of grad() come too") {
  Layer64 f;
  const AttentionRecorder seen(f.layer);
  const Tensor loss = f.run(Mask());
  loss.backward({}, {.retain_graph = true});
  const Tensor once = clone(seen[""].dscores());
  grad(loss, f.layer.in_proj_weight, {.create_graph = true});
  CHECK(largest_difference(seen[""].dscores(), once * 2.0) < kTight);
  CHECK(!seen[""].doutputs().requires_grad());
}

TEST_CASE("under checkpoint the call of backward has the gradients") {
  Layer64 plain(0.3), saving(0.3);
  const AttentionRecorder seen(plain.layer), again(saving.layer);
  plain.run(Mask()).backward();
  checkpoint([&](const Tensor&) { return saving.run(Mask()); }, saving.query).backward();
  REQUIRE(again.calls().size() == 2);
  CHECK(!again.calls()[0].has_gradients());
  CHECK(largest_difference(again[""].dkeys(), seen[""].dkeys()) == 0);
  CHECK(saving.layer.in_proj_weight.grad().to_vector<double>() ==
        plain.layer.in_proj_weight.grad().to_vector<double>());
}

TEST_CASE("nothing stays behind, in the module or in graphs, however the scope ends") {
  Layer64 f, alone;
  Tensor output;
  f.layer.register_attention_hook([&](const AttentionStep& step) { output = step.output; });
  auto hooks_on_output = [&] {
    return node_of(output)->extras(output.output_index())->hooks->entries.size();
  };
  Tensor loss;
  {
    AttentionRecorder seen(f.layer);
    loss = f.run(Mask());
    CHECK(hooks_on_output() == 1);
    seen.clear();
    CHECK(hooks_on_output() == 0);
    loss = f.run(Mask());
  }
  CHECK(hooks_on_output() == 0);
  loss.backward();
  alone.run(Mask()).backward();
  CHECK(largest_difference(f.layer.in_proj_weight.grad(), alone.layer.in_proj_weight.grad()) == 0);

  try {
    const AttentionRecorder seen(f.layer);
    loss = f.run(Mask());
    throw std::runtime_error("enough");
  } catch (const std::runtime_error&) {
  }
  CHECK(hooks_on_output() == 0);
  f.layer.zero_grad();
  loss.backward();
  CHECK(largest_difference(f.layer.in_proj_weight.grad(), alone.layer.in_proj_weight.grad()) == 0);

  auto model = std::make_unique<Layer64>();
  auto seen = std::make_unique<AttentionRecorder>(model->layer);
  loss = model->run(Mask());
  model.reset();  // the module goes first
  loss.backward();
  const AttentionRecord kept = (*seen)[""];
  seen.reset();
  CHECK(max(abs(kept.dscores())).item() > 1e-3);
}

TEST_CASE("recorders say what they expect") {
  Training t;
  CHECK(message_of([&] { AttentionRecorder(t.model, {.paths = {"encoder.layers.0.attn"}}); })
            .starts_with("attention recorder: there is no attention "
                         "\"encoder.layers.0.attn\"; nearest: encoder.layers.0.self_attn"));
  CHECK(message_of([&] { AttentionRecorder(t.model, {.heads = {4}}); }) ==
        "attention recorder: heads of \"encoder.layers.0.self_attn\" are 0 to 3; got 4");
  CHECK(message_of([&] { AttentionRecorder(t.model, {.rows = {-1}}); }) ==
        "attention recorder: rows must not be negative; got -1");
  Linear linear(2, 2, Generator(1));
  CHECK(message_of([&] { const AttentionRecorder seen(linear); }) ==
        "attention recorder: the module has no attention with softmax");
  const AttentionRecorder seen(t.model, {.paths = {"encoder.layers.0.self_attn"}});
  CHECK(message_of([&] { seen["encoder.layers.0.self_attn"]; }) ==
        "attention recorder: no call of \"encoder.layers.0.self_attn\" was recorded");
  t.loss();
  CHECK(message_of([&] { seen["encoder.layers.0.self_attn"].dscores(); }) ==
        "attention record: no gradient has come to \"encoder.layers.0.self_attn\"");
}

TEST_CASE("scores have their gradient where only values are learned, whatever is asked for") {
  MultiheadAttention layer({.embed_dim = 6, .num_heads = 2, .vdim = 5, .batch_first = true},
                           Generator(1));
  layer.to(kFloat64);
  for (Tensor* fixed : {&layer.q_proj_weight, &layer.k_proj_weight, &layer.in_proj_bias})
    fixed->set_requires_grad(false);
  const Tensor query = normal({2, 3, 6}, 1), key = normal({2, 4, 6}, 2),
               value = normal({2, 4, 5}, 3);
  const auto dscores = [&](AttentionWeights form) {
    const AttentionRecorder seen(layer);
    sum(tanh(layer(query, key, value, {.weights = form}).output)).backward();
    return seen[""].dscores();
  };
  const Tensor fused = dscores(AttentionWeights::none);
  CHECK(max(abs(fused)).item() > 1e-4);
  CHECK(largest_difference(dscores(AttentionWeights::per_head), fused) < 1e-14);
}
