// Parts of attention blocks against loops and against what the layers give; ALTI and ALTI+ against
// the recursion of the papers.
#include <weft/autograd/autograd.h>
#include <weft/nn/init.h>
#include <weft/nn/inspect/contributions.h>
#include <weft/nn/inspect/detail/scoped_hooks.h>
#include <weft/nn/inspect/rollout.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

namespace {

constexpr int64_t kBatch = 2, kHeads = 2, kWidth = 6, kSource = 4, kTarget = 3, kHead = 3;
constexpr double kExact = 1e-12;

// In float64, with every parameter away from its initial value.
void make_general(Module& model) {
  model.to(kFloat64);
  uint64_t seed = 100;
  for (Tensor p : model.parameters()) init::copy(p, p.detach() + normal(p.shape(), ++seed) * 0.3);
  model.eval();
}

struct Model {
  explicit Model(bool norm_first, bool batch_first = true, bool share_layers = false)
      : transformer({.layer = {.d_model = kWidth,
                               .nhead = kHeads,
                               .dim_feedforward = 5,
                               .batch_first = batch_first,
                               .norm_first = norm_first},
                     .num_encoder_layers = 2,
                     .num_decoder_layers = 2,
                     .share_layers = share_layers},
                    Generator(1)) {
    make_general(transformer);
    if (!batch_first) {
      source = transpose(source, 0, 1);
      target = transpose(target, 0, 1);
    }
  }
  Tensor run(AttentionTrace* trace) {
    return transformer(source, target, {.tgt_mask = Mask::causal(), .trace = trace});
  }
  Tensors layers() {
    return contribution_layers(transformer, [&](AttentionTrace* trace) { run(trace); });
  }

  Transformer transformer;
  Tensor source = normal({kBatch, kSource, kWidth}, 2),
         target = normal({kBatch, kTarget, kWidth}, 3);
};

// What goes into a module and comes out of it, in each call of `run`.
struct Seen {
  Tensors inputs, outputs;
};
Seen watch(Module& module, const std::function<void()>& run) {
  Seen seen;
  HookHandle hook = module.register_forward_hook([&](ModuleCall& call) {
    for (const Tensor* t : call.inputs) seen.inputs.push_back(*t);
    for (const Tensor* t : call.outputs) seen.outputs.push_back(*t);
  });
  run();
  hook.remove();
  return seen;
}

// sum_h A_hij f_h(x_j) for every dim, by loops.
std::vector<double> from_key(MultiheadAttention& attention, const Tensor& weights, const Tensor& x,
                             int64_t b, int64_t i, int64_t j) {
  const Tensor w_out = attention.find("out_proj.weight");
  std::vector<double> total(kWidth);
  for (int64_t h = 0; h < kHeads; ++h)
    for (int64_t v = h * kHead; v < (h + 1) * kHead; ++v) {
      double value = attention.in_proj_bias.at({2 * kWidth + v});
      for (int64_t e = 0; e < kWidth; ++e)
        value += attention.in_proj_weight.at({2 * kWidth + v, e}) * x.at({b, j, e});
      for (int64_t d = 0; d < kWidth; ++d)
        total[static_cast<size_t>(d)] += weights.at({b, h, i, j}) * value * w_out.at({d, v});
    }
  return total;
}

double mean_of(const std::vector<double>& v) {
  double total = 0;
  for (double x : v) total += x;
  return total / static_cast<double>(v.size());
}

double biased_deviation(const std::vector<double>& u, double eps) {
  const double m = mean_of(u);
  double squares = 0;
  for (double x : u) squares += (x - m) * (x - m);
  return std::sqrt(squares / static_cast<double>(u.size()) + eps);
}

std::vector<double> linearized(const LayerNorm& norm, const std::vector<double>& v,
                               double deviation) {
  std::vector<double> y(v.size());
  for (size_t d = 0; d < v.size(); ++d)
    y[d] = norm.weight.at({static_cast<int64_t>(d)}) * (v[d] - mean_of(v)) / deviation;
  return y;
}

double l1(const std::vector<double>& v) {
  double total = 0;
  for (double x : v) total += std::abs(x);
  return total;
}

std::vector<double> row(const Tensor& x, std::initializer_list<int64_t> index) {
  Tensor r = x;
  for (int64_t i : index) r = select(r, 0, i);
  return r.detach().to_vector<double>();
}

// The contributions of each part of `parts` (keys, and perhaps more) to y.
std::vector<double> shares(const std::vector<std::vector<double>>& parts,
                           const std::vector<double>& y) {
  std::vector<double> c;
  double total = 0;
  for (const auto& part : parts) {
    std::vector<double> rest = y;
    for (size_t d = 0; d < y.size(); ++d) rest[d] -= part[d];
    c.push_back(std::max(0.0, l1(y) - l1(rest)));
    total += c.back();
  }
  for (double& x : c) x /= total;
  return c;
}

struct Attended {
  Tensor x, weights, output;
};
Attended self_attend(TransformerEncoderLayer& layer, const Tensor& x) {
  AttentionTrace trace;
  const Seen norm = watch(layer.find_module("norm1"), [&] { layer(x, {.trace = &trace}); });
  return {x, trace.encoder[0], norm.outputs[0]};
}

}  // namespace

