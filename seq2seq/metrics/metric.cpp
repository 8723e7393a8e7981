#include <weft/seq2seq/metrics/bleu.h>
#include <weft/seq2seq/metrics/chrf.h>
#include <weft/seq2seq/metrics/exact_match.h>
#include <weft/seq2seq/metrics/metric.h>
#include <weft/seq2seq/metrics/token_accuracy.h>

namespace weft {
namespace {

using Lines = std::span<const std::string>;

// Of words as they stand: what models write is tokenized already.
double word_bleu(Lines hypotheses, Lines references) {
  return bleu(hypotheses, references, {BleuTokenizer::kNone, false}).score;
}

}  // namespace

const std::vector<Metric>& builtin_metrics() {
  static const std::vector<Metric> all{
      {"bleu", "BLEU", true, word_bleu},
      {"chrf", "chrF", true, [](Lines h, Lines r) { return chrf(h, r); }},
      {"exact", "exact match", true, exact_match},
      {"tokens", "token accuracy", true, token_accuracy},
  };
  return all;
}

}  // namespace weft
