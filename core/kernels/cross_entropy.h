// Cross-entropy of rows of logits, with label smoothing e and class count V:
//   loss_i = w_i (logsumexp z - (1 - e) z_t - (e / V) sum_j z_j),      t = target_i
//   dz_j   = s w_i (softmax(z)_j - (1 - e) [j = t] - e / V)
// T is float or double; one thread.
#pragma once

#include <weft/core/cpu.h>

#include <cstdint>

namespace weft::kernels {

WEFT_KERNELS(
    /// loss [rows] from logits [rows, classes]; lse [rows] (may be null) keeps logsumexp. weight
    /// [rows] may be null (ones); a row of weight 0 has loss 0, whatever its target and logits.
    template <class T>
    void cross_entropy_rows(const T* logits, const int64_t* target, const T* weight,
                            double smoothing, T* loss, T* lse, int64_t rows, int64_t classes);
    /// dlogits of the above, times `scale`; dlogits may be logits. lse as kept by the above.
    template <class T>
    void cross_entropy_grad_rows(const T* logits, const T* lse, const int64_t* target,
                                 const T* weight, double smoothing, T scale, T* dlogits,
                                 int64_t rows, int64_t classes);)
WEFT_DISPATCH(cross_entropy_rows)
WEFT_DISPATCH(cross_entropy_grad_rows)

}  // namespace weft::kernels
