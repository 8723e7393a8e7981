// How many cores this process may keep busy.
#pragma once

#include <optional>
#include <string_view>

namespace weft::detail {

/// The cores it may run on, or what its control group has time for, if that is less; at least 1.
int usable_cores();

/// Cores, rounded up, that a `cpu.max` of Linux's control groups ("150000 100000": microseconds of
/// processor time in a period of so many) has time for; nothing if it sets no limit.
std::optional<int> cores_of_quota(std::string_view cpu_max);

}  // namespace weft::detail
