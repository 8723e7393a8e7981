// Every layer of nn, enumerated: gradients, state, determinism (nn/check_module.h).
#include <fmt/format.h>
#include <weft/autograd/graph/grad_mode.h>
#include <weft/nn/attention/cross_attention.h>
#include <weft/nn/embedding.h>
#include <weft/nn/position_bias.h>
#include <weft/nn/positional.h>
#include <weft/nn/sequential.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/catch.h>
#include <weft/tests/nn/declared_layers.h>
#include <weft/tests/nn/layer_checks.h>
#include <weft/tests/report.h>

#include <set>
#include <utility>

using namespace weft;

namespace {

constexpr double kDropout = 0.3;

const Mask kPadding = Mask::padding({3, 2}, 3);

TransformerLayerOptions layer_options(bool pre) {
  return {.d_model = 4,
          .nhead = 2,
          .dim_feedforward = 3,
          .dropout = kDropout,
          .activation = FeedForwardActivation::gelu,
          .batch_first = pre,
          .norm_first = pre,
          .memory_dim = pre ? std::optional<int64_t>(3) : std::nullopt};
}

// All that PyTorch's layers do not have.
TransformerLayerOptions modern_options() {
  TransformerLayerOptions o = layer_options(true);
  o.activation = FeedForwardActivation::swiglu;
  o.rotary = o.qk_norm = true;
  return o;
}

const std::vector<TransformerLayerOptions> kLayers{layer_options(false), layer_options(true),
                                                   modern_options()};

Tensor bend(const Tensor& x) { return tanh(x); }

struct Mlp : Sequential {
  Mlp() {
    Generator generator(1);
    add<Linear>(4, 3, generator).add<Activation>(bend).add<LayerNorm>(3);
  }
};

using Reports = LayerReports;

Reports check_attention() {
  auto module = [](MultiheadAttentionOptions o) {
    return [o] { return MultiheadAttention(o, Generator(1)); };
  };
  auto call = [](MultiheadAttention& m, const Tensors& in) {
    return m(in[0], in[1], in.back(),
             AttentionCall{.mask = kPadding, .weights = AttentionWeights::per_head});
  };
  auto self = [](MultiheadAttention& m, const Tensors& in) { return m(in[0], in[0], in[0]); };
  return {check_module(module({.embed_dim = 4, .num_heads = 2}), {normal({3, 2, 4})}, self),
          check_module(module({.embed_dim = 4, .num_heads = 2, .batch_first = true}),
                       {normal({2, 2, 4}), normal({2, 3, 4}, 6)}, call),
          check_module(module({.embed_dim = 4,
                               .num_heads = 2,
                               .dropout = kDropout,
                               .add_bias_kv = true,
                               .add_zero_attn = true,
                               .kdim = 3,
                               .vdim = 2}),
                       {normal({2, 2, 4}), normal({3, 2, 3}), normal({3, 2, 2})}, call),
          check_module(module({.embed_dim = 4, .num_heads = 2, .batch_first = true}),
                       {normal({1, 4, 4})},
                       [](MultiheadAttention& m, const Tensors& in) {
                         const Mask local = alibi(2, 4, 4) & Mask::window(2, 0);
                         return m(in[0], in[0], in[0], AttentionCall{.mask = local});
                       }),
          check_module(module({.embed_dim = 4, .num_heads = 2, .rotary = true, .qk_norm = true}),
                       {normal({3, 2, 4})}, self),
          check_module(module({.embed_dim = 4,
                               .num_heads = 2,
                               .dropout = kDropout,
                               .add_zero_attn = true,
                               .relative = true}),
                       {normal({3, 2, 4})}, self),
          check_module(module({.embed_dim = 4, .num_heads = 1, .bias = false}),
                       {normal({2, 2, 4}), normal({3, 2, 4}), normal({3, 2, 4}, 8)})};
}

Reports check_cross_attention() {
  auto module = [](Combine combine, NormPlace norm) {
    return [=] {
      return CrossAttention({.embed_dim = 4,
                             .num_heads = 2,
                             .kdim = 3,
                             .vdim = 3,
                             .combine = combine,
                             .norm = norm,
                             .dropout = kDropout,
                             .batch_first = true},
                            Generator(1));
    };
  };
  Reports reports;
  for (const Combine combine : {Combine::add, Combine::concatenate})
    for (const NormPlace norm : {NormPlace::none, NormPlace::before, NormPlace::after})
      reports.push_back(
          check_module(module(combine, norm), {normal({2, 2, 4}), normal({2, 3, 3})}));
  return reports;
}

Reports check_encoder_layer() {
  Reports reports;
  for (const TransformerLayerOptions& o : kLayers)
    reports.push_back(check_module([=] { return TransformerEncoderLayer(o, Generator(1)); },
                                   {normal(o.batch_first ? Shape{2, 3, 4} : Shape{3, 2, 4})},
                                   [](TransformerEncoderLayer& m, const Tensors& in) {
                                     return m(in[0], {.src_mask = kPadding});
                                   }));
  return reports;
}

Reports check_decoder_layer() {
  Reports reports;
  for (const TransformerLayerOptions& o : kLayers)
    reports.push_back(check_module(
        [=] { return TransformerDecoderLayer(o, Generator(1)); },
        {normal({2, 2, 4}), normal(o.batch_first ? Shape{2, 3, 3} : Shape{3, 2, 4})},
        [](TransformerDecoderLayer& m, const Tensors& in) {
          return m(in[0], in[1], DecoderCall{.tgt_mask = Mask::causal(), .memory_mask = kPadding});
        }));
  return reports;
}

TransformerLayerOptions stack_options() {
  TransformerLayerOptions layer = layer_options(true);
  layer.memory_dim = {};
  return layer;
}

Reports check_encoder() {
  return {
      check_module([] { return TransformerEncoder(stack_options(), 2, Generator(1), true); },
                   {normal({1, 3, 4})}, [](auto& m, const Tensors& in) { return m(in[0]); },
                   {.directions = 3}),
      check_module([] { return TransformerEncoder(stack_options(), 2, Generator(1), true, true); },
                   {normal({1, 3, 4})}, [](auto& m, const Tensors& in) { return m(in[0]); },
                   {.directions = 3})};
}

Reports check_decoder() {
  return {check_module([] { return TransformerDecoder(stack_options(), 2, Generator(1), true); },
                       {normal({1, 2, 4}), normal({1, 3, 4})},
                       [](auto& m, const Tensors& in) {
                         return m(in[0], in[1], DecoderCall{.tgt_mask = Mask::causal()});
                       },
                       {.directions = 3})};
}

Reports check_transformer() {
  auto factory = [] {
    return Transformer({.layer = stack_options(), .num_encoder_layers = 1, .num_decoder_layers = 1},
                       Generator(1));
  };
  return {check_module(factory, {normal({1, 3, 4}), normal({1, 2, 4})},
                       [](auto& m, const Tensors& in) {
                         return m(in[0], in[1], TransformerCall{.tgt_mask = Mask::causal()});
                       },
                       {.directions = 3})};
}

const LayerChecks kTransformerLayers = {
    {"Activation",
     [] {
       return Reports{check_module([] { return Activation(bend); }, {normal({2, 3})})};
     }},
    {"CrossAttention", check_cross_attention},
    {"Dropout",
     [] {
       return Reports{check_module([] { return Dropout(0.5, Generator(1)); }, {normal({2, 3})})};
     }},
    {"Embedding",
     [] {
       return Reports{
           check_module([] { return Embedding(5, 3, Generator(1)); }, {tensor({{0, 2}, {2, 4}})})};
     }},
    {"LayerNorm",
     [] {
       return Reports{check_module([] { return LayerNorm(4); }, {normal({2, 4})}),
                      check_module([] { return LayerNorm(4, 1e-3, false); }, {normal({2, 4})})};
     }},
    {"LearnedPositions",
     [] {
       return Reports{check_module([] { return LearnedPositions(3, 4, Generator(1), true); },
                                   {normal({2, 3, 4})})};
     }},
    {"Linear",
     [] {
       return Reports{
           check_module([] { return Linear(4, 3, Generator(1)); }, {normal({2, 4})}),
           check_module([] { return Linear(4, 3, Generator(1), false); }, {normal({2, 2, 4})})};
     }},
    {"MultiheadAttention", check_attention},
    {"Sequential",
     [] {
       return Reports{check_module([] { return Mlp(); }, {normal({2, 4})})};
     }},
    {"SinusoidalPositions",
     [] {
       return Reports{check_module([] { return SinusoidalPositions(); }, {normal({3, 2, 4})})};
     }},
    {"Transformer", check_transformer},
    {"TransformerDecoder", check_decoder},
    {"TransformerDecoderLayer", check_decoder_layer},
    {"TransformerEncoder", check_encoder},
    {"TransformerEncoderLayer", check_encoder_layer},
};

LayerChecks all_layers() {
  LayerChecks all = other_layers();
  all.insert(kTransformerLayers.begin(), kTransformerLayers.end());
  return all;
}

}  // namespace