TEST_CASE("parts of a post-norm block are those of loops, and sum to its output") {
  TransformerEncoderLayer layer({.d_model = kWidth, .nhead = kHeads, .batch_first = true},
                                Generator(1));
  make_general(layer);
  auto& attention = layer.find_module<MultiheadAttention>("self_attn");
  auto& norm = layer.find_module<LayerNorm>("norm1");
  const Attended a = self_attend(layer, normal({kBatch, kSource, kWidth}, 2));
  const BlockParts parts = block_parts(attention, a.x, a.weights, a.x, &norm);
  REQUIRE(parts.keys.shape() == Shape{kBatch, kSource, kSource, kWidth});
  CHECK(largest_difference(parts.output(), a.output) < kExact);

  const Tensor c = self_contributions(parts);
  const std::vector<double> b_out = row(attention.find("out_proj.bias"), {}),
                            b_norm = row(norm.bias, {});
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t i = 0; i < kSource; ++i) {
      std::vector<std::vector<double>> terms;
      const std::vector<double> x = row(a.x, {b, i});
      std::vector<double> u = b_out;
      for (int64_t j = 0; j < kSource; ++j) {
        terms.push_back(from_key(attention, a.weights, a.x, b, i, j));
        for (size_t d = 0; d < u.size(); ++d) u[d] += terms.back()[d];
      }
      for (size_t d = 0; d < u.size(); ++d) u[d] += x[d];
      const double deviation = biased_deviation(u, norm.eps());
      const std::vector<double> r = linearized(norm, x, deviation),
                                bias = linearized(norm, b_out, deviation);
      for (size_t d = 0; d < u.size(); ++d) {
        const auto at = static_cast<int64_t>(d);
        CHECK(std::abs(parts.residual.at({b, i, at}) - r[d]) < kExact);
        CHECK(std::abs(parts.bias.at({b, i, at}) - bias[d] - b_norm[d]) < kExact);
      }
      for (int64_t j = 0; j < kSource; ++j) {
        std::vector<double>& term = terms[static_cast<size_t>(j)];
        term = linearized(norm, term, deviation);
        for (size_t d = 0; d < u.size(); ++d) {
          CHECK(std::abs(parts.keys.at({b, i, j, static_cast<int64_t>(d)}) - term[d]) < kExact);
          if (i == j) term[d] += r[d];
        }
      }
      const std::vector<double> expected = shares(terms, row(a.output, {b, i}));
      for (int64_t j = 0; j < kSource; ++j)
        CHECK(std::abs(c.at({b, i, j}) - expected[static_cast<size_t>(j)]) < kClose);
    }
}

TEST_CASE("parts of attention to a memory, of a pre-norm block, and without biases") {
  for (const bool bias : {true, false}) {
    MultiheadAttention attention(
        {.embed_dim = kWidth, .num_heads = kHeads, .bias = bias, .vdim = 5, .batch_first = true},
        Generator(1));
    make_general(attention);
    LayerNorm norm(kWidth, 1e-3, bias);
    make_general(norm);
    const Tensor x = normal({kBatch, kTarget, kWidth}, 2),
                 key = normal({kBatch, kSource, kWidth}, 3),
                 value = normal({kBatch, kSource, 5}, 4);
    const AttentionResult r = attention(x, key, value, {.weights = AttentionWeights::per_head});
    const BlockParts post = block_parts(attention, value, r.weights, x, &norm),
                     pre = block_parts(attention, value, r.weights, x);
    CHECK(largest_difference(post.output(), norm(x + r.output)) < kExact);
    CHECK(largest_difference(pre.output(), x + r.output) < kExact);
    CHECK(largest_difference(pre.residual, x) == 0);
    if (!bias) CHECK(max(abs(post.bias)).item() == 0);

    const Tensor c = cross_contributions(post), y = post.output();
    REQUIRE(c.shape() == Shape{kBatch, kTarget, kSource + 1});
    for (int64_t b = 0; b < kBatch; ++b)
      for (int64_t i = 0; i < kTarget; ++i) {
        std::vector<std::vector<double>> terms;
        for (int64_t j = 0; j < kSource; ++j) terms.push_back(row(post.keys, {b, i, j}));
        terms.push_back(row(post.residual, {b, i}));
        const std::vector<double> expected = shares(terms, row(y, {b, i}));
        for (int64_t j = 0; j <= kSource; ++j)
          CHECK(std::abs(c.at({b, i, j}) - expected[static_cast<size_t>(j)]) < kClose);
      }
  }
}

