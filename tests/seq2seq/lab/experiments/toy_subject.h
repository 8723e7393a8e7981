// A small untrained model, its words, and sentences whose words translate each other from the last
// to the first.
#pragma once

#include <weft/seq2seq/lab/experiments/experiment.h>
#include <weft/tests/seq2seq/decoding/small_model.h>

struct ToySubject {
  weft::Split split{"validation",
                    {{"a b c", "c d a b"}, {"z y x", "y x w z"}},
                    {{{0, 2}, {1, 1}, {2, 0}}, {{0, 3}, {1, 2}, {2, 1}, {3, 0}}}};
  std::unique_ptr<weft::Vocabulary> vocabulary =
      weft::word_vocabulary(split.text.source, split.text.target);
  std::unique_ptr<weft::TransformerSeq2Seq> model = small_model(vocabulary->size(), 16);

  weft::Subject with(const std::vector<weft::Measure>& measures) const {
    return {*model, *vocabulary, split, measures};
  }
};
