// The forward pass of encoder and decoder once more, in ONNX's operators; the parts are those of
// nn/transformer.
#include <fmt/format.h>
#include <weft/autograd/ops.h>
#include <weft/seq2seq/exchange/detail/onnx_transformer.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace weft {
namespace {

using Value = OnnxGraph::Value;
using Values = OnnxGraph::Values;

// Finite, so that a row in which nothing may be attended to gives no NaN; its exponential is 0.
constexpr double kForbidden = std::numeric_limits<float>::lowest();

class Builder {
 public:
  Builder(OnnxGraph& graph, TransformerSeq2Seq& model, int64_t longest)
      : g_(graph), model_(model), longest_(longest), layer_(model.options().transformer.layer) {
    for (const NamedTensor& t : model.state_dict()) weights_.emplace(t.name, t.tensor);
  }

  // --- sizes and positions

  Value length(const Value& ids) {  // of the rows of [B, T], as [1]
    return g_.op("Shape", {ids}, {{"start", int64_t{1}}, {"end", int64_t{2}}});
  }

  Value range(const Value& length) {  // 0, 1, ... [T]
    return g_.op("Range", {g_.integer(0), g_.op("Squeeze", {length}), g_.integer(1)});
  }

  // Key position minus query position, [T, T].
  Value distances(const Value& length) {
    const Value r = range(length);
    return g_.op("Sub", {unsqueeze(r, {0}), unsqueeze(r, {1})});
  }

  // --- masks, which are added to scores

  Value padding(const Value& lengths, const Value& longest) {  // [B, 1, 1, T]
    const Value real = g_.op("Less", {range(longest), unsqueeze(lengths, {1})});
    return unsqueeze(forbid_unless(real), {1, 2});
  }

  Value causal(const Value& distances) {  // [T, T]
    return forbid_unless(g_.op("LessOrEqual", {distances, g_.integer(0)}));
  }

  // `mask` and what positions add to it in self-attention.
  Value with_positions(const Value& mask, const std::string& relative, const Value& distances) {
    const Positions positions = model_.options().positions;
    if (positions == Positions::relative)
      return g_.op("Add", {mask, relative_bias(relative, distances)});
    if (positions == Positions::alibi) return g_.op("Add", {mask, alibi_bias(distances)});
    return mask;
  }

  // --- layers

  Value embed(const std::string& weight, const Value& ids) {  // [B, T] -> [B, T, D]
    const Value rows = g_.op("Gather", {tensor(weight), ids});
    const Value x = g_.op("Mul", {rows, g_.number(std::sqrt(static_cast<double>(layer_.d_model)))});
    const Positions positions = model_.options().positions;
    if (positions == Positions::sinusoidal)
      return g_.op("Add", {x, first_rows(sinusoidal_positions(longest_, layer_.d_model), ids)});
    if (positions == Positions::learned)
      return g_.op("Add", {x, first_rows(weights_.at("positions.weight"), ids)});
    return x;
  }

  Value norm(const std::string& name, const Value& x) {
    Values inputs{x, tensor(name + ".weight")};
    if (has(name + ".bias")) inputs.push_back(tensor(name + ".bias"));
    return g_.op("LayerNormalization", inputs, {{"epsilon", layer_.layer_norm_eps}});
  }

  Value final_norm(const std::string& name, const Value& x) {
    return has(name + ".weight") ? norm(name, x) : x;
  }

  template <class F>
  Value residual(const std::string& norm_name, const Value& x, F f) {
    if (layer_.norm_first) return g_.op("Add", {x, f(norm(norm_name, x))});
    return norm(norm_name, g_.op("Add", {x, f(x)}));
  }

  Value feed_forward(const std::string& layer, const Value& x) {
    const Value hidden = linear(layer + "linear1", x);
    return linear(layer + "linear2", activation(layer, x, hidden));
  }

  struct Attended {
    Value output, weights;  // [B, Tq, D], [B, H, Tq, Tk]
  };