// Two dims, written out: y = (3, -1), parts (2, 0), (1, 1), (-3, -1), and y itself.
TEST_CASE("contributions by hand, and where there are none") {
  const Tensor y = tensor({{{3.0, -1.0}}}, kFloat64),
               parts = reshape(tensor({2.0, 0.0, 1.0, 1.0, -3.0, -1.0, 3.0, -1.0}, kFloat64),
                               {1, 1, 4, 2});
  const Tensor c = contributions(parts, y);
  CHECK(std::abs(c.at({0, 0, 0}) - 2.0 / 6) < kClose);  // 4 - |(1, -1)|
  CHECK(c.at({0, 0, 1}) == 0);                          // 4 - |(2, -2)|
  CHECK(c.at({0, 0, 2}) == 0);                          // 4 - |(6, 0)|, below 0
  CHECK(std::abs(c.at({0, 0, 3}) - 4.0 / 6) < kClose);
  CHECK(max(abs(contributions(-parts, y * 0))).item() == 0);
}

TEST_CASE("what a mask hides contributes exactly nothing") {
  TransformerEncoderLayer layer({.d_model = kWidth, .nhead = kHeads, .batch_first = true},
                                Generator(1));
  make_general(layer);
  const Tensor x = normal({kBatch, kSource, kWidth}, 2);
  const Tensors c = contribution_layers(layer, [&](AttentionTrace* trace) {
    layer(x, {.src_mask = Mask::causal(), .trace = trace});
  });
  REQUIRE(c.size() == 1);
  CHECK(max(abs(triu(c[0], 1))).item() == 0);
  CHECK(largest_difference(sum(c[0], {-1}), ones({kBatch, kSource}, kFloat64)) < kExact);
}

TEST_CASE("a lone encoder gives layers of its own positions") {
  for (const bool norm_first : {false, true}) {
    TransformerEncoder encoder({.d_model = kWidth,
                                .nhead = kHeads,
                                .dim_feedforward = 5,
                                .batch_first = true,
                                .norm_first = norm_first},
                               2, Generator(1));
    make_general(encoder);
    const Tensor x = normal({kBatch, kSource, kWidth}, 2);
    const auto run = [&](AttentionTrace* trace) { encoder(x, {.trace = trace}); };
    AttentionTrace trace;
    Seen inner, norms;
    inner = watch(encoder.find_module("layers.1"), [&] { run(&trace); });
    norms = watch(encoder.find_module("layers.1.norm1"), [&] { run(&trace); });
    const Tensor& in = inner.inputs[0];
    auto& attention = encoder.find_module<MultiheadAttention>("layers.1.self_attn");
    auto& norm = encoder.find_module<LayerNorm>("layers.1.norm1");
    const BlockParts parts = norm_first
                                 ? block_parts(attention, norms.outputs[0], trace.encoder[1], in)
                                 : block_parts(attention, in, trace.encoder[1], in, &norm);
    const Tensors layers = contribution_layers(encoder, run);
    REQUIRE(layers.size() == 2);
    CHECK(largest_difference(layers[1], self_contributions(parts)) < kClose);
    CHECK(largest_difference(layers[0], layers[1]) > 0.01);
  }
}

