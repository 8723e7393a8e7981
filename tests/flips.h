// A file with one bit flipped after the other.
#pragma once

#include <fcntl.h>
#include <unistd.h>
#include <weft/core/detail/check.h>

#include <cstdint>
#include <filesystem>

/// Calls `act(byte, bit)` for each bit of the file while that bit is flipped; of every `step`-th
/// byte.
template <class Act>
void with_flips(const std::filesystem::path& path, Act act, int64_t step = 1) {
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path));
  const int file = open(path.c_str(), O_RDWR);
  weft::invariant(file >= 0, "open");
  for (int64_t at = 0; at < size; at += step) {
    unsigned char byte = 0;
    weft::invariant(pread(file, &byte, 1, at) == 1, "pread");
    for (int bit = 0; bit < 8; ++bit) {
      const auto flipped = static_cast<unsigned char>(byte ^ (1 << bit));
      weft::invariant(pwrite(file, &flipped, 1, at) == 1, "pwrite");
      act(at, bit);
    }
    weft::invariant(pwrite(file, &byte, 1, at) == 1, "pwrite");
  }
  close(file);
}