  Attended self_attention(const std::string& name, const Value& x, const Value& mask) {
    const Values qkv = g_.ops("Split", {project(name, x, 0, 3)}, 3, {{"axis", int64_t{-1}}});
    Value q = normed_heads(name + ".q_norm", qkv[0]), k = normed_heads(name + ".k_norm", qkv[1]);
    const Value t = g_.op("Shape", {x}, {{"start", int64_t{1}}, {"end", int64_t{2}}});
    if (model_.options().positions == Positions::rotary)
      return attend(name, turned(q, t), turned(k, t), heads(qkv[2]), mask);
    if (model_.options().positions == Positions::transformer_xl) {
      const Value asked = position_scores(name + ".relative", q, t);
      q = g_.op("Add", {q, bias_of_heads(name + ".relative.content_bias")});
      return attend(name, q, k, heads(qkv[2]), g_.op("Add", {mask, asked}));
    }
    return attend(name, q, k, heads(qkv[2]), mask);
  }

  Attended cross_attention(const std::string& name, const Value& x, const Value& memory,
                           const Value& mask) {
    const Values kv = g_.ops("Split", {project(name, memory, 1, 2)}, 2, {{"axis", int64_t{-1}}});
    return attend(name, normed_heads(name + ".q_norm", project(name, x, 0, 1)),
                  normed_heads(name + ".k_norm", kv[0]), heads(kv[1]), mask);
  }

  // Log-probabilities [B, V] from states [B, D].
  Value log_probs(const Value& hidden) {
    const bool tied = model_.options().tied_embeddings;
    Values inputs{hidden, tensor(tied ? "embedding.weight" : "output.weight")};
    if (has("output_bias")) inputs.push_back(tensor("output_bias"));
    return g_.op("LogSoftmax", {g_.op("Gemm", inputs, {{"transB", int64_t{1}}})},
                 {{"axis", int64_t{-1}}});
  }

  Value last(const Value& x, int64_t axis) {  // along one axis, which goes
    return g_.op("Gather", {x, g_.integer(-1)}, {{"axis", axis}});
  }

  Value unsqueeze(const Value& x, const std::vector<int64_t>& axes) {
    return g_.op("Unsqueeze", {x, g_.integers(axes)});
  }

 private:
  bool has(const std::string& name) const { return weights_.contains(name); }

  // A parameter as a constant of the graph, once.
  Value tensor(const std::string& name) { return once(weights_.at(name), name); }

  // A constant of the graph, the same wherever it is asked for by this name.
  Value once(const Tensor& value, const std::string& name) {
    Value& found = constants_[name];
    if (found.empty()) found = g_.constant(value, name);
    return found;
  }

  Value forbid_unless(const Value& allowed) {
    return g_.op("Where", {allowed, g_.number(0), g_.number(kForbidden)});
  }

  // As many rows of a table as `x` [B, T, ...] is long.
  Value first_rows(const Tensor& table, const Value& x) {
    const Value t = g_.op("Shape", {x}, {{"start", int64_t{1}}, {"end", int64_t{2}}});
    return rows_until(g_.constant(table, "positions"), t);
  }
  Value rows_until(const Value& table, const Value& end) {
    return g_.op("Slice", {table, g_.integers({0}), end, g_.integers({0})});
  }

  // From a table of all distances that differ: [H, T, T].
  Value relative_bias(const std::string& name, const Value& distances) {
    auto& bias = model_.find_module<RelativePositionBias>(name);
    const int64_t far = RelativePositionBiasOptions{.num_heads = 1}.max_distance;
    const Tensor row = bias(1, 2 * far + 1, far);  // [1, H, 1, distances from -far to far]
    const Value table = g_.constant(permute(select(select(row, 0, 0), 1, 0), {1, 0}), name);
    const Value near = g_.op("Clip", {distances, g_.integer(-far), g_.integer(far)});
    const Value all = g_.op("Gather", {table, g_.op("Add", {near, g_.integer(far)})});
    return g_.op("Transpose", {all}, {{"perm", std::vector<int64_t>{2, 0, 1}}});
  }

