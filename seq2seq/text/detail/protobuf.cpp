#include <weft/seq2seq/text/detail/protobuf.h>

namespace weft::protobuf {
namespace {

constexpr unsigned kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;  // wire types

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

template <class Bits>
void put_bits(std::string& out, Bits bits) {
  for (unsigned shift = 0; shift < 8 * sizeof bits; shift += 8)
    out += static_cast<char>(bits >> shift);
}

}  // namespace

void put_integer(std::string& out, unsigned field, int64_t value) {
  put_varint(out, field << 3 | kVarint);
  put_varint(out, static_cast<uint64_t>(value));
}

void put_float(std::string& out, unsigned field, float value) {
  put_varint(out, field << 3 | kFixed32);
  put_bits(out, __builtin_bit_cast(uint32_t, value));
}

void put_double(std::string& out, unsigned field, double value) {
  put_varint(out, field << 3 | kFixed64);
  put_bits(out, __builtin_bit_cast(uint64_t, value));
}

void put_bytes(std::string& out, unsigned field, const std::string& bytes) {
  put_varint(out, field << 3 | kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}

}  // namespace weft::protobuf
