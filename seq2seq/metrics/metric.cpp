#include <weft/seq2seq/metrics/chrf.h>
#include <weft/seq2seq/metrics/exact_match.h>
#include <weft/seq2seq/metrics/metric.h>
#include <weft/seq2seq/metrics/ter.h>
#include <weft/seq2seq/metrics/token_accuracy.h>
#include <weft/seq2seq/metrics/word_error_rate.h>

namespace weft {
namespace {

using Lines = std::span<const std::string>;
using Sums = std::span<const double>;

// A metric of sums over sentences.
Metric counted(const char* name, const char* title, bool higher_is_better, auto counts,
               auto score) {
  const auto of_lines = [name, counts, score](Lines hypotheses, Lines references) {
    return score(sum_counts(name, hypotheses, references, counts));
  };
  return {name, title, higher_is_better, of_lines, counts, score};
}

}  // namespace

Metric bleu_metric(const BleuOptions& options) {
  return counted(
      "bleu", "BLEU", true,
      [options](const std::string& h, const std::string& r) { return bleu_counts(h, r, options); },
      [options](Sums sums) { return bleu(sums, options).score; });
}

const std::vector<Metric>& builtin_metrics() {
  // What models write is tokenized already.
  static const std::vector<Metric> all{
      bleu_metric({BleuTokenizer::kNone, false}),
      counted("chrf", "chrF", true, chrf_counts, [](Sums s) { return chrf(s); }),
      counted("exact", "exact match", true, exact_counts, [](Sums s) { return exact_match(s); }),
      counted("tokens", "token accuracy", true, token_counts,
              [](Sums s) { return token_accuracy(s); }),
      counted("ter", "TER", false, ter_counts, edit_rate),
      counted("wer", "WER", false, word_error_counts, edit_rate),
  };
  return all;
}

}  // namespace weft
