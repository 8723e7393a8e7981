// Text of a file in a message, which must not become as long as the file.
#pragma once

#include <string>
#include <string_view>

namespace weft {

/// `text`, or its first `most` bytes (whole characters of UTF-8) and "...".
inline std::string shortened(std::string_view text, size_t most = 120) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return std::string(text.substr(0, most)) + "...";
}

}  // namespace weft
