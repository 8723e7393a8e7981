// The thread pool: every element once, cuts at the grain, errors and nesting survive.
#include <weft/core/error.h>
#include <weft/core/parallel.h>
#include <weft/tests/catch.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
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
  CHECK(total == 4 * 200 * 50);
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
