// What `weft board` tells its page of a run: what is new in its directory since the page asked
// last.
#pragma once

#include <filesystem>
#include <string>

namespace weft {

/// What the page has already, as it was told: cursors of logs (growth.h), tags of other files. All
/// of them are empty at first; those that were never given out mean nothing seen.
struct BoardSeen {
  std::string metrics{}, samples{}, film{}, settings{}, summary{};
};

/// A JSON object. `metrics` and `samples` have the `lines` of the logs that are new, as objects,
/// how many of them are `damaged`, a `cursor`, whether they begin `anew` and whether there is
/// `more` to ask for at once; of a log that cannot be read there is a `note` alone. `film` (its
/// lines), `settings` and `summary` (their values by name) have a `tag`, and are null where the
/// file is the one that was seen. What is damaged has a `note` instead of a value, and so has what
/// cannot be read, with an empty tag. `age` is how many seconds ago the metrics were written; null
/// if there are none. Of a run that is to replace the model it is that run's. Files may hold
/// anything: nothing in them is an error.
std::string board_data(const std::filesystem::path& directory, const BoardSeen& seen);

}  // namespace weft
