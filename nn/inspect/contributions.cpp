#include <fmt/format.h>
#include <weft/autograd/ops.h>
#include <weft/nn/inspect/contributions.h>
#include <weft/nn/inspect/detail/joined.h>
#include <weft/nn/inspect/detail/per_head.h>
#include <weft/nn/inspect/detail/scoped_hooks.h>
#include <weft/nn/inspect/detail/values.h>
#include <weft/nn/transformer/transformer.h>

#include <deque>
#include <list>

namespace weft {
namespace {

using detail::batch_of;
using detail::joined;

constexpr const char* kContributionLayers = "contribution_layers";

Tensor centred(const Tensor& x) { return x - mean(x, {-1}, true); }

// LayerNorm without its bias, at the deviation that u [B, Tq, D] has.
class Linearized {
 public:
  Linearized(const LayerNorm& norm, const Tensor& u)
      : slope_(norm.weight * rsqrt(var(u, {-1}, 0, true) + norm.eps())) {}
  Tensor operator()(const Tensor& v) const { return centred(v) * slope_; }  // [B, Tq, D]
  Tensor keys(const Tensor& v) const {
    return centred(v) * unsqueeze(slope_, 2);
  }  // [B, Tq, Tk, D]

 private:
  Tensor slope_;
};

void check_block(const Tensor& weights, const Tensor& values, const Tensor& residual) {
  detail::check_per_head("block_parts", weights);
  const Shape &w = weights.shape(), &v = values.shape();
  check(w[0] == v[0] && w[1] == v[1] && w[3] == v[2],
        "block_parts: expected weights [{}, {}, Tq, {}] for these values; got {}", v[0], v[1], v[2],
        w);
  check(residual.shape() == Shape({w[0], w[2], v[1] * v[3]}),
        "block_parts: expected a residual of {} sentences, {} queries, {} wide; got {}", w[0], w[2],
        v[1] * v[3], residual.shape());
}

enum class Kind { encoder, decoder, cross };

// What hooks gather of an attention block, in a run of its layer.
struct Block {
  Kind kind;
  MultiheadAttention& attention;
  LayerNorm& norm;
  bool norm_first = false;
  Tensor before_norm = {}, value = {}, weights = {}, residual = {};

  BlockParts parts() const {
    return block_parts(attention, value, weights, residual, norm_first ? nullptr : &norm);
  }
};

// Hooks on all blocks of a model, and what they gather of those that run, in their order.
class Watch {
 public:
  explicit Watch(Module& model) { visit(model, 1); }
  const std::deque<Block>& ran() const { return ran_; }

 private:
  // A block as it is before its next run, and how often that may be.
  struct Place {
    Block block;
    size_t runs = 0, most;
  };

  void visit(Module& m, size_t most) {
    if (const auto* stack = dynamic_cast<TransformerEncoder*>(&m)) most = stack->runs_per_layer();
    if (const auto* stack = dynamic_cast<TransformerDecoder*>(&m)) most = stack->runs_per_layer();
    if (dynamic_cast<TransformerEncoderLayer*>(&m))
      add(Kind::encoder, m, "self_attn", "norm1", most);
    if (dynamic_cast<TransformerDecoderLayer*>(&m)) {
      add(Kind::decoder, m, "self_attn", "norm1", most);
      add(Kind::cross, m, "multihead_attn", "norm2", most);
    }
    for (const auto& [name, child] : m.children()) visit(*child, most);
  }

  void add(Kind kind, Module& layer, const char* attention, const char* norm, size_t most) {
    Place& place =
        places_.emplace_back(Place{.block = {kind, layer.find_module<MultiheadAttention>(attention),
                                             layer.find_module<LayerNorm>(norm)},
                                   .most = most});
    hooks_.add(place.block.norm.register_forward_pre_hook([&place](ModuleCall& call) {
      Block& block = place.block;
      if (place.runs == 0) block.norm_first = true;
      if (block.norm_first) block.before_norm = *call.inputs[0];
    }));
    hooks_.add(place.block.attention.register_forward_hook(
        [this, &place](ModuleCall& call) { gather(place, call); }));
  }

  void gather(Place& place, const ModuleCall& call) {
    const Block& block = place.block;
    check(place.runs++ < place.most, "{}: expected each layer to run {}; {} ran again",
          kContributionLayers, place.most == 1 ? "once" : fmt::format("{} times", place.most),
          block.attention.path());
    check(call.outputs.size() == 2,
          "{}: {} was not asked for its weights: run(trace) must hand "
          "the trace on",
          kContributionLayers, block.attention.path());
    Block& run = ran_.emplace_back(block);
    run.value = *call.inputs[2];
    run.weights = *call.outputs[1];
    run.residual = block.norm_first ? block.before_norm : *call.inputs[0];
  }

