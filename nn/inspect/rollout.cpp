#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/parallel.h>
#include <weft/nn/inspect/detail/joined.h>
#include <weft/nn/inspect/detail/max_flow.h>
#include <weft/nn/inspect/detail/per_head.h>
#include <weft/nn/inspect/rollout.h>

namespace weft {
namespace {

using detail::FlowNetwork;

constexpr const char* kResidualLayers = "residual_layers";

// Averaged over heads, in half.
Tensor half(const Tensor& weights) { return mean(weights, {1}) * 0.5; }

// [B, H, T, T] -> [B, T, T]
Tensor with_residual(const Tensor& weights) {
  detail::check_square(kResidualLayers, weights);
  return half(weights) + eye(weights.size(-1), weights.dtype()) * 0.5;
}

void check_layers(const char* who, const Tensors& layers) {
  check(!layers.empty(), "{}: expected at least one layer; got none", who);
  for (const Tensor& layer : layers) {
    check(layer.defined() && layer.dim() == 3 && layer.size(1) == layer.size(2),
          "{}: expected layers [B, T, T]; got {}", who,
          layer.defined() ? to_string(layer.shape()) : "an undefined one");
    check(layer.shape() == layers[0].shape(), "{}: layers must have one shape; got {} and {}", who,
          layers[0].shape(), layer.shape());
  }
}

// Position t above layer l (below the first: l = 0) is the node l T + t.
FlowNetwork network_of(const std::vector<std::vector<double>>& layers, size_t batch, size_t width) {
  FlowNetwork network((layers.size() + 1) * width);
  for (size_t l = 0; l < layers.size(); ++l)
    for (size_t i = 0; i < width; ++i)
      for (size_t k = 0; k < width; ++k) {
        const double capacity = layers[l][(batch * width + i) * width + k];
        check(capacity >= 0, "attention_flow: expected weights of at least 0; got {}", capacity);
        if (capacity > 0) network.add_edge((l + 1) * width + i, l * width + k, capacity);
      }
  return network;
}

}  // namespace

Tensors residual_layers(const Tensors& self_attention) {
  Tensors layers;
  for (const Tensor& weights : self_attention) layers.push_back(with_residual(weights));
  return layers;
}

Tensors residual_layers(const AttentionTrace& trace) {
  detail::check_encoder_decoder(kResidualLayers, trace);
  const Tensor& c = trace.cross[0];
  const int64_t batch = c.size(0), target = c.size(2), source = c.size(3);
  const Tensor keep_source = detail::batch_of(eye(source, c.dtype()), batch),
               keep_target = detail::batch_of(eye(target, c.dtype()), batch),
               no_cross = zeros({batch, target, source}, c.dtype());
  Tensors layers;
  for (const Tensor& weights : trace.encoder)
    layers.push_back(detail::joined(with_residual(weights), keep_target, no_cross));
  for (size_t l = 0; l < trace.cross.size(); ++l) {
    layers.push_back(detail::joined(keep_source, with_residual(trace.decoder[l]), no_cross));
    layers.push_back(detail::joined(keep_source, keep_target * 0.5, half(trace.cross[l])));
  }
  return layers;
}

Tensor rollout(const Tensors& layers) {
  check_layers("rollout", layers);
  Tensor product = layers[0];
  for (size_t l = 1; l < layers.size(); ++l) product = matmul(layers[l], product);
  return product;
}

Tensor attention_flow(const Tensors& layers) {
  check_layers("attention_flow", layers);
  std::vector<std::vector<double>> capacities;
  for (const Tensor& layer : layers)
    capacities.push_back(to(layer.detach(), kFloat64).to_vector<double>());
  Tensor flow(layers[0].shape(), kFloat64);
  double* out = flow.mutable_data<double>("attention_flow");
  const auto width = static_cast<size_t>(flow.size(1)), top = layers.size() * width;
  // The first rows have few edges and the last ones many: one of each together.
  const auto pairs = static_cast<int64_t>((width + 1) / 2);
  for (size_t b = 0; b < static_cast<size_t>(flow.size(0)); ++b) {
    const FlowNetwork whole = network_of(capacities, b, width);
    parallel_for(pairs, 1, [&](int64_t begin, int64_t end) {
      FlowNetwork network = whole;
      for (auto k = static_cast<size_t>(begin); k < static_cast<size_t>(end); ++k)
        for (const size_t i : {k, width - 1 - k})
          for (size_t j = 0; j < width; ++j)
            out[(b * width + i) * width + j] = network.max_flow(top + i, j);
    });
  }
  return flow;
}

}  // namespace weft
