// Work on several cores: one pool of threads for the whole library.
//
// Ranges are cut at multiples of a unit that the caller derives from shapes alone, so results
// never depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace weft {

/// How many ranges work is cut into at most. Default: WEFT_NUM_THREADS in the environment, in
/// [1, 1024], else the number of cores that this process may use. Results have the same bits at any
/// number. Where there are fewer cores, only as many threads as those take the ranges in turn.
int num_threads();

/// Throws Error unless 1 <= n <= 1024.
void set_num_threads(int n);

/// How items may be cut into ranges: at multiples of `unit`, into no more ranges than there is
/// `least` for. A single number is both.
struct Grain {
  int64_t unit, least;
  constexpr Grain(int64_t both) : Grain(both, both) {}
  constexpr Grain(int64_t unit_, int64_t least_) : unit(unit_), least(least_) {}
};

/// Nanoseconds of work that are worth a thread: several times what it costs to hand them over,
/// about 1,000 to a thread that still looks out for work and 2,000 to 5,000 to one that sleeps.
inline constexpr double kWorthAThread = 10'000;

/// The grain of items that take so many nanoseconds each.
constexpr Grain grain_of_cost(double nanoseconds, int64_t unit = 1) {
  return {unit, static_cast<int64_t>(std::max(1.0, kWorthAThread / std::max(nanoseconds, 1e-3)))};
}

namespace detail {
using RangeFunction = void (*)(void* context, int64_t begin, int64_t end);
void parallel_ranges(int64_t n, Grain grain, RangeFunction call, void* context);
}  // namespace detail

/// Calls f(begin, end) on contiguous ranges that together cover [0, n). Serial when there is not
/// twice grain.least, inside another parallel_for, and while another thread has the pool. The first
/// range's exception, if any, is rethrown once all ranges have ended.
template <class F>
void parallel_for(int64_t n, Grain grain, F&& f) {
  if (n <= 0) return;
  if (n / 2 < grain.least || n <= grain.unit) {
    f(int64_t{0}, n);
    return;
  }
  using Function = std::remove_reference_t<F>;
  detail::parallel_ranges(
      n, grain,
      [](void* context, int64_t begin, int64_t end) {
        (*static_cast<Function*>(context))(begin, end);
      },
      const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace weft
