#include <weft/autograd/ops.h>
#include <weft/nn/inspect/detail/per_head.h>
#include <weft/nn/inspect/relevance.h>

#include <array>

namespace weft {
namespace {

constexpr const char* kRelevance = "relevance";

constexpr std::array kLists{&AttentionTrace::encoder, &AttentionTrace::decoder,
                            &AttentionTrace::cross};

Tensor identity(int64_t batch, int64_t length, DType dtype) {
  return expand(eye(length, dtype), {batch, length, length});
}

void check_same_number(const Tensors& weights, const Tensors& gradients) {
  check(weights.size() == gradients.size(),
        "relevance: expected gradients of as many layers as there are weights; got {} and {}",
        gradients.size(), weights.size());
}

Tensor through_self_attention(const Tensors& weights, const Tensors& gradients, Tensor r) {
  for (size_t l = 0; l < weights.size(); ++l) {
    detail::check_square(kRelevance, weights[l]);
    r = r + matmul(positive_relevance(weights[l], gradients[l]), r);
  }
  return r;
}

}  // namespace

AttentionTrace attention_gradients(const Tensor& score, const AttentionTrace& trace,
                                   GradOptions options) {
  Tensors all;
  for (const auto list : kLists) all.insert(all.end(), (trace.*list).begin(), (trace.*list).end());
  options.allow_unused = true;
  const Tensors found = grad(Tensors{score}, all, options);
  AttentionTrace gradients{.form = trace.form, .encoder = {}, .decoder = {}, .cross = {}};
  size_t next = 0;
  for (const auto list : kLists)
    for (const Tensor& a : trace.*list) {
      const Tensor& g = found[next++];
      (gradients.*list).push_back(g.defined() ? g : zeros(a.shape(), a.dtype()));
    }
  return gradients;
}

Tensor positive_relevance(const Tensor& weights, const Tensor& gradients) {
  detail::check_per_head("positive_relevance", weights);
  detail::check_per_head("positive_relevance", gradients);
  check(weights.shape() == gradients.shape(),
        "positive_relevance: weights and gradients must have one shape; got {} and {}",
        weights.shape(), gradients.shape());
  return mean(relu(weights * gradients), {1});
}

Tensor normalized_relevance(const Tensor& r) {
  check(r.defined() && r.dim() >= 2 && r.size(-1) == r.size(-2),
        "normalized_relevance: expected [..., T, T]; got {}",
        r.defined() ? to_string(r.shape()) : "an undefined tensor");
  const Tensor one = eye(r.size(-1), r.dtype()), gained = r - one;
  const Tensor total = sum(gained, {-1}, true);
  return gained / masked_fill(total, eq(total, 0), 1) + one;
}

Tensor relevance(const Tensors& weights, const Tensors& gradients) {
  check(!weights.empty(), "relevance: expected at least one layer; got none");
  check_same_number(weights, gradients);
  detail::check_per_head(kRelevance, weights[0]);
  const Tensor& first = weights[0];
  return through_self_attention(weights, gradients,
                                identity(first.size(0), first.size(2), first.dtype()));
}

Relevance relevance(const AttentionTrace& weights, const AttentionTrace& gradients) {
  detail::check_encoder_decoder(kRelevance, weights);
  for (const auto list : kLists) check_same_number(weights.*list, gradients.*list);
  const Tensor& c = weights.cross[0];
  const int64_t batch = c.size(0), target = c.size(2), source = c.size(3);
  Relevance r{through_self_attention(weights.encoder, gradients.encoder,
                                     identity(batch, source, c.dtype())),
              identity(batch, target, c.dtype()), zeros({batch, target, source}, c.dtype())};
  const Tensor memory = normalized_relevance(r.encoder);
  for (size_t l = 0; l < weights.cross.size(); ++l) {
    const Tensor self = positive_relevance(weights.decoder[l], gradients.decoder[l]),
                 cross = positive_relevance(weights.cross[l], gradients.cross[l]);
    r.cross = r.cross + matmul(self, r.cross);
    r.decoder = r.decoder + matmul(self, r.decoder);
    const Tensor so_far = transpose(normalized_relevance(r.decoder), -2, -1);
    r.cross = r.cross + matmul(so_far, matmul(cross, memory));
  }
  return r;
}

}  // namespace weft