TEST_CASE("ALTI+ is the recursion of the paper") {
  for (const bool norm_first : {false, true}) {
    Model m(norm_first);
    const Tensors layers = m.layers();
    REQUIRE(layers.size() == 6);
    const auto part = [&](size_t layer, int64_t rows, int64_t row_count, int64_t columns,
                          int64_t column_count) {
      return slice(slice(layers[layer], 1, rows, rows + row_count), 2, columns,
                   columns + column_count);
    };
    const Tensor encoder = matmul(part(1, 0, kSource, 0, kSource), part(0, 0, kSource, 0, kSource));
    Tensor from_source = zeros({kBatch, kTarget, kSource}, kFloat64), from_target;
    for (const size_t l : {size_t{2}, size_t{4}}) {
      const Tensor self = part(l, kSource, kTarget, kSource, kTarget),
                   cross = part(l + 1, kSource, kTarget, 0, kSource),
                   kept = sum(part(l + 1, kSource, kTarget, kSource, kTarget), {-1}, true);
      const Tensor scaled = self * kept;
      from_source = matmul(scaled, from_source) + matmul(cross, encoder);
      from_target = from_target.defined() ? matmul(scaled, from_target) : scaled;
      CHECK(largest_difference(sum(cross, {-1}, true) + kept, ones(kept.shape(), kFloat64)) <
            kExact);
    }
    const Tensor r = rollout(layers);
    CHECK(largest_difference(slice(slice(r, 1, kSource), 2, 0, kSource), from_source) < kExact);
    CHECK(largest_difference(slice(slice(r, 1, kSource), 2, kSource), from_target) < kExact);
    CHECK(largest_difference(source_share(r, kSource), sum(from_source, {-1})) < kExact);
    const Tensor whole = sum(from_source, {-1}) + sum(from_target, {-1});
    CHECK(largest_difference(whole, ones({kBatch, kTarget}, kFloat64)) < kExact);
    CHECK(max(abs(triu(from_target, 1))).item() == 0);  // causal
    CHECK(min(source_share(r, kSource)).item() > 0.01);
  }
}

TEST_CASE("contributions do not depend on the layout, and their gradients are right") {
  Model first(false), second(false, false);
  const Tensors a = first.layers(), b = second.layers();
  for (size_t l = 0; l < a.size(); ++l) CHECK(largest_difference(a[l], b[l]) < kExact);

  auto& attention = first.transformer.find_module<MultiheadAttention>("encoder.layers.0.self_attn");
  auto& norm = first.transformer.find_module<LayerNorm>("encoder.layers.0.norm1");
  const auto f = [&](const Tensors& in) {
    return Tensors{self_contributions(block_parts(attention, in[0], in[1], in[2], &norm))};
  };
  const Tensor x = normal({1, 3, kWidth}, 1);
  CHECK(gradcheck("contributions", f, {x, random_weights({1, kHeads, 3, 3}, 2), x}).failure == "");
}

TEST_CASE("layers that share their weights contribute in each of their runs") {
  for (const bool norm_first : {false, true}) {
    Model shared(norm_first, true, true), apart(norm_first);
    NamedTensors same = apart.transformer.state_dict();
    for (NamedTensor& t : same) {
      std::string name = t.name;
      if (const size_t at = name.find(".layers."); at != std::string::npos)
        name.replace(at + 8, 1, "0");
      t.tensor = shared.transformer.find(name);
    }
    apart.transformer.load_state_dict(same);
    const Tensors a = shared.layers(), b = apart.layers();
    REQUIRE(a.size() == 6);
    for (size_t l = 0; l < a.size(); ++l) CHECK(largest_difference(a[l], b[l]) == 0);
    CHECK(message_of([&] {
            contribution_layers(shared.transformer, [&](AttentionTrace* trace) {
              shared.run(trace);
              shared.run(trace);
            });
          }).find("expected each layer to run 2 times; encoder.layers.0.self_attn ran again") !=
          std::string::npos);
  }
}

TEST_CASE("contributions say what they expect, and leave no hooks behind") {
  Model m(false);
  CHECK(message_of([&] {
          contribution_layers(m.transformer, [&](AttentionTrace*) { m.run(nullptr); });
        }).find("contribution_layers: encoder.layers.0.self_attn was not asked for its weights") !=
        std::string::npos);
  CHECK(message_of([&] {
          contribution_layers(m.transformer, [&](AttentionTrace* trace) {
            m.run(trace);
            m.run(trace);
          });
        }).find("expected each layer to run once; encoder.layers.0.self_attn ran again") !=
        std::string::npos);
  detail::for_each_module(m.transformer, [](Module& module) { CHECK(!module.has_hooks()); });
  m.transformer.train();
  CHECK(message_of([&] { m.layers(); }).find("expected a model in eval()") != std::string::npos);
  CHECK(
      message_of([] {
        contributions(ones({1, 2, 3, 4}), ones({1, 2, 3}));
      }) ==
      "contributions: expected parts [B, Tq, N, D] and an output [B, Tq, D]; got [1, 2, 3, 4] and "
      "[1, 2, 3]");
  CHECK(message_of([] {
          source_share(ones({1, 2, 3}), 1);
        }) == "source_share: expected [B, S + T, S + T] with S = 1; got [1, 2, 3]");
}
