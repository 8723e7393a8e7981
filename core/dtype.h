// Element types of a tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace weft {

enum class DType : uint8_t { float32, float64, int64, boolean };

constexpr DType kFloat32 = DType::float32;
constexpr DType kFloat64 = DType::float64;
constexpr DType kInt64 = DType::int64;
constexpr DType kBool = DType::boolean;

/// Bytes of one element.
constexpr size_t size_of(DType d) {
  return d == kFloat64 || d == kInt64 ? 8 : d == kFloat32 ? 4 : 1;
}

constexpr bool is_floating(DType d) { return d == kFloat32 || d == kFloat64; }

/// "float32", "float64", "int64" or "bool".
const char* to_string(DType d);

template <class T>
concept Element = std::is_same_v<T, float> || std::is_same_v<T, double> ||
    std::is_same_v<T, int64_t> || std::is_same_v<T, bool>;

template <Element T>
constexpr DType dtype_of = std::is_same_v<T, float>     ? kFloat32
                           : std::is_same_v<T, double>  ? kFloat64
                           : std::is_same_v<T, int64_t> ? kInt64
                                                        : kBool;

/// The dtype that arithmetic on both gives: bool < int64 < float32 < float64.
DType promote(DType a, DType b);

template <class T>
struct TypeTag {
  using type = T;
};

/// Calls f(TypeTag<T>) for the element type of `d`.
template <class F>
decltype(auto) dispatch(DType d, F&& f) {
  switch (d) {
    case kFloat32:
      return f(TypeTag<float>{});
    case kFloat64:
      return f(TypeTag<double>{});
    case kInt64:
      return f(TypeTag<int64_t>{});
    default:
      return f(TypeTag<bool>{});
  }
}

/// Whether `v`, cut towards 0, is an int64.
constexpr bool fits_int64(double v) { return v >= -0x1p63 && v < 0x1p63; }

/// `v` as another element type: to int64 towards 0, NaN becomes 0, and what is out of range the
/// nearest int64 (C++ leaves them open).
template <Element Into, Element From>
Into nearest(From v) {
  if constexpr (std::is_same_v<Into, int64_t> && std::is_floating_point_v<From>) {
    if (v != v) return 0;
    if (v >= From(0x1p63)) return std::numeric_limits<int64_t>::max();
    if (v <= From(-0x1p63)) return std::numeric_limits<int64_t>::min();
  }
  return static_cast<Into>(v);
}

/// An Error unless an element of `dtype` can be `value`: `full: nan is no int64`.
void check_number(const char* who, double value, DType dtype);

/// Throws Error: `who: expected a floating dtype; got int64`.
[[noreturn]] void fail_not_floating(const char* who, DType got);

/// Calls f(TypeTag<T>) for float or double; another dtype is an Error that names `who`.
template <class F>
decltype(auto) dispatch_floating(const char* who, DType d, F&& f) {
  if (d == kFloat32) return f(TypeTag<float>{});
  if (d == kFloat64) return f(TypeTag<double>{});
  fail_not_floating(who, d);
}

}  // namespace weft
