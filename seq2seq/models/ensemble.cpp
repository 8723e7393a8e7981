#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/models/ensemble.h>

#include <cmath>

namespace weft {
namespace {

class EnsembleDecoding : public Decoding {
 public:
  explicit EnsembleDecoding(std::vector<std::unique_ptr<Decoding>> members)
      : members_(std::move(members)) {}

  Tensor next_log_probs(const Tensor& ids) override {
    Tensors found;
    for (const auto& member : members_) {
      found.push_back(to(member->next_log_probs(ids), kFloat32));
      check(found.back().shape() == found[0].shape(),
            "Ensemble: models must be of one vocabulary; got log-probabilities of {} and {}",
            found[0].shape(), found.back().shape());
    }
    return logsumexp(stack(found, 0), {0}) - std::log(static_cast<double>(found.size()));
  }

  void keep(const Ids& rows) override {
    for (const auto& member : members_) member->keep(rows);
  }

 private:
  std::vector<std::unique_ptr<Decoding>> members_;
};

}  // namespace

Ensemble::Ensemble(std::vector<std::unique_ptr<Seq2SeqModel>> members)
    : members_(std::move(members)) {
  check(!members_.empty(), "Ensemble: needs at least one model; got none");
}

Tensor Ensemble::loss(const PaddedIds&, const PaddedIds&, double) {
  fail("Ensemble: has no loss: its models are trained one by one");
}

std::unique_ptr<Decoding> Ensemble::start(const PaddedIds& source) {
  std::vector<std::unique_ptr<Decoding>> started;
  for (const auto& member : members_) started.push_back(member->start(source));
  return std::make_unique<EnsembleDecoding>(std::move(started));
}

AttentionTrace Ensemble::trace(const PaddedIds& source, const PaddedIds& target, Tensor* loss) {
  check(loss == nullptr, "Ensemble: has no loss: its models are trained one by one");
  return members_[0]->trace(source, target);
}

}  // namespace weft
