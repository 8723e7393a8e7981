// Several models that translate as one: the probability of what comes next is the mean of theirs.
#pragma once

#include <weft/seq2seq/models/seq2seq_model.h>

namespace weft {

/// To translate with, not to be trained: the members are no children of its module.
class Ensemble : public Seq2SeqModel {
 public:
  /// Models of one vocabulary, in eval mode. Errors: no model.
  explicit Ensemble(std::vector<std::unique_ptr<Seq2SeqModel>> members);

  /// An error: train the members.
  Tensor loss(const PaddedIds& source, const PaddedIds& target, double label_smoothing) override;
  std::unique_ptr<Decoding> start(const PaddedIds& source) override;
  /// That of the first model; without a loss.
  AttentionTrace trace(const PaddedIds& source, const PaddedIds& target,
                       Tensor* loss = nullptr) override;

 private:
  std::vector<std::unique_ptr<Seq2SeqModel>> members_;
};

}  // namespace weft
