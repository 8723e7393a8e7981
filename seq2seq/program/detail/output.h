// What the subcommands share.
#pragma once

#include <string>

namespace weft {

/// Writes to standard output at once. Throws if it cannot be written, as on a full disk.
void print(const std::string& text);

}  // namespace weft
