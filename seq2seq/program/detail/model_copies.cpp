#include <weft/core/parallel.h>
#include <weft/seq2seq/program/detail/model_copies.h>

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
  parallel_for(n, is_small_ ? 1 : n, [&](int64_t begin, int64_t end) {
    Seq2SeqModel* model = take();
    if (model == nullptr) model = another();
    for (int64_t i = begin; i < end; ++i) f(*model, i);
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
