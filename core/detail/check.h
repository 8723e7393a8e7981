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

namespace detail {
/// In one place: what is inline in each call of check() is most of what a small op compiles to.
[[noreturn]] void fail_with(fmt::string_view format, fmt::format_args args);
}  // namespace detail

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  detail::fail_with(format, fmt::make_format_args(args...));
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
