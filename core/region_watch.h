// How parallel the work of a thread is. A region is a call of parallel_for with work for more than
// one thread, however many then run it: so that one thread tells what several would gain.
#pragma once

#include <chrono>
#include <cstdint>

namespace weft {

/// Watches the regions of the thread that made it while it lives, one in a thread at a time. Adds
/// about a microsecond to each; without it a region pays one branch.
class RegionWatch {
 public:
  struct Times {
    int64_t regions = 0;
    std::chrono::nanoseconds outside{};  ///< of regions: processor time of this thread
    std::chrono::nanoseconds inside{};   ///< the ranges that this thread ran: the same
    std::chrono::nanoseconds waiting{};  ///< for other threads, at ends of regions: wall time
  };

  RegionWatch();
  ~RegionWatch();
  RegionWatch(const RegionWatch&) = delete;
  RegionWatch& operator=(const RegionWatch&) = delete;

  /// Since it was made.
  Times times() const;

 private:
  friend struct RegionTimer;

  Times times_;
  std::chrono::nanoseconds
      began_;  // on the clock of processor time, less what was spent in regions
};

}  // namespace weft
