// The checksum of what weft writes: CRC-32C, which finds every single flipped bit and every burst
// of up to 32, and any other damage but once in 2^32. The CPU has an instruction for it, so that
// it costs less than reading from memory; other programs know it too. It guards against accidents,
// not against forgers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft {

/// The CRC-32C of n bytes: of "123456789" 0xe3069283. `before` is that of the bytes before them,
/// where a whole is read in parts.
uint32_t crc32c(const void* bytes, size_t n, uint32_t before = 0);
inline uint32_t crc32c(std::string_view text, uint32_t before = 0) {
  return crc32c(text.data(), text.size(), before);
}

}  // namespace weft
