#include <weft/core/checksum.h>
#include <weft/tests/catch.h>

#include <string>

using namespace weft;

// RFC 3720, appendix B.4, and the value that catalogues of CRCs check by.
TEST_CASE("CRC-32C gives the published values", "[kernels]") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xe3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  std::string ascending, descending;
  for (int i = 0; i < 32; ++i) {
    ascending += static_cast<char>(i);
    descending += static_cast<char>(31 - i);
  }
  CHECK(crc32c(ascending) == 0x46dd794e);
  CHECK(crc32c(descending) == 0x113fdb5c);
}

TEST_CASE("a checksum may be taken in parts, from any address", "[kernels]") {
  std::string text;
  for (int i = 0; i < 70; ++i) text += static_cast<char>(i * i + 7);
  const std::string_view whole = text;
  for (size_t cut = 0; cut <= whole.size(); ++cut)
    CHECK(crc32c(whole.substr(cut), crc32c(whole.substr(0, cut))) == crc32c(whole));
}
