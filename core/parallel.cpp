// The pool: workers spin for a moment, then sleep on a futex. A job goes to each worker it needs
// through that worker's own ticket; the caller runs the first range itself, and then every range
// whose worker has not begun: on a busy machine nobody waits for a thread that is not running.
#include <weft/core/detail/check.h>
#include <weft/core/parallel.h>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace weft {
namespace {

constexpr int kMaxThreads = 1024;
constexpr int kSpins = 2000;  // about 30 microseconds of pauses

#if defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__)
int cores() { return 1; }  // whatever the browser counts
#else
// Asked once: the system answers from files.
int cores() {
  static const int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return count;
}
#endif

int default_threads() {
  const char* value = std::getenv("WEFT_NUM_THREADS");
  if (!value || !*value) return std::min(cores(), kMaxThreads);
  const std::string_view text = value;
  int n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  check(error == std::errc() && end == text.data() + text.size() && n >= 1 && n <= kMaxThreads,
        "WEFT_NUM_THREADS: expected a number in [1, {}]; got '{}'", kMaxThreads, text);
  return n;
}

std::atomic<int>& thread_setting() {
  static std::atomic<int> n = default_threads();
  return n;
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Returns once `value` no longer holds `old`.
void wait_while_equal(std::atomic<uint32_t>& value, uint32_t old, int spins) {
  for (int i = 0; i < spins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
}

struct Job {
  detail::RangeFunction call;
  void* context;
  int64_t n, grain, parts;

  void run(int64_t part) const {
    const int64_t cells = (n + grain - 1) / grain;
    const int64_t begin = cells * part / parts * grain;
    call(context, begin, std::min(n, cells * (part + 1) / parts * grain));
  }
};

thread_local bool inside = false;

std::exception_ptr run_guarded(const Job& job, int64_t part) {
  inside = true;
  std::exception_ptr error;
  try {
    job.run(part);
  } catch (...) {
    error = std::current_exception();
  }
  inside = false;
  return error;
}

class Pool {
 public:
  /// False if another thread is using the pool.
  bool run(Job job, int spins) {
    const std::unique_lock<std::mutex> lock(busy_, std::try_to_lock);
    if (!lock) return false;
    const auto wanted = static_cast<size_t>(job.parts - 1);
    while (workers_.size() < wanted && add_worker()) {
    }
    const size_t helpers = std::min(wanted, workers_.size());
    job.parts = static_cast<int64_t>(helpers) + 1;
    job_ = job;
    spins_.store(spins, std::memory_order_relaxed);
    pending_.store(static_cast<uint32_t>(helpers), std::memory_order_relaxed);
    for (size_t i = 0; i < helpers; ++i) {
      workers_[i]->ticket.fetch_add(1, std::memory_order_release);
      workers_[i]->ticket.notify_one();
    }
    std::exception_ptr error = run_guarded(job, 0);
    for (size_t i = 0; i < helpers; ++i)
      if (workers_[i]->claim(workers_[i]->ticket.load(std::memory_order_relaxed)))
        finish(*workers_[i], job, static_cast<int64_t>(i) + 1);
    uint32_t left;
    while ((left = pending_.load(std::memory_order_acquire)) != 0)
      wait_while_equal(pending_, left, spins);
    for (size_t i = 0; i < helpers; ++i) {
      if (!error) error = workers_[i]->error;
      workers_[i]->error = nullptr;
    }
    if (error) std::rethrow_exception(error);
    return true;
  }

 private:
  struct alignas(64) Worker {
    std::atomic<uint32_t> ticket = 0;   // of the latest job
    std::atomic<uint32_t> claimed = 0;  // the latest job that somebody runs, worker or caller
    std::exception_ptr error;

    bool claim(uint32_t job_ticket) {
      uint32_t before = job_ticket - 1;
      return claimed.compare_exchange_strong(before, job_ticket, std::memory_order_acq_rel);
    }
  };

  void finish(Worker& worker, const Job& job, int64_t part) {
    worker.error = run_guarded(job, part);
    if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
  }

  /// False where the system has no thread left: the job then goes to fewer.
  bool add_worker() {
    workers_.push_back(std::make_unique<Worker>());
    try {
      std::thread([this, worker = workers_.back().get(), part = workers_.size()] {
        uint32_t seen = 0;
        for (;; ++seen) {
          wait_while_equal(worker->ticket, seen, spins_.load(std::memory_order_relaxed));
          if (worker->claim(seen + 1)) finish(*worker, job_, static_cast<int64_t>(part));
        }
      }).detach();
    } catch (const std::system_error&) {
      workers_.pop_back();
      return false;
    }
    return true;
  }

  std::mutex busy_;
  Job job_{};
  std::atomic<uint32_t> pending_ = 0;
  std::atomic<int> spins_ = 0;
  std::vector<std::unique_ptr<Worker>> workers_;
};

// Never destroyed: its threads end with the process, wherever exit() was called. A forked child has
// none of them, and gets a pool of its own.
std::atomic<Pool*> pool_in_use = nullptr;

Pool& pool() {
  static std::once_flag once;
  std::call_once(once, [] {
    pthread_atfork(nullptr, nullptr, [] {
      inside = false;
      pool_in_use = nullptr;
    });
  });
  Pool* p = pool_in_use.load(std::memory_order_acquire);
  if (p) return *p;
  auto fresh = std::make_unique<Pool>();
  if (pool_in_use.compare_exchange_strong(p, fresh.get())) return *fresh.release();
  return *p;
}

}  // namespace

int num_threads() { return thread_setting().load(std::memory_order_relaxed); }

void set_num_threads(int n) {
  check(n >= 1 && n <= kMaxThreads, "set_num_threads: expected a number in [1, {}]; got {}",
        kMaxThreads, n);
  thread_setting().store(n, std::memory_order_relaxed);
}

void detail::parallel_ranges(int64_t n, int64_t grain, RangeFunction call, void* context) {
  const int threads = inside ? 1 : num_threads();
  const int64_t cells = (n + grain - 1) / grain;
  const Job job{call, context, n, grain, std::min<int64_t>(threads, cells)};
  const int spins = threads > cores() ? 0 : kSpins;
  if (job.parts == 1 || !pool().run(job, spins)) call(context, 0, n);
}

}  // namespace weft