  std::list<Place> places_;
  std::deque<Block> ran_;
  detail::ScopedHooks hooks_;
};

// [B, S + T, S + T]
Tensor joint_layer(const Block& block, int64_t source, int64_t target) {
  const int64_t batch = block.weights.size(0);
  const DType dtype = block.weights.dtype();
  const Tensor keep_source = batch_of(eye(source, dtype), batch),
               keep_target = batch_of(eye(target, dtype), batch),
               no_cross = zeros({batch, target, source}, dtype);
  if (block.kind == Kind::encoder)
    return joined(self_contributions(block.parts()), keep_target, no_cross);
  if (block.kind == Kind::decoder)
    return joined(keep_source, self_contributions(block.parts()), no_cross);
  const Tensor c = cross_contributions(block.parts());
  return joined(keep_source, keep_target * slice(c, 2, source), slice(c, 2, 0, source));
}

}  // namespace

Tensor BlockParts::output() const { return sum(keys, {2}) + residual + bias; }

BlockParts block_parts(MultiheadAttention& attention, const Tensor& value, const Tensor& weights,
                       const Tensor& residual, const LayerNorm* norm) {
  check(residual.defined() && residual.dim() == 3,
        "block_parts: expected a residual of 3 dims; got {}",
        residual.defined() ? to_string(residual.shape()) : "an undefined one");
  const Tensor values = detail::values_of("block_parts", attention, value);
  const Tensor r = attention.options().batch_first ? residual : transpose(residual, 0, 1);
  check_block(weights, values, r);
  const Tensor f = detail::projected_by_head(values, attention.find("out_proj.weight"));
  const Tensor keys = einsum("bhqk,bhkd->bqkd", {weights, f});
  const Tensor b_out =
      attention.options().bias ? attention.find("out_proj.bias") : zeros({r.size(2)}, r.dtype());
  const Tensor bias = expand(b_out, r.shape());
  if (!norm) return {keys, r, bias};
  const Linearized l(*norm, sum(keys, {2}) + r + bias);
  const Tensor out = l(bias);
  return {l.keys(keys), l(r), norm->bias.defined() ? out + norm->bias : out};
}

Tensor contributions(const Tensor& parts, const Tensor& output) {
  check(parts.defined() && output.defined(), "contributions: parts or output is undefined");
  const Shape &p = parts.shape(), &y = output.shape();
  check(p.rank() == 4 && y == Shape({p[0], p[1], p[3]}),
        "contributions: expected parts [B, Tq, N, D] and an output [B, Tq, D]; got {} and {}", p,
        y);
  const Tensor whole = sum(abs(output), {-1}, true);                    // [B, Tq, 1]
  const Tensor without = sum(abs(unsqueeze(output, 2) - parts), {-1});  // [B, Tq, N]
  const Tensor c = relu(whole - without), total = sum(c, {-1}, true);
  return c / masked_fill(total, eq(total, 0), 1);
}

Tensor self_contributions(const BlockParts& parts) {
  const int64_t t = parts.keys.size(1);
  check(t == parts.keys.size(2),
        "self_contributions: expected parts of self-attention, "
        "[B, T, T, D]; got {}",
        parts.keys.shape());
  const Tensor own = unsqueeze(eye(t, parts.keys.dtype()), 2);  // [T, T, 1]
  return contributions(parts.keys + own * unsqueeze(parts.residual, 2), parts.output());
}

Tensor cross_contributions(const BlockParts& parts) {
  return contributions(cat({parts.keys, unsqueeze(parts.residual, 2)}, 2), parts.output());
}

Tensors contribution_layers(Module& model, const std::function<void(AttentionTrace*)>& run) {
  check(!model.training(),
        "{}: expected a model in eval(), as dropout adds what no part has; got "
        "one in training",
        kContributionLayers);
  const Watch watch(model);
  AttentionTrace trace;
  run(&trace);
  check(!watch.ran().empty(), "{}: no TransformerEncoderLayer or TransformerDecoderLayer ran",
        kContributionLayers);
  const Block* cross = nullptr;
  for (const Block& block : watch.ran())
    if (block.kind == Kind::cross) cross = &block;
  Tensors layers;
  for (const Block& block : watch.ran())
    layers.push_back(cross ? joint_layer(block, cross->weights.size(3), cross->weights.size(2))
                           : self_contributions(block.parts()));
  return layers;
}

Tensor source_share(const Tensor& rollout, int64_t source) {
  check(rollout.defined() && rollout.dim() == 3 && rollout.size(1) == rollout.size(2) &&
            source >= 0 && source <= rollout.size(1),
        "source_share: expected [B, S + T, S + T] with S = {}; got {}", source,
        rollout.defined() ? to_string(rollout.shape()) : "an undefined tensor");
  return sum(slice(slice(rollout, 1, source), 2, 0, source), {-1});
}

}  // namespace weft
