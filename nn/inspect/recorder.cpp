#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/nearest.h>
#include <weft/nn/inspect/recorder.h>

#include <algorithm>

namespace weft {
namespace {

using Attentions = std::vector<std::pair<std::string, SoftmaxAttention*>>;

void collect(Module& module, const std::string& path, Attentions& into) {
  if (auto* attention = dynamic_cast<SoftmaxAttention*>(&module))
    into.emplace_back(path, attention);
  for (const auto& [name, child] : module.children())
    collect(*child, path.empty() ? name : path + "." + name, into);
}

// Those of `all` whose paths are asked for.
Attentions asked_for(const Attentions& all, const std::vector<std::string>& paths) {
  if (paths.empty()) return all;
  std::vector<std::string> known;
  for (const auto& a : all) known.push_back(a.first);
  Attentions found;
  for (const std::string& path : paths) {
    const auto at = std::find(known.begin(), known.end(), path);
    check(at != known.end(), "attention recorder: there is no attention \"{}\"{}", path,
          nearest(path, known));
    found.push_back(all[static_cast<size_t>(at - known.begin())]);
  }
  return found;
}

void check_heads(const std::vector<int64_t>& heads, const std::string& path, int64_t num_heads) {
  for (const int64_t h : heads)
    check(h >= 0 && h < num_heads, "attention recorder: heads of \"{}\" are 0 to {}; got {}", path,
          num_heads - 1, h);
}

// Those of 0 ... n - 1 that are wanted.
std::vector<int64_t> resolved(const std::vector<int64_t>& wanted, int64_t n) {
  std::vector<int64_t> found;
  for (int64_t i = 0; i < n; ++i)
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), i) != wanted.end())
      found.push_back(i);
  return found;
}

}  // namespace

AttentionRecorder::AttentionRecorder(Module& module, AttentionRecorderOptions options)
    : options_(std::move(options)) {
  Attentions all;
  collect(module, "", all);
  check(!all.empty(), "attention recorder: the module has no attention with softmax");
  for (const int64_t row : options_.rows)
    check(row >= 0, "attention recorder: rows must not be negative; got {}", row);
  const Attentions watched = asked_for(all, options_.paths);
  for (const auto& [path, attention] : watched)
    check_heads(options_.heads, path, attention->num_heads());
  for (const auto& [path, attention] : watched)
    in_modules_.push_back(attention->register_attention_hook(
        [this, path = path](const AttentionStep& step) { record(path, step); }));
}

AttentionRecorder::~AttentionRecorder() {
  for (HookHandle& hook : in_modules_) hook.remove();
  clear();
}

void AttentionRecorder::clear() {
  for (HookHandle& hook : in_graphs_) hook.remove();
  in_graphs_.clear();
  calls_.clear();
}

const AttentionRecord& AttentionRecorder::operator[](const std::string& path) const {
  const auto found = std::find_if(calls_.rbegin(), calls_.rend(),
                                  [&](const AttentionRecord& r) { return r.path() == path; });
  if (found != calls_.rend()) return *found;
  std::vector<std::string> known;
  for (const AttentionRecord& r : calls_) known.push_back(r.path());
  fail("attention recorder: no call of \"{}\" was recorded{}", path, nearest(path, known));
}

void AttentionRecorder::record(const std::string& path, const AttentionStep& step) {
  const OpScope unseen;
  auto rows = resolved(options_.rows, step.q.size(0)),
       heads = resolved(options_.heads, step.q.size(1));
  if (rows.empty()) return;
  AttentionRecord& r =
      calls_.emplace_back(AttentionRecord(path, std::move(rows), std::move(heads), step));
  await_gradient(step.output, r, r.dy_);
  if (!step.weights.defined()) return;
  await_gradient(step.weights, r, r.dweights_);
  await_gradient(step.softmax, r, r.dsoftmax_);
}

void AttentionRecorder::await_gradient(Tensor of, const AttentionRecord& record, Tensor& into) {
  if (!of.requires_grad()) return;
  in_graphs_.push_back(of.register_hook([&record, &into](const Tensor& gradient) {
    const OpScope unseen;
    const Tensor more = record.chosen(gradient);
    into = into.defined() ? into + more : more;
    record.made_ = {};  // of earlier passes
    return Tensor();    // the gradient stays what it is
  }));
}

}  // namespace weft
