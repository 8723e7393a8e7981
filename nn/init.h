// Initializers: fill a parameter in place, unrecorded, from a seeded stream. Names and formulas are
// PyTorch's. The fans of a weight [out, in] are in and out.
#pragma once

#include <weft/core/tensor.h>

namespace weft::init {

/// Every element `value`.
void constant(const Tensor& t, double value);
inline void zeros(const Tensor& t) { constant(t, 0); }
/// Uniform in [lo, hi).
void uniform(const Tensor& t, double lo, double hi, Generator& generator);
void normal(const Tensor& t, double mean, double deviation, Generator& generator);
/// Variance 2 gain^2 / (fan_in + fan_out) (Glorot and Bengio 2010).
void xavier_uniform(const Tensor& t, Generator& generator, double gain = 1);
void xavier_normal(const Tensor& t, Generator& generator, double gain = 1);
/// Uniform with bound sqrt(6 / ((1 + slope^2) fan_in)) (He et al. 2015, eq. 15).
void kaiming_uniform(const Tensor& t, Generator& generator, double slope = 0);
/// The values of `from` (same shape), converted to t's dtype.
void copy(const Tensor& t, const Tensor& from);

}  // namespace weft::init
