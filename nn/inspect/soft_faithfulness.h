// Faithfulness under soft perturbation: no first k units, as in faithfulness.h, but each unit by
// chance, the likelier the more an attribution gives it. After soft comprehensiveness and soft
// sufficiency of Zhao and Aletras (2023, arXiv:2305.10496), with two changes. Whole units stay or
// go, where they draw every element of a token's vector; so the mean over all draws is exact, from
// the scores of all subsets. And whatever the attribution, as many units are drawn on average:
// otherwise one with larger numbers keeps more, and seems the better (Huang and Chan 2026,
// arXiv:2601.03089). Like faithfulness.h these are drops of the score, neither cut off at 0 nor
// divided by that of nothing.
#pragma once

#include <weft/nn/inspect/subsets.h>

namespace weft {

/// The mean score when each unit i is kept with probability keep_i, independent of the others (the
/// multilinear extension of the game, Owen 1972),
///   sum over S of v(S) prod_{i in S} keep_i prod_{i not in S} (1 - keep_i),
/// from subset_scores(). [2^n], [n] of the same dtype -> one element. Differentiable in both.
Tensor expected_score(const Tensor& scores, const Tensor& keep);

/// Probabilities whose mean is `rate`, in [0, 1], for attributions [n]: of all such, those nearest
/// to the attributions mapped to [0, 1], the smallest to 0 and the largest to 1 (if all are equal,
/// to 0). That is min(1, max(0, a_i + t)) with one shift t for all. Plain numbers, float64, that do
/// not change when the attributions are shifted, or multiplied by a positive number. An Error for
/// what is not finite.
Tensor draw_probabilities(const Tensor& attributions, double rate);

/// v(all) less the mean score when each unit is taken out with the probability that
/// draw_probabilities() gives it: a part `rate` of the units on average. High where the attribution
/// is faithful. From subset_scores() [2^n] and attributions [n].
double soft_comprehensiveness(const Tensor& scores, const Tensor& attributions, double rate);

/// v(all) less the mean score when each unit is kept with that probability, and the others are
/// taken out. Low where the attribution is faithful.
double soft_sufficiency(const Tensor& scores, const Tensor& attributions, double rate);

}  // namespace weft
