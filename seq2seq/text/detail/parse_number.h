// Numbers from text.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>

namespace weft {

/// Whether all of `text` is a number, as std::from_chars reads it.
template <class T>
bool parse_number(std::string_view text, T& value) {
#if defined(__cpp_lib_to_chars)
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
#else
  // LLVM's library before version 20 reads only integers; strtod takes more than from_chars would,
  // and makes infinity of what is too large.
  if constexpr (std::is_integral_v<T>) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  } else {
    const std::string copy(text);
    char* end = nullptr;
    value = std::strtod(copy.c_str(), &end);
    const bool too_large =
        std::isinf(value) && copy.find_first_of("0123456789") != std::string::npos;
    return !copy.empty() && end == copy.c_str() + copy.size() && !too_large &&
           copy.find_first_of("xX+ \t\n\v\f\r") == std::string::npos;
  }
#endif
}

}  // namespace weft
