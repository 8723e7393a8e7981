// CRC-32C (Castagnoli 1993): the remainder of the bytes, as a polynomial over GF(2), by
// 0x1EDC6F41, bits in reversed order. x86-64 has an instruction for it.
#pragma once

#include <weft/core/kernels/kernel.h>

#include <cstddef>
#include <cstdint>

namespace weft::kernels {

/// The register after n more bytes; it starts as all ones and is inverted at the end. T: unsigned
/// char.
WEFT_KERNEL(uint32_t, crc32c, const T* bytes, size_t n, uint32_t crc)

}  // namespace weft::kernels
