// The page of the laboratory, built into the program.
#pragma once

#include <string_view>

namespace weft {

/// The page that shows a report, in one piece of HTML; "/*REPORT*/" in it stands for the report's
/// JSON, in which every "<" must be written \u003c. See cmake/WeftPage.cmake.
std::string_view lab_page();

}  // namespace weft
