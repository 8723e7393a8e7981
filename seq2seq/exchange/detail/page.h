// The page that stands beside exported models, built into the program.
#pragma once

#include <string_view>

namespace weft {

/// Files of exchange/page. They want those of ONNX Runtime beside them, which
/// scripts/browser_page.sh puts there.
std::string_view exported_index_html();
std::string_view exported_page_mjs();
std::string_view exported_translate_mjs();

}  // namespace weft
