#include <weft/core/detail/check.h>
#include <weft/seq2seq/metrics/word_error_rate.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <numeric>

namespace weft {
namespace {

using Words = std::vector<std::string_view>;

int64_t edit_distance(const Words& from, const Words& to) {
  std::vector<int64_t> row(to.size() + 1);  // distances of a beginning of `from`
  std::iota(row.begin(), row.end(), 0);
  for (const std::string_view word : from) {
    int64_t diagonal = row[0]++;
    for (size_t j = 1; j <= to.size(); ++j) {
      const int64_t replaced = diagonal + (word != to[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

void check_words(const char* who, int64_t hypothesis, int64_t reference) {
  check(
      std::max(hypothesis, reference) <= kMostWords,
      "{}: a line may have at most {} words, as longer ones would take hours; got a hypothesis of "
      "{} and a reference of {}",
      who, kMostWords, hypothesis, reference);
}

Counts word_error_counts(const std::string& hypothesis, const std::string& reference) {
  const Words found = split_words(hypothesis), wanted = split_words(reference);
  check_words("word_error_rate", std::ssize(found), std::ssize(wanted));
  return {static_cast<double>(edit_distance(found, wanted)), static_cast<double>(wanted.size())};
}

double edit_rate(std::span<const double> sums) {
  if (sums[1] > 0) return 100 * sums[0] / sums[1];
  return sums[0] > 0 ? 100 : 0;
}

double word_error_rate(std::span<const std::string> hypotheses,
                       std::span<const std::string> references) {
  return edit_rate(sum_counts("word_error_rate", hypotheses, references, word_error_counts));
}

}  // namespace weft
