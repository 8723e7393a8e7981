// Dropout:  y_i = keep_i ? x_i / (1 - p) : 0, with keep_i a function of (key, i) alone.
//
// Word i % 4 of philox(key.seed, key.offset + i / 4), as an integer of 32 bits, keeps element i if
// it is at least p 2^32: the mask is made again in the backward pass, in any order or blocking.
#pragma once

#include <weft/core/kernels/kernel.h>
#include <weft/core/random.h>

#include <cstdint>

namespace weft::kernels {

/// x and y point at element `first` of the whole; p in [0, 1]; p = 1 gives zeros. y may be x.
/// Called with dy for x it is its own gradient. One thread. T: float or double.
WEFT_KERNEL(void, dropout, const T* x, T* y, int64_t first, int64_t n, double p, RandomKey key)

}  // namespace weft::kernels
