// Argument checks with formatted messages. For .cpp files: public headers stay free of fmt, so that
// a program that includes them compiles fast.
#pragma once

#include <fmt/format.h>
#include <weft/core/error.h>
#include <weft/core/shape.h>

template <>
struct fmt::formatter<weft::Shape> : fmt::formatter<std::string> {
  auto format(const weft::Shape& s, format_context& ctx) const {
    return fmt::formatter<std::string>::format(weft::to_string(s), ctx);
  }
};

namespace weft {

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

/// Throws Error with the formatted message unless `ok`.
template <class... Args>
void check(bool ok, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) [[unlikely]]
    fail(format, std::forward<Args>(args)...);
}

/// Throws InternalError unless `ok`.
inline void invariant(bool ok, const char* what) {
  if (!ok) [[unlikely]]
    throw InternalError(what);
}

}  // namespace weft
