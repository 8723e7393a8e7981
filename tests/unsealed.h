// A safetensors file as it was before weft wrote checksums.
#pragma once

#include <weft/tests/temp_dir.h>

#include <cstdint>
#include <cstring>
#include <string>

/// The bytes of a file without its checksums.
inline std::string without_checksums(std::string bytes) {
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  size_t begin = bytes.find("\"weft.crc32c\":\"");
  size_t end = bytes.find('"', begin + 15) + 1;
  if (bytes[end] == ',')
    ++end;
  else if (bytes[begin - 1] == ',')
    --begin;
  const std::string spaces(end - begin, ' ');
  return bytes.erase(begin, end - begin).insert(8 + header - spaces.size(), spaces);
}
