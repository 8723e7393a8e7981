// Corpus BLEU (Papineni et al., ACL 2002), equal to sacreBLEU's with one reference:
//   BLEU = BP * exp(1/4 sum_n log p_n),  BP = min(1, exp(1 - reference length / hypothesis
//   length)),
// p_n the clipped n-gram precision in per cent, n = 1..4.
#pragma once

#include <weft/seq2seq/metrics/counts.h>

#include <array>
#include <cstdint>

namespace weft {

enum class BleuTokenizer {
  k13a,   ///< the rules of NIST's mteval-v13a, for plain text
  kNone,  ///< words as they stand, for text that is tokenized already
};

struct BleuOptions {
  BleuTokenizer tokenizer = BleuTokenizer::k13a;
  bool lowercase = false;

  /// What makes scores comparable: `nrefs:1|case:lc|eff:no|tok:none|smooth:exp|version:weft-0.1.0`.
  std::string signature() const;
};

struct Bleu {
  double score = 0;                    ///< in [0, 100]
  std::array<double, 4> precisions{};  ///< per cent, smoothed
  std::array<int64_t, 4> correct{};    ///< matched n-grams
  std::array<int64_t, 4> total{};      ///< n-grams of the hypotheses
  double brevity_penalty = 1;
  int64_t hypothesis_length = 0, reference_length = 0;  ///< in words
  BleuOptions options;

  /// One line: `BLEU|signature = 12.34 45.6/... (BP = 1.000 ratio = ... hyp_len = ... ref_len =
  /// ...)`.
  std::string to_string() const;
};

/// The score of hypothesis i against reference i. An order without matches counts as 1 / (2^k
/// total) for the k-th such order ("exp" smoothing); no matching word at all gives 0. Throws if
/// there are no sentences, or not as many references as hypotheses.
Bleu bleu(std::span<const std::string> hypotheses, std::span<const std::string> references,
          const BleuOptions& options = {});

/// {words of the hypothesis, words of the reference, n-grams matched, n-grams of the hypothesis} of
/// a sentence, the last two for n = 1..4.
Counts bleu_counts(const std::string& hypothesis, const std::string& reference,
                   const BleuOptions& options = {});

/// The score from sums of them.
Bleu bleu(std::span<const double> sums, const BleuOptions& options = {});

/// The words that BLEU compares, of one line without its line break.
std::vector<std::string> bleu_tokens(const std::string& line, const BleuOptions& options);

}  // namespace weft