TEST_CASE("every layer passes check_module") {
  std::string table =
      "layer                           settings  order 1  order 2  order 3  float32  worst\n";
  auto add_row = [&](const std::string& name, size_t settings, const ModuleReport& r) {
    table += fmt::format("{:<32} {:>7} {:>8} {:>8} {:>8} {:>8}  {:.0e}\n", name, settings,
                         r.gradients[0], r.gradients[1], r.gradients[2], r.singles, r.worst);
  };
  auto add = [](ModuleReport& sum, const ModuleReport& r) {
    for (size_t k = 0; k < 3; ++k) sum.gradients[k] += r.gradients[k];
    sum.singles += r.singles;
    sum.worst = std::max(sum.worst, r.worst);
  };
  ModuleReport all;
  size_t settings = 0;
  const LayerChecks layers = all_layers();
  for (const auto& layer : layers) {
    ModuleReport own;
    const LayerReports reports = layer.second();
    for (const ModuleReport& r : reports) {
      for (const std::string& f : r.failures) FAIL_CHECK(layer.first << ": " << f);
      CHECK(r.gradients[2] > 0);
      add(own, r);
    }
    add_row(layer.first, reports.size(), own);
    add(all, own);
    settings += reports.size();
  }
  add_row(fmt::format("{} layers, none skipped", layers.size()), settings, all);
  write_report("layers", table);
}

