// Whether an attribution names what a score rests on: the score is to fall when the units that it
// puts first are taken out, and to stay when only they are kept.
#pragma once

#include <weft/nn/inspect/subsets.h>

#include <cstdint>
#include <vector>

namespace weft {

/// Units by attribution, [n], the largest first; equals keep their order. NaN is an Error.
std::vector<int64_t> descending(const Tensor& attributions);

/// Comprehensiveness (DeYoung et al. 2020, ERASER, arXiv:1911.03429): score(all) - score(all but
/// the first k of `order`) for each k in `counts` -> [K]. High where the attribution is faithful.
/// `order` is a permutation of the n units, each count in [0, n].
///
/// The area over the perturbation curve (AOPC) is the mean over counts. ERASER's has the counts 0
/// and 1, 5, 10, 20 and 50 % of n; Samek et al. (2017) have 0, 1, ..., L.
Tensor comprehensiveness(const SubsetScore& score, const std::vector<int64_t>& order,
                         const std::vector<int64_t>& counts);

/// Sufficiency (same paper): score(all) - score(only the first k) for each k -> [K]. Low where the
/// attribution is faithful.
Tensor sufficiency(const SubsetScore& score, const std::vector<int64_t>& order,
                   const std::vector<int64_t>& counts);

/// The mean over k = 1 ... n of comprehensiveness, from subset_scores(), [2^n].
double aopc(const Tensor& scores, const std::vector<int64_t>& order);

struct AopcLimits {
  double lower, upper;
  std::vector<int64_t> worst, best;  ///< orders that give them
};
/// The lowest and the highest aopc() of all n! orders, exactly: by dynamic programming over the 2^n
/// subsets.
AopcLimits aopc_limits(const Tensor& scores);

/// (aopc(order) - lower) / (upper - lower), in [0, 1] up to rounding: normalized AOPC (Edin et al.
/// 2024, arXiv:2408.08137), which can be compared from one model or input to another. NaN where all
/// orders give the same.
double normalized_aopc(const Tensor& scores, const std::vector<int64_t>& order);

}  // namespace weft
