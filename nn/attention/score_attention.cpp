#include <weft/core/detail/check.h>
#include <weft/nn/attention/heads.h>
#include <weft/nn/attention/score_attention.h>

namespace weft {
namespace {

void check_inputs(const char* who, const Tensor& query, const Tensor& memory,
                  const AttentionCall& call) {
  check(query.defined() && memory.defined(), "{}: query or memory is undefined", who);
  check(query.dim() == 3 && memory.dim() == 3 && query.size(0) == memory.size(0),
        "{}: expected query [B, Tq, width] and memory [B, Tk, width]; got {} and {}", who,
        query.shape(), memory.shape());
  check(!call.cache, "{}: there is nothing to keep in a cache", who);
}

// One head, whose scores are q k^T plus the mask.
AttentionStep one_head(const Tensor& q, const Tensor& k, const Tensor& memory, const Mask& mask) {
  const auto [resolved, causal] = mask.resolve(q.size(1), k.size(1));
  return {false,
          unsqueeze(q, 1),
          unsqueeze(k, 1),
          unsqueeze(memory, 1),
          {.mask = resolved, .causal = causal, .scale = 1.0}};
}

AttentionResult without_head(const AttentionResult& found) {
  return {squeeze(found.output, 1), found.weights};
}

}  // namespace

BahdanauAttention::BahdanauAttention(int64_t query_dim, int64_t memory_dim, int64_t hidden,
                                     Generator generator)
    : query_proj_(child<Linear>("query_proj", query_dim, hidden, generator, false)),
      memory_proj_(child<Linear>("memory_proj", memory_dim, hidden, generator, false)),
      score_(child<Linear>("score", hidden, 1, generator, false)) {}

AttentionResult BahdanauAttention::forward(const Tensor& query, const Tensor& memory,
                                           const AttentionCall& call) {
  check_inputs("bahdanau attention", query, memory, call);
  return forward(query, project_memory(memory), memory, call);
}

AttentionResult BahdanauAttention::forward(const Tensor& query, const Tensor& projected,
                                           const Tensor& memory, const AttentionCall& call) {
  check_inputs("bahdanau attention", query, memory, call);
  const Tensor hidden =  // [B, Tq, Tk, hidden]
      tanh(unsqueeze(query_proj_(query), 2) + unsqueeze(projected, 1));
  const Tensor scores = unsqueeze(squeeze(score_(hidden), -1), 1);  // [B, 1, Tq, Tk]
  // These scores are added to those of zeros, so that masks, softmax and weights are the usual
  // ones.
  const Tensor q = zeros({query.size(0), query.size(1), 1}, query.dtype()),
               k = zeros({memory.size(0), memory.size(1), 1}, memory.dtype());
  return without_head(
      attend(one_head(q, k, memory, Mask::additive(scores) & call.mask), call.weights));
}

std::vector<HeadRows> BahdanauAttention::head_rows() const {
  return {{"query_proj.weight", 1}, {"memory_proj.weight", 1}, {"score.weight", 1}};
}

LuongAttention::LuongAttention(int64_t query_dim, int64_t memory_dim, Generator generator)
    : query_proj_(&child<Linear>("query_proj", query_dim, memory_dim, generator, false)) {}

AttentionResult LuongAttention::forward(const Tensor& query, const Tensor& memory,
                                        const AttentionCall& call) {
  check_inputs("luong attention", query, memory, call);
  const Tensor q = query_proj_ ? (*query_proj_)(query) : query;
  return without_head(attend(one_head(q, memory, memory, call.mask), call.weights));
}

std::vector<HeadRows> LuongAttention::head_rows() const {
  if (!query_proj_) return {};
  return {{"query_proj.weight", 1}};
}

}  // namespace weft