TEST_CASE("no layer of nn is left out of the check") {
  std::set<std::string> checked;
  for (const auto& layer : all_layers()) checked.insert(layer.first);
  CHECK(declared_layers() == checked);
}

namespace {

// Scales by a parameter; `fault` chooses what is wrong with it.
enum class Fault {
  none,
  wrong_gradient,
  unused,
  not_saved,
  not_registered,
  random,
  wrong_in_float32,
  no_result
};
class Faulty : public Layer<Faulty> {
 public:
  Faulty(Fault fault, Generator generator)
      : fault_(fault),
        generator_(std::move(generator)),
        scale_(parameter("scale", ones({3}))),
        hidden_(randn({3}, hidden_generator(), kFloat64)),
        rogue_(full({3}, 2).set_requires_grad()) {}

  Tensor forward(const Tensor& x) {
    Tensor scale = scale_;
    if (fault_ == Fault::wrong_gradient) scale = scale_ + (scale_ - scale_.detach()) * 0.001;
    if (fault_ == Fault::unused) scale = scale_.detach();
    if (fault_ == Fault::not_saved) scale = scale_ * weft::to(hidden_, x.dtype());
    if (fault_ == Fault::wrong_in_float32 && x.dtype() == kFloat32)
      scale = scale_ + (scale_ - scale_.detach()) * 0.01;
    if (fault_ == Fault::not_registered) scale = scale_ * weft::to(rogue_, x.dtype());
    if (fault_ == Fault::no_result) return {};
    if (fault_ == Fault::random) return x * scale * generator_.uniform();
    return x * scale;
  }