  Value alibi_bias(const Value& distances) {  // [H, T, T]
    const Tensor one_apart = slice(alibi(layer_.nhead, 1, 2).resolve(1, 2).mask, 3, 1, 2);
    const Value slopes = g_.constant(select(one_apart, 0, 0), "alibi");  // [H, 1, 1]
    const Value apart = g_.op("Cast", {g_.op("Abs", {distances})}, {{"to", kOnnxFloat}});
    return g_.op("Mul", {slopes, apart});
  }

  Value bias_of_heads(const std::string& name) {  // [H, 1, Dh]
    const int64_t h = layer_.nhead;
    return once(reshape(weights_.at(name), {h, 1, layer_.d_model / h}), name);
  }

  // RelativeScores of q [B, H, T, Dh]: [B, H, T, T]; `t` is T, as [1]. Query i finds its row of
  // distances from column T - 1 - i on, by the same shift.
  Value position_scores(const std::string& name, const Value& q, const Value& t) {
    const int64_t h = layer_.nhead, width = layer_.d_model / h, rows = 2 * longest_;
    const Tensor table = sinusoidal_positions(rows, layer_.d_model, kFloat32, 1 - longest_);
    const Tensor r = reshape(weft::linear(table, weights_.at(name + ".weight")), {rows, h, width});
    const Value far = once(permute(r, {1, 2, 0}), name);  // [H, Dh, distances]
    const auto slice_of = [&](const Value& x, const Value& from, const Value& to, int64_t axis) {
      return g_.op("Slice", {x, from, to, g_.integers({axis})});
    };
    const auto sum = [&](const Value& a, const Value& b) { return g_.op("Add", {a, b}); };
    const Value longest = g_.integers({longest_}), one = g_.integers({1});
    const Value near = slice_of(far, g_.op("Sub", {longest, t}), sum(longest, t), 2);
    const Value asked = g_.op("Mul", {sum(q, bias_of_heads(name + ".position_bias")),
                                      g_.number(1 / std::sqrt(static_cast<double>(width)))});
    const Value all = g_.op("MatMul", {asked, near});  // [B, H, T, 2 T]
    const Value flat = g_.op("Reshape", {all, g_.integers({0, 0, -1})});
    const Value first = g_.op("Sub", {t, one});
    const Value last = sum(first, g_.op("Mul", {t, sum(t, first)}));
    const Value shape =
        g_.op("Concat", {g_.integers({0, 0}), t, g_.integers({-1})}, {{"axis", int64_t{0}}});
    const Value shifted = g_.op("Reshape", {slice_of(flat, first, last, 2), shape});
    return slice_of(shifted, g_.integers({0}), t, 3);
  }

  // x W^T + b.
  Value project_rows(const Tensor& weight, const Tensor& bias, const std::string& name,
                     const Value& x) {
    const Value y = g_.op("MatMul", {x, once(permute(weight, {1, 0}), name + " weight")});
    return bias.defined() ? g_.op("Add", {y, once(bias, name + " bias")}) : y;
  }

  Value linear(const std::string& name, const Value& x) {
    const auto bias = weights_.find(name + ".bias");
    return project_rows(weights_.at(name + ".weight"),
                        bias == weights_.end() ? Tensor() : bias->second, name, x);
  }

  // Of queries, keys and values, packed in this order, `count` from `first` on.
  Value project(const std::string& name, const Value& x, int64_t first, int64_t count) {
    const int64_t d = layer_.d_model;
    const auto part = [&](const Tensor& packed) {
      return slice(packed, 0, first * d, (first + count) * d);
    };
    const auto bias = weights_.find(name + ".in_proj_bias");
    return project_rows(part(weights_.at(name + ".in_proj_weight")),
                        bias == weights_.end() ? Tensor() : part(bias->second),
                        fmt::format("{} {} {}", name, first, count), x);
  }

