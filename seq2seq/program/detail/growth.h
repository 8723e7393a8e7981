// Reading a file while another process appends lines to it, or puts another in its place.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace weft {

struct Growth {
  std::vector<std::string> lines{};  ///< whole ones, without their ends
  std::string cursor{};              ///< to go on from
  bool anew = false;                 ///< they are the file's first: forget what came before
  bool more = false;                 ///< there is more to read already
};

inline constexpr size_t kMostGrowth = 1 << 20;  ///< bytes

/// The lines behind `cursor`, about `most` bytes of them; "" is the beginning. A last line without
/// an end is not read yet. Where the bytes before the cursor are not those that it has seen (the
/// file was cut, written anew or replaced, or is gone), the lines are the file's first. A line that
/// is longer than `most` comes in pieces. What is no file has no lines. Throws if the system does
/// not let it be read.
Growth read_growth(const std::filesystem::path& file, const std::string& cursor,
                   size_t most = kMostGrowth);

}  // namespace weft
