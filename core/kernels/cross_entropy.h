// Cross-entropy of rows of logits z, with class weights w, label smoothing e and class count V:
//   loss_i = c (lse - z_t) + sum_j b_j (lse - z_j),  c = (1 - e) w_t,  b_j = e w_j / V
//   dz_j   = dloss_i ((c + sum_k b_k) softmax(z)_j - c [j = t] - b_j),  t = target_i
// with lse = logsumexp z, kept as top = max z and total = sum_j exp(z_j - top): where top is large,
// their one sum top + log total would round the latter away. A row with a negative target is
// skipped: loss and dz are 0, whatever its logits. T is float or double; one thread.
#pragma once

#include <weft/core/kernels/kernel.h>

#include <cstdint>

namespace weft::kernels {

/// loss, top and total [rows] from logits [rows, classes]. The latter two may be null together
/// (not wanted), and weight [classes] (ones).
WEFT_KERNEL(void, cross_entropy_rows, const T* logits, const int64_t* target, const T* weight,
            double smoothing, T* loss, T* top, T* total, int64_t rows, int64_t classes)

/// dlogits, which may be logits; top and total as made by the above, dloss [rows].
WEFT_KERNEL(void, cross_entropy_grad_rows, const T* logits, const T* top, const T* total,
            const int64_t* target, const T* weight, double smoothing, const T* dloss, T* dlogits,
            int64_t rows, int64_t classes)

/// Both at once, for one dloss: the logits become their gradients, with one exp per logit.
WEFT_KERNEL(void, cross_entropy_replace_rows, T* logits, const int64_t* target, const T* weight,
            double smoothing, T dloss, T* loss, int64_t rows, int64_t classes)

/// R-Drop's loss of two passes a and b, all weights 1, for one dloss: both logits become gradients.
///   loss_i = (loss_i(a) + loss_i(b)) / 2 + agreement sum_j (p_j - q_j) (log p_j - log q_j)
/// with p = softmax(a)_i, q = softmax(b)_i: the divergences of both ways. Targets are not negative.
WEFT_KERNEL(void, r_drop_replace_rows, T* a, T* b, const int64_t* target, double smoothing,
            double agreement, T dloss, T* loss, int64_t rows, int64_t classes)

}  // namespace weft::kernels
