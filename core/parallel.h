// Work on several cores: one pool of threads for the whole library.
//
// Ranges are cut at multiples of a grain that the caller derives from shapes alone, so results
// never depend on the number of threads.
#pragma once

#include <cstdint>
#include <type_traits>

namespace weft {

/// How many threads weft may use, the caller included. Default: WEFT_NUM_THREADS in the
/// environment, in [1, 1024], else the number of cores. Results have the same bits at any number.
int num_threads();

/// Throws Error unless 1 <= n <= 1024.
void set_num_threads(int n);

namespace detail {
using RangeFunction = void (*)(void* context, int64_t begin, int64_t end);
void parallel_ranges(int64_t n, int64_t grain, RangeFunction call, void* context);
}  // namespace detail

/// Calls f(begin, end) on contiguous ranges that together cover [0, n), cut at multiples of `grain`
/// (at least 1). Serial when n <= grain, inside another parallel_for, and while another thread has
/// the pool. The first range's exception, if any, is rethrown once all ranges have ended.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) {
  if (n <= 0) return;
  if (n <= grain) {
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
