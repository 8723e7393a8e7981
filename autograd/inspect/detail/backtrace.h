// The calls that led to a place in the program, as text. Not public.
#pragma once

#include <string>
#include <vector>

namespace weft {

/// A linker symbol or the name() of a type as it stands in sources.
std::string demangled(const char* symbol);

/// Return addresses of this thread's calls, the innermost first.
std::vector<void*> call_frames();

/// A line per call, the library's own machinery left out: the function's name if it has external
/// linkage (weft::weft links programs with -rdynamic), else file and offset for addr2line.
std::string describe_frames(const std::vector<void*>& frames);

}  // namespace weft
