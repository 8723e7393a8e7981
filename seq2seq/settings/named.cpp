#include <fmt/ranges.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/settings/named.h>

namespace weft {

void detail::fail_unknown_name(const std::string& what, const std::string& name,
                               const std::vector<std::string>& names) {
  fail("{}: must be one of {}; got '{}'", what, fmt::join(names, ", "), name);
}

}  // namespace weft
