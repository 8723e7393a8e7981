// A small untrained model and a pair of sentences for it.
#pragma once

#include <weft/autograd/graph/grad_mode.h>
#include <weft/seq2seq/lab/study.h>
#include <weft/tests/seq2seq/decoding/small_model.h>

inline constexpr int64_t kPairIds = 30;

struct LabPair {
  std::unique_ptr<weft::TransformerSeq2Seq> model = small_model(kPairIds, 16);
  weft::Ids source{5, 9, 20, 7, weft::kEnd}, target{weft::kBegin, 8, 11, 28, weft::kEnd};

  double loss(const weft::Ids& read) {
    const weft::NoGrad no_grad;
    return model->loss(weft::pad_ids({&read, 1}), weft::pad_ids({&target, 1}), 0).item();
  }
  /// The log-probability of the whole target after this source.
  double score(const weft::Ids& read) { return -4 * loss(read); }
};
