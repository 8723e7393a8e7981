// What exports begin with.
#pragma once

#include <filesystem>

namespace weft {

/// Makes the folder if it is not there. Throws with the system's reason.
void make_folder(const std::filesystem::path& dir);

}  // namespace weft
