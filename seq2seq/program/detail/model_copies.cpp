#include <weft/core/parallel.h>
#include <weft/seq2seq/program/detail/model_copies.h>

#include <atomic>

namespace weft {
namespace {

constexpr int64_t kSmallModel = 1 << 24;  // parameters

}  // namespace

ModelCopies::ModelCopies(const LoadedModel& first, std::function<LoadedModel()> load)
    : first_(*first.model), load_(std::move(load)), free_{&first_} {
  int64_t parameters = 0;
  for (const Tensor& p : first_.parameters()) parameters += p.numel();
  is_small_ = parameters <= kSmallModel;
}

void ModelCopies::for_each(int64_t n, const std::function<void(Seq2SeqModel&, int64_t)>& f) {
  std::atomic<int64_t> next = 0;  // some take much longer than others
  parallel_for(n, is_small_ ? 1 : n, [&](int64_t, int64_t) {
    int64_t i = next++;
    if (i >= n) return;
    Seq2SeqModel* model = take();
    if (model == nullptr) model = another();
    for (; i < n; i = next++) f(*model, i);
    give_back(model);
  });
}

Seq2SeqModel* ModelCopies::take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return nullptr;
  Seq2SeqModel* model = free_.back();
  free_.pop_back();
  return model;
}

Seq2SeqModel* ModelCopies::another() {
  LoadedModel loaded = load_();
  loaded.model->load_state_dict(first_.state_dict());  // whatever the file has become since
  const std::lock_guard lock(mutex_);
  return copies_.emplace_back(std::move(loaded)).model.get();
}

void ModelCopies::give_back(Seq2SeqModel* model) {
  const std::lock_guard lock(mutex_);
  free_.push_back(model);
}

}  // namespace weft
