#include <weft/core/detail/check.h>

namespace weft::detail {

void fail_with(fmt::string_view format, fmt::format_args args) {
  throw Error(fmt::vformat(format, args));
}

}  // namespace weft::detail
