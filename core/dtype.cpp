#include <weft/core/detail/check.h>
#include <weft/core/dtype.h>

#include <algorithm>

namespace weft {

const char* to_string(DType d) {
  switch (d) {
    case kFloat32:
      return "float32";
    case kFloat64:
      return "float64";
    case kInt64:
      return "int64";
    default:
      return "bool";
  }
}

void check_number(const char* who, double value, DType dtype) {
  check(dtype != kInt64 || fits_int64(value), "{}: {} is no int64", who, value);
}

DType promote(DType a, DType b) {
  auto rank = [](DType d) { return d == kBool ? 0 : d == kInt64 ? 1 : d == kFloat32 ? 2 : 3; };
  return rank(a) < rank(b) ? b : a;
}

void fail_not_floating(const char* who, DType got) {
  fail("{}: expected a floating dtype; got {}", who, to_string(got));
}

}  // namespace weft
