#include <weft/seq2seq/metrics/chrf.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>

namespace weft {
namespace {

constexpr size_t kChrfOrder = 6;

std::u32string without_blanks(const std::string& line) {
  std::u32string characters = decode_utf8(line);
  std::erase_if(characters, is_space);
  return characters;
}

std::unordered_map<std::u32string_view, int64_t> count_ngrams(std::u32string_view text, size_t n) {
  std::unordered_map<std::u32string_view, int64_t> counts;
  for (size_t i = 0; i + n <= text.size(); ++i) ++counts[text.substr(i, n)];
  return counts;
}

// {n-grams of the hypothesis, of the reference, matched}. Hypotheses whose reference has no n-gram
// are not held against the model.
std::array<int64_t, 3> count_order(std::u32string_view hypothesis, std::u32string_view reference,
                                   size_t n) {
  if (reference.size() < n) return {};
  const auto wanted = count_ngrams(reference, n);
  int64_t all = 0, matches = 0;
  for (const auto& [ngram, count] : count_ngrams(hypothesis, n)) {
    all += count;
    if (const auto match = wanted.find(ngram); match != wanted.end())
      matches += std::min(count, match->second);
  }
  return {all, static_cast<int64_t>(reference.size() - n + 1), matches};
}

}  // namespace

Counts chrf_counts(const std::string& hypothesis, const std::string& reference) {
  const std::u32string h = without_blanks(hypothesis), r = without_blanks(reference);
  Counts counts;
  for (size_t n = 1; n <= kChrfOrder; ++n)
    for (const int64_t count : count_order(h, r, n)) counts.push_back(static_cast<double>(count));
  return counts;
}

double chrf(std::span<const double> sums, double beta) {
  double precision = 0, recall = 0;
  int used = 0;
  for (; !sums.empty(); sums = sums.subspan(3)) {
    if (sums[0] == 0 || sums[1] == 0) continue;
    precision += sums[2] / sums[0];
    recall += sums[2] / sums[1];
    ++used;
  }
  if (precision + recall == 0) return 0;
  const double b = beta * beta;
  return 100 * (1 + b) * (precision / used) * (recall / used) /
         (b * (precision / used) + recall / used);
}

double chrf(std::span<const std::string> hypotheses, std::span<const std::string> references,
            double beta) {
  return chrf(sum_counts("chrf", hypotheses, references, chrf_counts), beta);
}

}  // namespace weft
