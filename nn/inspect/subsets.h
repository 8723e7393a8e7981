// A score as a game: its value for every subset of the units of an input (words, say) that is kept,
// and what each unit has a right to.
//
//   const SubsetScore score = [&](const Tensor& keep) {      // bool [N, n]
//     const Tensor x = where(unsqueeze(keep, -1), embedded, baseline);  // [N, n, D]
//     return log_probability(x);                             // [N]
//   };
//   shapley_values(subset_scores(score, n));
#pragma once

#include <weft/core/tensor.h>

#include <functional>

namespace weft {

/// For each row of `keep`, bool [N, n]: the score of the input with those of its n units that are
/// true, the others taken out (replaced by whatever the caller thinks of as nothing). -> [N],
/// floating.
using SubsetScore = std::function<Tensor(const Tensor& keep)>;

/// The largest n of which all subsets are gone through.
constexpr int64_t kMostUnits = 16;

/// score(all) - score(all but unit i) -> [n]. One call with n + 1 rows.
Tensor leave_one_out(const SubsetScore& score, int64_t units);

/// The scores of all subsets, [2^n]: unit i is kept in entry s if bit i of s is set, so that entry
/// 0 keeps nothing. `score` gets up to `rows` subsets a call. At most kMostUnits.
Tensor subset_scores(const SubsetScore& score, int64_t units, int64_t rows = 256);

/// Shapley's values (1953), exact, from subset_scores(): the mean over all orders of adding the
/// units of what unit i adds to those before it,
///   sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)).
/// They sum to v(all) - v(nothing); a unit that never adds anything has exactly 0. Differentiable.
/// [2^n] -> [n].
Tensor shapley_values(const Tensor& scores);

}  // namespace weft
