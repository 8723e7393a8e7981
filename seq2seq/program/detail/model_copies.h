// One model for each thread.
#pragma once

#include <weft/seq2seq/run/saved_model.h>

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace weft {

/// A model bears one run at a time that is watched, by hooks. To look at several sentences at once
/// every thread has a model of its own, unless it is a large one, which keeps the cores busy
/// itself.
class ModelCopies {
 public:
  /// `load` gives another of the same kind, and may be called by several threads at once.
  ModelCopies(const LoadedModel& first, std::function<LoadedModel()> load);

  /// Calls f(model, i) for each i in [0, n), in any order.
  void for_each(int64_t n, const std::function<void(Seq2SeqModel&, int64_t)>& f);

 private:
  Seq2SeqModel* take();  // null: all are taken
  Seq2SeqModel* another();
  void give_back(Seq2SeqModel* model);

  Seq2SeqModel& first_;
  std::function<LoadedModel()> load_;
  bool is_small_;
  std::mutex mutex_;
  std::vector<Seq2SeqModel*> free_;
  std::vector<LoadedModel> copies_;
};

}  // namespace weft
