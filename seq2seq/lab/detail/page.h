#pragma once

#include <string_view>

namespace weft {

/// lab/page.html, which the build puts into the library.
std::string_view lab_page();

}  // namespace weft
