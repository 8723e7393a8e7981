// For errors about a name that is not there: which of those that are there may have been meant.
#pragma once

#include <string>
#include <vector>

namespace weft {

/// "; nearest: a, b, c": up to three of `known`, first those that contain `wanted`, then by the
/// number of characters to insert, delete or replace (Levenshtein 1966). "" where none is known.
std::string nearest(const std::string& wanted, const std::vector<std::string>& known);

}  // namespace weft