  Value heads(const Value& x) {  // [B, T, D] -> [B, H, T, Dh]
    const int64_t width = layer_.d_model / layer_.nhead;
    return transpose_heads(g_.op("Reshape", {x, g_.integers({0, 0, layer_.nhead, width})}));
  }
  Value transpose_heads(const Value& x) {
    return g_.op("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  }

  // The same, through an RMSNorm where the model has one.
  Value normed_heads(const std::string& norm_name, const Value& x) {
    const Value h = heads(x);
    if (!has(norm_name + ".weight")) return h;
    const double eps = model_.find_module<RMSNorm>(norm_name).eps();
    const Value square = g_.op("ReduceMean", {g_.op("Mul", {h, h})},
                               {{"axes", std::vector<int64_t>{-1}}, {"keepdims", int64_t{1}}});
    const Value size = g_.op("Sqrt", {g_.op("Add", {square, g_.number(eps)})});
    return g_.op("Mul", {g_.op("Div", {h, size}), tensor(norm_name + ".weight")});
  }

  // Rotary positions of x [B, H, T, Dh]; `t` is T, as [1].
  Value turned(const Value& x, const Value& t) {
    const int64_t width = layer_.d_model / layer_.nhead, h = layer_.nhead;
    const Value pairs = g_.op("Reshape", {x, g_.integers({0, 0, -1, width / 2, 2})});
    const Values in = g_.ops("Split", {pairs}, 2, {{"axis", int64_t{-1}}});
    const auto [sine, cosine] = angles(t);
    const auto mul = [&](const Value& a, const Value& b) { return g_.op("Mul", {a, b}); };
    const Value out = g_.op("Concat",
                            {g_.op("Sub", {mul(in[0], cosine), mul(in[1], sine)}),
                             g_.op("Add", {mul(in[0], sine), mul(in[1], cosine)})},
                            {{"axis", int64_t{-1}}});
    return g_.op("Reshape", {out, g_.integers({0, h, -1, width})});
  }

  // Sines and cosines of the first positions, [T, Dh / 2, 1].
  std::pair<Value, Value> angles(const Value& t) {
    const int64_t width = layer_.d_model / layer_.nhead;
    if (sines_.empty()) {
      const Tensors table =
          split(reshape(sinusoidal_positions(longest_, width), {longest_, width / 2, 2}), 1, -1);
      sines_ = g_.constant(table[0], "sines");
      cosines_ = g_.constant(table[1], "cosines");
    }
    return {rows_until(sines_, t), rows_until(cosines_, t)};
  }

  Attended attend(const std::string& name, const Value& q, const Value& k, const Value& v,
                  const Value& mask) {
    const double scale = 1 / std::sqrt(static_cast<double>(layer_.d_model / layer_.nhead));
    const Value keys = g_.op("Transpose", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
    const Value scores = g_.op("MatMul", {g_.op("Mul", {q, g_.number(scale)}), keys});
    const Value weights = g_.op("Softmax", {g_.op("Add", {scores, mask})}, {{"axis", int64_t{-1}}});
    const Value mixed = transpose_heads(g_.op("MatMul", {weights, v}));  // [B, Tq, H, Dh]
    const Value merged = g_.op("Reshape", {mixed, g_.integers({0, 0, layer_.d_model})});
    return {linear(name + ".out_proj", merged), weights};
  }

  Value activation(const std::string& layer, const Value& x, const Value& hidden) {
    if (layer_.activation == FeedForwardActivation::relu) return g_.op("Relu", {hidden});
    if (layer_.activation == FeedForwardActivation::gelu) return gelu_of(hidden);
    const Value gate = linear(layer + "linear_gate", x);
    return g_.op("Mul", {g_.op("Mul", {gate, g_.op("Sigmoid", {gate})}), hidden});
  }

  Value gelu_of(const Value& x) {  // x / 2 (1 + erf(x / sqrt 2))
    const Value erf = g_.op("Erf", {g_.op("Mul", {x, g_.number(1 / std::numbers::sqrt2)})});
    const Value share = g_.op("Mul", {g_.op("Add", {erf, g_.number(1)}), g_.number(0.5)});
    return g_.op("Mul", {x, share});
  }

  static constexpr int64_t kOnnxFloat = 1;  // TensorProto.DataType.FLOAT

  OnnxGraph& g_;
  TransformerSeq2Seq& model_;
  int64_t longest_;
  TransformerLayerOptions layer_;
  std::map<std::string, Tensor> weights_;
  std::map<std::string, Value> constants_;
  Value sines_, cosines_;
};

std::string layer_name(const char* stack, const TransformerOptions& o, int i) {
  return fmt::format("transformer.{}.layers.{}.", stack, o.share_layers ? 0 : i);
}

}  // namespace

void build_encoder(OnnxGraph& graph, TransformerSeq2Seq& model, const OnnxLimits& limits) {
  const TransformerOptions& o = model.options().transformer;
  Builder b(graph, model, limits.source);
  const Value ids = graph.input("ids", kInt64, {"batch", "source"});
  const Value lengths = graph.input("lengths", kInt64, {"batch"});
  const Value mask = b.with_positions(b.padding(lengths, b.length(ids)), "encoder_positions",
                                      b.distances(b.length(ids)));
  Value x = b.embed("embedding.weight", ids);
  for (int i = 0; i < o.num_encoder_layers; ++i) {
    const std::string layer = layer_name("encoder", o, i);
    x = b.residual(layer + "norm1", x, [&](const Value& y) {
      return b.self_attention(layer + "self_attn", y, mask).output;
    });
    x = b.residual(layer + "norm2", x, [&](const Value& y) { return b.feed_forward(layer, y); });
  }
  graph.output("memory", b.final_norm("transformer.encoder.norm", x), kFloat32,
               {"batch", "source", o.layer.d_model});
}

void build_decoder_step(OnnxGraph& graph, TransformerSeq2Seq& model, const OnnxLimits& limits) {
  const TransformerOptions& o = model.options().transformer;
  Builder b(graph, model, limits.target);
  const Value ids = graph.input("ids", kInt64, {"batch", "target"});
  const Value memory = graph.input("memory", kFloat32, {"batch", "source", o.layer.d_model});
  const Value lengths = graph.input("lengths", kInt64, {"batch"});
  const Value apart = b.distances(b.length(ids));
  const Value before = b.with_positions(b.causal(apart), "decoder_positions", apart);
  const Value real = b.padding(lengths, b.length(memory));
  Value x = b.embed(
      model.options().tied_embeddings ? "embedding.weight" : "target_embedding.weight", ids);
  Values attention;
  for (int i = 0; i < o.num_decoder_layers; ++i) {
    const std::string layer = layer_name("decoder", o, i);
    x = b.residual(layer + "norm1", x, [&](const Value& y) {
      return b.self_attention(layer + "self_attn", y, before).output;
    });
    x = b.residual(layer + "norm2", x, [&](const Value& y) {
      const auto found = b.cross_attention(layer + "multihead_attn", y, memory, real);
      attention.push_back(b.unsqueeze(b.last(found.weights, 2), {1}));
      return found.output;
    });
    x = b.residual(layer + "norm3", x, [&](const Value& y) { return b.feed_forward(layer, y); });
  }
  const Value hidden = b.last(b.final_norm("transformer.decoder.norm", x), 1);
  graph.output("log_probs", b.log_probs(hidden), kFloat32, {"batch", model.options().vocabulary});
  graph.output("attention", graph.op("Concat", attention, {{"axis", int64_t{1}}}), kFloat32,
               {"batch", int64_t{o.num_decoder_layers}, o.layer.nhead, "source"});
}

}  // namespace weft