 private:
  static Generator& hidden_generator() {
    static Generator shared(3);
    return shared;
  }
  Fault fault_;
  Generator generator_;
  Tensor scale_, hidden_, rogue_;
};

std::vector<std::string> faults(Fault fault) {
  return check_module([fault] { return Faulty(fault, Generator(1)); }, {normal({2, 3})}).failures;
}

}  // namespace

TEST_CASE("check_module finds faults") {
  CHECK(faults(Fault::none).empty());
  REQUIRE_FALSE(faults(Fault::wrong_gradient).empty());
  CHECK(faults(Fault::wrong_gradient)[0].find("analytic") != std::string::npos);
  CHECK(faults(Fault::unused).back() == "scale: no output depends on it");
  CHECK(faults(Fault::not_registered) ==
        std::vector<std::string>{"a tensor of shape [3] gets a gradient but is not a parameter"});
  CHECK(message_of([] { faults(Fault::no_result); }) ==
        "check_module: output 0 of the module is undefined");
  const auto not_saved = faults(Fault::not_saved);
  CHECK(std::find(not_saved.begin(), not_saved.end(),
                  "a module that loaded the state of another computes something else") !=
        not_saved.end());
  const auto single = faults(Fault::wrong_in_float32);
  REQUIRE(single.size() == 1);
  CHECK(single[0].find("float32 and float64 differ by ") == 0);
  CHECK(single[0].find(" in result 2 ") != std::string::npos);  // after the output and its input
  const auto random = faults(Fault::random);
  CHECK(std::find(random.begin(), random.end(), "two evaluations of the same inputs differ") !=
        random.end());
  Faulty wrong(Fault::wrong_gradient, Generator(1));
  CHECK(check_module(wrong, {normal({2, 3})}).failures.at(0).find("analytic") != std::string::npos);
  Generator shared(1);
  const auto report = check_module([shared] { return Linear(3, 2, shared); }, {normal({1, 3})});
  CHECK(report.failures.at(0) ==
        "two modules of the factory differ; seed the generator inside of it");
  CHECK(message_of([] {
          check_module([] { return LayerNorm(3); }, {ones({1, 3})});
        }) == "check_module: floating inputs must be float64; input 0 is float32");
  struct Pair : Layer<Pair> {
    std::pair<Tensor, Tensor> forward(const Tensor& x) { return {x * 2.0, exp(x)}; }
  };
  NoGrad no_grad;
  const auto pair = check_module([] { return Pair(); }, {normal({1, 3})});
  CHECK(pair.failures.empty());
  CHECK(pair.gradients[0] == 3);
  CHECK(message_of([] {
          check_module([] { return LayerNorm(3); }, {normal({1, 3}), normal({1, 3})});
        }) == "check_module: forward does not take that many tensors; pass a call of your own");
}

TEST_CASE("a module one has already is checked in place and left as it was") {
  Generator gen(3);
  Sequential model;  // in float32, with gradients, part of it in evaluation
  model.add<Linear>(3, 4, gen).add<Dropout>(0.4, gen).add<LayerNorm>(4);
  sum(model(ones({2, 3}))).backward();
  model.find_module("2").eval();
  const auto bits = [&] {
    std::vector<float> all;
    for (const Tensor& p : model.parameters())
      for (const Tensor& t : {p.detach(), p.grad()})
        for (const float x : t.to_vector<float>()) all.push_back(x);
    return all;
  };
  const std::vector<float> before = bits();
  const uint64_t position = gen.position();
  const ModuleReport report = check_module(model, {normal({2, 3})});
  CHECK(report.failures == std::vector<std::string>{});
  CHECK(report.gradients[0] > 20);
  CHECK(bits() == before);
  CHECK(gen.position() == position);
  CHECK(model.training());
  CHECK_FALSE(model.find_module("2").training());
  CHECK(message_of([&] {
          check_module(model, {ones({2, 3})});
        }) == "check_module: floating inputs must be float64; input 0 is float32");
  CHECK(bits() == before);
}
