#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/embedding.h>
#include <weft/nn/inspect/detail/scoped_hooks.h>
#include <weft/nn/inspect/relevance.h>
#include <weft/seq2seq/decoding/forced_scoring.h>
#include <weft/seq2seq/lab/study.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <numeric>

namespace weft {
namespace {

// Whether they are these ids, once or several times.
bool repeat(const Ids& read, const Ids& ids) {
  for (size_t i = 0; i < read.size(); ++i)
    if (read[i] != ids[i % ids.size()]) return false;
  return !read.empty() && read.size() % ids.size() == 0;
}

// `see` gets what any Embedding gives for rows of these ids, [N, T, D], and may replace it. Ids
// tell the source from the target: only one of them begins with kBegin.
void watch_embedding(Module& model, const Ids& ids, detail::ScopedHooks& hooks,
                     const std::function<void(Tensor& found)>& see) {
  detail::for_each_module(model, [&](Module& module) {
    if (dynamic_cast<Embedding*>(&module) == nullptr) return;
    hooks.add(module.register_forward_hook([ids, see](ModuleCall& call) {
      if (repeat(call.inputs[0]->to_vector<int64_t>(), ids)) see(*call.outputs[0]);
    }));
  });
}

bool is_empty(const AttentionTrace& trace) {
  return trace.encoder.empty() && trace.decoder.empty() && trace.cross.empty();
}

// [1, H, Tq, Tk] with zeros behind, up to `rows` and `columns`.
Tensor padded(const Tensor& x, int64_t rows, int64_t columns) {
  const Tensor right = zeros({1, x.size(1), x.size(2), columns - x.size(3)}, x.dtype());
  const Tensor below = zeros({1, x.size(1), rows - x.size(2), columns}, x.dtype());
  return cat({cat({x, right}, 3), below}, 2);
}

void subtract(Tensors& from, const Tensors& others) {
  for (size_t i = 0; i < from.size(); ++i) from[i] = from[i] - others[i];
}

}  // namespace

Study::Study(Seq2SeqModel& m, Ids s, Ids t, std::optional<int64_t> token)
    : model(m), source(std::move(s)), target(std::move(t)) {
  check(source.size() >= 2 && source.back() == kEnd, "lab: the source has no words");
  check(target.size() >= 2 && target.front() == kBegin && target.back() == kEnd,
        "lab: a target must go from kBegin to kEnd; got {} ids", target.size());
  check(!token || (*token >= 0 && *token < rows()),
        "lab: token must be in [1, {}], of the target's tokens and its end; got {}", rows(),
        token.value_or(0) + 1);
  begin_ = token.value_or(0);
  end_ = token ? begin_ + 1 : rows();
  for (size_t i = 1; i + 1 < target.size(); ++i)
    check(target[i] == kUnknown || target[i] >= kSpecials,
          "lab: a target must be of words, between kBegin and kEnd; got id {}", target[i]);
  run();
  if (is_empty(trace)) return;
  if (!token) {
    gradients = attention_gradients(log_prob, trace, {.retain_graph = true});
    return;
  }
  gradients = gradients_of_first(end_);
  const AttentionTrace before = gradients_of_first(begin_);
  for (const auto list :
       {&AttentionTrace::encoder, &AttentionTrace::decoder, &AttentionTrace::cross})
    subtract(gradients.*list, before.*list);
}

// The trace, with what attention layers and the embedding do on the way.
void Study::run() {
  detail::ScopedHooks hooks;
  watch_embedding(model, source, hooks, [&](Tensor& found) { embeddings = found.detach(); });
  detail::for_each_module(model, [&](Module& module) {
    auto* attention = dynamic_cast<MultiheadAttention*>(&module);
    if (attention == nullptr) return;
    hooks.add(module.register_forward_hook([this, attention](ModuleCall& call) {
      if (call.outputs.size() == 2)
        calls_.push_back({{attention, call.inputs[2]->detach()}, *call.outputs[1]});
    }));
  });
  Tensor loss;
  trace = model.trace(pad_ids({&source, 1}), pad_ids({&target, 1}), &loss);
  log_prob = loss * -static_cast<double>(rows());
}

bool Study::has_attention() const { return !is_empty(trace); }

// Log-probabilities of the predicted tokens after each source.
std::vector<std::vector<float>> Study::scored(const std::vector<Ids>& sources) const {
  const Ids words(target.begin() + 1, target.end() - 1);
  const ForcedScoring forced(std::vector<Ids>(sources.size(), words));
  std::vector<std::vector<float>> all;
  for (auto& found : decode(model, sources, forced))
    all.push_back(std::move(found[0].token_log_probs));
  return all;
}

const std::vector<double>& Study::log_probs() const {
  if (log_probs_.empty()) {
    const std::vector<float> found = scored({source})[0];
    log_probs_.assign(found.begin(), found.end());
  }
  return log_probs_;
}

double Study::score() const {
  return std::accumulate(log_probs().begin() + begin_, log_probs().begin() + end_, 0.);
}

// Of a model that knows losses alone: the first tokens less those before.
Tensor Study::log_prob_of_first(int64_t count, int64_t times) const {
  if (count == 0) return Tensor();
  const Ids first(target.begin(), target.begin() + count + 1);
  const auto rows = static_cast<size_t>(times);
  return model.loss(pad_ids(std::vector<Ids>(rows, source)), pad_ids(std::vector<Ids>(rows, first)),
                    0) *
         -static_cast<double>(count * times);
}

Tensor Study::score_at(const Tensor& replaced) const {
  detail::ScopedHooks hooks;
  watch_embedding(model, source, hooks, [&](Tensor& found) { found = replaced; });
  const int64_t times = replaced.size(0);
  const Tensor score = log_prob_of_first(end_, times), before = log_prob_of_first(begin_, times);
  return before.defined() ? score - before : score;
}

// As if the rest of the target was not there, with zeros where it is.
AttentionTrace Study::gradients_of_first(int64_t count) const {
  const Ids first(target.begin(), target.begin() + count + 1);
  AttentionTrace found = trace;
  if (count > 0) {
    Tensor loss;
    const AttentionTrace run = model.trace(pad_ids({&source, 1}), pad_ids({&first, 1}), &loss);
    found = attention_gradients(loss * -static_cast<double>(count), run);
  }
  for (Tensor& g : found.encoder) g = count > 0 ? g : zeros(g.shape(), g.dtype());
  for (Tensor& g : found.decoder)
    g = padded(slice(slice(g.detach(), 2, 0, count), 3, 0, count), rows(), rows());
  for (Tensor& g : found.cross) g = padded(slice(g.detach(), 2, 0, count), rows(), g.size(3));
  return found;
}

Tensor Study::subset_score(const Tensor& keep) const {
  std::vector<Ids> sources;
  const std::vector<bool> kept = keep.to_vector<bool>();
  for (int64_t row = 0; row < keep.size(0); ++row) {
    Ids& ids = sources.emplace_back(source);
    for (int64_t i = 0; i < units(); ++i)
      if (!kept[static_cast<size_t>(row * units() + i)]) ids[static_cast<size_t>(i)] = kUnknown;
  }
  std::vector<double> scores;
  for (const std::vector<float>& p : scored(sources))
    scores.push_back(std::accumulate(p.begin() + begin_, p.begin() + end_, 0.));
  return from_vector(scores, {std::ssize(scores)});
}

const Tensor& Study::all_subsets() const {
  if (!subsets_.defined())
    subsets_ =
        subset_scores([this](const Tensor& keep) { return subset_score(keep); }, units(), 1024);
  return subsets_;
}

Study::Layer Study::layer_of(const Tensor& weights) const {
  for (const Call& call : calls_)
    if (call.weights.same_handle(weights)) return call.layer;
  return {};
}

}  // namespace weft
