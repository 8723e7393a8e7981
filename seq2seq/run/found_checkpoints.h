// What a run that goes on finds in its directory: a disk may have filled up, or a process died,
// between the best checkpoint and the last, and either may have been damaged since.
#pragma once

#include <weft/core/serialize.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace weft {

struct FoundCheckpoints {
  SafetensorsFile newest;           ///< whole, of the run, and of the highest step
  std::optional<Metadata> best;     ///< progress of the best one, if that is whole
  std::vector<std::string> faults;  ///< of what is there and cannot be used, for the user
};

/// Throws if none is whole and of that run.
FoundCheckpoints find_checkpoints(const std::filesystem::path& dir, const std::string& run);

}  // namespace weft
