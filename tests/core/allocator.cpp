// The allocator and the thread pool where the system is difficult: forks, and no thread to be had.
#include <weft/core/allocator.h>
#include <weft/core/parallel.h>
#include <weft/tests/catch.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

using namespace weft;

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
namespace {

void use_once(size_t bytes) {
  size_t capacity = 0;
  void* block = allocate(bytes, capacity);
  deallocate(block, capacity);
}

int exit_code_of(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Bytes of address space that this process has.
rlim_t address_space() {
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("a child that is forked while threads allocate can allocate") {
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    while (!stop) use_once(1000);
  });
  int good = 0;
  for (int i = 0; i < 100; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);  // ends a child that waits for a lock nobody holds
      use_once(1000);
      _exit(7);
    }
    good += exit_code_of(child) == 7;
  }
  stop = true;
  busy.join();
  CHECK(good == 100);
}

TEST_CASE("parallel_for does with fewer threads where the system has no more") {
  const pid_t child = fork();
  if (child == 0) {
    const rlim_t room = address_space() + (1 << 20);  // too little for a thread's stack
    const rlimit limit{room, room};
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(1);
    set_num_threads(8);
    std::vector<int> count(100);
    for (int round = 0; round < 3; ++round)
      parallel_for(100, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++count[static_cast<size_t>(i)];
      });
    _exit(count == std::vector<int>(100, 3) ? 7 : 2);
  }
  CHECK(exit_code_of(child) == 7);
}
#endif
