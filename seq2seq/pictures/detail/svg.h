// What pictures in SVG have in common.
#pragma once

#include <string>

namespace weft {

/// `text` as content of an XML element or attribute.
std::string escape_xml(const std::string& text);

}  // namespace weft
