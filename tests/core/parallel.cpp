// The thread pool: every element once, cuts at the grain, errors and nesting survive.
#include <weft/core/detail/cores.h>
#include <weft/core/error.h>
#include <weft/core/parallel.h>
#include <weft/core/region_watch.h>
#include <weft/tests/catch.h>

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace weft;

namespace {

/// Restores the number of threads.
struct WithThreads {
  explicit WithThreads(int n) { set_num_threads(n); }
  ~WithThreads() { set_num_threads(before); }
  int before = num_threads();
};

/// How often each of n elements is visited.
std::vector<int> visits(int64_t n, int64_t grain) {
  std::vector<int> count(static_cast<size_t>(n));
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) ++count[static_cast<size_t>(i)];
  });
  return count;
}

}  // namespace

TEST_CASE("parallel_for visits every element once, at any number of threads") {
  const int threads = GENERATE(1, 2, 3, 7);
  const WithThreads with(threads);
  for (int64_t n : {0, 1, 2, 47, 48, 49, 1000})
    for (int64_t grain : {1, 3, 48, 5000})
      REQUIRE(visits(n, grain) == std::vector<int>(static_cast<size_t>(n), 1));
}

TEST_CASE("parallel_for cuts at multiples of the grain") {
  const WithThreads with(3);
  std::atomic<int> ranges = 0, bad = 0;
  parallel_for(100, 7, [&](int64_t begin, int64_t end) {
    ++ranges;
    if (begin % 7 != 0 || (end % 7 != 0 && end != 100)) ++bad;
  });
  CHECK(ranges == 3);
  CHECK(bad == 0);
}

TEST_CASE("parallel_for makes no more ranges than there is work for") {
  const WithThreads with(4);
  const auto ranges = [](int64_t n, Grain grain) {
    std::mutex mutex;
    std::vector<int64_t> sizes;
    parallel_for(n, grain, [&](int64_t begin, int64_t end) {
      const std::lock_guard lock(mutex);
      sizes.push_back(end - begin);
    });
    std::sort(sizes.begin(), sizes.end());
    return sizes;
  };
  CHECK(ranges(99, {10, 50}) == std::vector<int64_t>{99});
  CHECK(ranges(100, {10, 50}) == std::vector<int64_t>{50, 50});
  CHECK(ranges(149, {10, 50}) == std::vector<int64_t>{70, 79});
  CHECK(ranges(150, {10, 50}) == std::vector<int64_t>{50, 50, 50});
  CHECK(ranges(1000, {10, 50}) == std::vector<int64_t>{250, 250, 250, 250});
  CHECK(ranges(100, {100, 1}) == std::vector<int64_t>{100});
  const auto worth = static_cast<int64_t>(kWorthAThread);
  CHECK(ranges(2 * worth - 2, grain_of_cost(1)) == std::vector<int64_t>{2 * worth - 2});
  CHECK(ranges(2 * worth, grain_of_cost(1)) == std::vector<int64_t>{worth, worth});
}

TEST_CASE("more threads than cores take their ranges in turn") {
  const WithThreads with(300);
  for (int64_t n : {1000, 299, 301})
    REQUIRE(visits(n, 1) == std::vector<int>(static_cast<size_t>(n), 1));
  std::atomic<int> ranges = 0;
  parallel_for(1000, 1, [&](int64_t, int64_t) { ++ranges; });
  CHECK(ranges == 300);
}

TEST_CASE("the first of several ranges that fail is the one that is told of") {
  const WithThreads with(40);
  for (int round = 0; round < 50; ++round)
    REQUIRE(message_of([] {
              parallel_for(40, 1, [](int64_t begin, int64_t) {
                if (begin >= 3) throw std::runtime_error(std::to_string(begin));
              });
            }) == "3");
}

TEST_CASE("a RegionWatch tells regions from what is outside of them") {
  using namespace std::chrono_literals;
  const auto processor_time = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
  };
  const auto work = [&] {
    for (const auto start = processor_time(); processor_time() - start < 5ms;) {
    }
  };
  const WithThreads with(1);
  const RegionWatch watch;
  work();
  parallel_for(1, 1, [&](int64_t, int64_t) { work(); });  // not enough for two threads
  parallel_for(2, 1, [&](int64_t, int64_t) {
    work();
    parallel_for(2, 1, [&](int64_t, int64_t) { work(); });  // part of the region around it
  });
  const RegionWatch::Times t = watch.times();
  CHECK(t.regions == 1);
  CHECK(t.outside >= 10ms);
  CHECK(t.inside >= 10ms);
  set_num_threads(2);
  parallel_for(2, 1, [&](int64_t begin, int64_t) {
    if (begin == 1) std::this_thread::sleep_for(20ms);
  });
  CHECK(watch.times().regions == 2);
  // Of the range that sleeps either another thread has it, and this one waits, or this one has it.
  CHECK(watch.times().waiting < 10s);
}

TEST_CASE("a control group's share of time counts as cores, rounded up") {
  CHECK(detail::cores_of_quota("max 100000") == std::nullopt);
  CHECK(detail::cores_of_quota("") == std::nullopt);
  CHECK(detail::cores_of_quota("200000") == std::nullopt);
  CHECK(detail::cores_of_quota("200000 100000") == 2);
  CHECK(detail::cores_of_quota("150000 100000") == 2);
  CHECK(detail::cores_of_quota("1000 100000") == 1);
  CHECK(detail::cores_of_quota("-1 100000") == std::nullopt);
  CHECK(detail::cores_of_quota("1000 0") == std::nullopt);
  CHECK(detail::usable_cores() >= 1);
}

TEST_CASE("parallel_for rethrows an exception and works again") {
  const WithThreads with(2);
  for (int64_t guilty : {0, 9}) {
    CHECK(message_of([&] {
            parallel_for(10, 1, [&](int64_t begin, int64_t end) {
              if (begin <= guilty && guilty < end) throw std::runtime_error("from a range");
            });
          }) == "from a range");
    CHECK(visits(100, 1) == std::vector<int>(100, 1));
  }
}

TEST_CASE("parallel_for inside parallel_for is serial") {
  const WithThreads with(4);
  std::atomic<int> inner_ranges = 0;
  parallel_for(4, 1, [&](int64_t, int64_t) {
    parallel_for(100, 1, [&](int64_t begin, int64_t end) {
      if (begin == 0 && end == 100) ++inner_ranges;
    });
  });
  CHECK(inner_ranges == 4);
}

TEST_CASE("several threads may call parallel_for at once") {
  const WithThreads with(3);
  std::atomic<int64_t> total = 0;
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round)
        parallel_for(50, 1, [&](int64_t begin, int64_t end) { total += end - begin; });
    });
  for (std::thread& c : callers) c.join();
  CHECK(total == int64_t{4} * 200 * 50);
}

TEST_CASE("the number of threads must be sensible") {
  CHECK(message_of([] { set_num_threads(0); }) ==
        "set_num_threads: expected a number in [1, 1024]; got 0");
  CHECK(num_threads() >= 1);
}

#if !defined(__SANITIZE_THREAD__)
TEST_CASE("a forked child has threads of its own and exits") {
  const WithThreads with(2);
  visits(100, 1);
  const pid_t child = fork();
  if (child == 0) _exit(visits(100, 1) == std::vector<int>(100, 1) ? 7 : 1);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
}
#endif
