// The page of `weft board`, built into the program.
#pragma once

#include <string_view>

namespace weft {

/// In one piece of HTML; it asks its server for everything else. See program/page/board.html.
std::string_view board_page();

}  // namespace weft
