// CRC-32C eight bytes at a time: by the instruction of SSE 4.2, elsewhere by eight tables
// ("slicing", Kounavis and Berry 2005).
#include <weft/core/kernels/checksum.h>

namespace weft::kernels::WEFT_ISA {
namespace {

#if defined(__SSE4_2__)

uint32_t add_byte(uint32_t crc, unsigned char byte) { return __builtin_ia32_crc32qi(crc, byte); }

uint32_t add_word(uint32_t crc, uint64_t word) {
  return static_cast<uint32_t>(__builtin_ia32_crc32di(crc, word));
}

#else

// at[k][b]: what byte b leaves after k more bytes of zeros.
struct Tables {
  uint32_t at[8][256];
};

constexpr Tables make_tables() {
  Tables t{};
  for (uint32_t b = 0; b < 256; ++b) {
    t.at[0][b] = b;
    for (int bit = 0; bit < 8; ++bit)
      t.at[0][b] = (t.at[0][b] >> 1) ^ (t.at[0][b] & 1 ? 0x82f63b78 : 0);
  }
  for (int k = 1; k < 8; ++k)
    for (uint32_t b = 0; b < 256; ++b)
      t.at[k][b] = (t.at[k - 1][b] >> 8) ^ t.at[0][t.at[k - 1][b] & 255];
  return t;
}

constexpr Tables kTables = make_tables();

uint32_t add_byte(uint32_t crc, unsigned char byte) {
  return (crc >> 8) ^ kTables.at[0][(crc ^ byte) & 255];
}

uint32_t add_word(uint32_t crc, uint64_t word) {
  word ^= crc;
  uint32_t sum = 0;
  for (int k = 0; k < 8; ++k) sum ^= kTables.at[7 - k][(word >> (8 * k)) & 255];
  return sum;
}

#endif

}  // namespace

template <class T>
uint32_t crc32c(const T* bytes, size_t n, uint32_t crc) {
  for (; n >= 8; bytes += 8, n -= 8) {
    uint64_t word;
    __builtin_memcpy(&word, bytes, 8);
    crc = add_word(crc, word);
  }
  for (; n > 0; ++bytes, --n) crc = add_byte(crc, *bytes);
  return crc;
}

WEFT_INSTANTIATE(crc32c, unsigned char)

}  // namespace weft::kernels::WEFT_ISA
