// What pictures in SVG have in common.
#pragma once

#include <string>

namespace weft {

inline constexpr const char *kInk = "#1d2333", *kFaded = "#6a7186";  ///< colours of text

/// `text` as content of an XML element or attribute.
std::string escape_xml(const std::string& text);

}  // namespace weft
