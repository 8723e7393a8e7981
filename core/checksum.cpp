#include <weft/core/checksum.h>
#include <weft/core/kernels/checksum.h>

namespace weft {

uint32_t crc32c(const void* bytes, size_t n, uint32_t before) {
  return ~kernels::crc32c<unsigned char>(static_cast<const unsigned char*>(bytes), n, ~before);
}

}  // namespace weft
