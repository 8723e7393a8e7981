// The page that stands beside exported models, built into the program.
#pragma once

#include <string_view>
#include <vector>

namespace weft {

struct PageFile {
  const char* name;
  std::string_view text;
};

/// index.html and its scripts; see exchange/page/page.cmake. It wants ONNX Runtime's files beside
/// it, which scripts/browser_page.sh puts there.
const std::vector<PageFile>& exported_page();

}  // namespace weft
