// Work on many sentences that several processes may share out.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace weft {

/// Gives f(0), f(1), ..., f(n - 1), which may be any bytes, in this order, wherever each of them is
/// computed: here, or by several processes that all make the same call and each get all.
using ShareOut = std::function<std::vector<std::string>(
    int64_t n, const std::function<std::string(int64_t)>& f)>;

/// Shares with nobody.
std::vector<std::string> all_here(int64_t n, const std::function<std::string(int64_t)>& f);

/// The same of numbers, to the bit.
std::vector<double> share_numbers(const ShareOut& share, int64_t n,
                                  const std::function<double(int64_t)>& f);

}  // namespace weft
