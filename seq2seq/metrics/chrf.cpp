#include <weft/core/detail/check.h>
#include <weft/seq2seq/metrics/chrf.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>

namespace weft {
namespace {

constexpr size_t kChrfOrder = 6;

struct Counts {
  int64_t hypothesis = 0, reference = 0, matches = 0;
};

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

// Hypotheses whose reference has no n-gram are not held against the model.
void add_sentence(Counts& counts, std::u32string_view hypothesis, std::u32string_view reference,
                  size_t n) {
  if (reference.size() < n) return;
  const auto wanted = count_ngrams(reference, n);
  counts.reference += static_cast<int64_t>(reference.size() - n + 1);
  for (const auto& [ngram, count] : count_ngrams(hypothesis, n)) {
    counts.hypothesis += count;
    if (const auto match = wanted.find(ngram); match != wanted.end())
      counts.matches += std::min(count, match->second);
  }
}

double f_score(std::span<const Counts> orders, double beta) {
  double precision = 0, recall = 0;
  int used = 0;
  for (const Counts& c : orders) {
    if (c.hypothesis == 0 || c.reference == 0) continue;
    precision += static_cast<double>(c.matches) / static_cast<double>(c.hypothesis);
    recall += static_cast<double>(c.matches) / static_cast<double>(c.reference);
    ++used;
  }
  if (precision + recall == 0) return 0;
  const double b = beta * beta;
  return 100 * (1 + b) * (precision / used) * (recall / used) /
         (b * (precision / used) + recall / used);
}

}  // namespace

double chrf(std::span<const std::string> hypotheses, std::span<const std::string> references,
            double beta) {
  check(hypotheses.size() == references.size() && !hypotheses.empty(),
        "chrf: needs sentences and one reference for each; got {} hypotheses and {} references",
        hypotheses.size(), references.size());
  std::array<Counts, kChrfOrder> orders{};
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const std::u32string h = without_blanks(hypotheses[i]), r = without_blanks(references[i]);
    for (size_t n = 1; n <= kChrfOrder; ++n) add_sentence(orders[n - 1], h, r, n);
  }
  return f_score(orders, beta);
}

}  // namespace weft
