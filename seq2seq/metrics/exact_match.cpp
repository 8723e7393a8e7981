#include <weft/core/check.h>
#include <weft/seq2seq/metrics/exact_match.h>

#include <functional>
#include <numeric>

namespace weft {

double exact_match(std::span<const std::string> hypotheses,
                   std::span<const std::string> references) {
  check(hypotheses.size() == references.size() && !hypotheses.empty(),
        "exact_match: needs sentences and one reference for each; got {} hypotheses and {} "
        "references",
        hypotheses.size(), references.size());
  const double equal = std::inner_product(hypotheses.begin(), hypotheses.end(), references.begin(),
                                          0., std::plus<>(), std::equal_to<>());
  return 100 * equal / static_cast<double>(references.size());
}

}  // namespace weft
