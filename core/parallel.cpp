// The pool: workers spin for a moment, then sleep on a futex. A job goes to each worker it needs
// through that worker's own ticket: the caller wakes the first few, and each of them a few more.
// The caller runs the first range itself, and then every range whose worker has not begun: on a
// busy machine nobody waits for a thread that is not running. There are no more workers than cores;
// where a job has more ranges, whoever is done with the own one takes the next of the others.
#include <weft/core/detail/check.h>
#include <weft/core/detail/cores.h>
#include <weft/core/parallel.h>
#include <weft/core/region_watch.h>

#include <pthread.h>
#include <time.h>

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
#include <utility>
#include <vector>

namespace weft {

using std::chrono::nanoseconds;

namespace {

constexpr int kMaxThreads = 1024;
constexpr int kSpins = 2000;     // about 30 microseconds of pauses
constexpr size_t kChildren = 4;  // workers that a worker, or the caller, wakes

// Asked once: the system answers from files.
int cores() {
  static const int count = detail::usable_cores();
  return count;
}

// Before there are threads: a child forked while another one asks would wait for ever.
[[maybe_unused]] const int asked_early = cores();

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
void wait_while_equal(std::atomic<uint32_t>& value, uint32_t old) {
  for (int i = cores() > 1 ? kSpins : 0; i > 0; --i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
}

thread_local RegionWatch* watched = nullptr;

nanoseconds processor_time() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + nanoseconds(t.tv_nsec);
}

struct Job {
  detail::RangeFunction call;
  void* context;
  int64_t n, unit, parts;
  size_t helpers;  // workers: numbers 1 to so many run the parts of these numbers first

  void run(int64_t part) const {
    const int64_t cells = (n + unit - 1) / unit;
    const int64_t begin = cells * part / parts * unit;
    call(context, begin, std::min(n, cells * (part + 1) / parts * unit));
  }
};

thread_local bool inside = false;

}  // namespace

/// Times a region for the RegionWatch of this thread, if it has one. What it calls is part of it.
struct RegionTimer {
  RegionWatch* const watch = std::exchange(watched, nullptr);
  const nanoseconds began = watch ? processor_time() : nanoseconds{};
  std::chrono::steady_clock::time_point wait_began{};

  RegionTimer() = default;
  RegionTimer(const RegionTimer&) = delete;
  RegionTimer& operator=(const RegionTimer&) = delete;

  void work_ended() {
    if (!watch) return;
    watch->times_.inside += processor_time() - began;
    wait_began = std::chrono::steady_clock::now();
  }
  ~RegionTimer() {
    if (!watch) return;
    if (wait_began != std::chrono::steady_clock::time_point{})  // no range has thrown
      watch->times_.waiting += std::chrono::steady_clock::now() - wait_began;
    watch->began_ += processor_time() - began;
    ++watch->times_.regions;
    watched = watch;
  }
};

namespace {

class Pool {
 public:
  /// False if another thread is using the pool.
  bool run(Job job, RegionTimer& timer) {
    const std::unique_lock<std::mutex> lock(busy_, std::try_to_lock);
    if (!lock) return false;
    begin(job);
    take(0);
    for (size_t i = 1; i <= job_.helpers; ++i) {
      Worker& w = *workers_[i - 1];
      if (w.claim(w.ticket.load(std::memory_order_relaxed))) finish(i);
    }
    timer.work_ended();
    uint32_t left;
    while ((left = pending_.load(std::memory_order_acquire)) != 0) wait_while_equal(pending_, left);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return true;
  }

 private:
  struct alignas(64) Worker {
    std::atomic<uint32_t> ticket = 0;   // of the latest job
    std::atomic<uint32_t> claimed = 0;  // the latest job that somebody runs, worker or caller

    bool claim(uint32_t job_ticket) {
      uint32_t before = job_ticket - 1;
      return claimed.compare_exchange_strong(before, job_ticket, std::memory_order_acq_rel);
    }
  };

  /// Workers for the job, as far as the system has threads.
  void begin(const Job& job) {
    while (workers_.size() < job.helpers && add_worker()) {
    }
    job_ = job;
    job_.helpers = std::min(job.helpers, workers_.size());
    next_.store(static_cast<int64_t>(job_.helpers) + 1, std::memory_order_relaxed);
    pending_.store(static_cast<uint32_t>(job_.helpers), std::memory_order_relaxed);
  }

  /// Part i, by the worker of this number or whoever claimed its place; 0 is the caller's. Wakes
  /// the workers that this one has to, and helps with the parts that belong to nobody.
  void take(size_t i) {
    const size_t last = std::min(kChildren * (i + 1), job_.helpers);
    for (size_t child = kChildren * i + 1; child <= last; ++child) {
      workers_[child - 1]->ticket.fetch_add(1, std::memory_order_release);
      workers_[child - 1]->ticket.notify_one();
    }
    run_part(static_cast<int64_t>(i));
    int64_t part;
    while ((part = next_.fetch_add(1, std::memory_order_relaxed)) < job_.parts) run_part(part);
  }

  void run_part(int64_t part) {
    inside = true;
    try {
      job_.run(part);
    } catch (...) {
      const std::lock_guard lock(error_mutex_);
      if (!error_ || part < failed_part_) {
        error_ = std::current_exception();
        failed_part_ = part;
      }
    }
    inside = false;
  }

  void finish(size_t i) {
    take(i);
    if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
  }

  /// False where the system has no thread left: the job then goes to fewer.
  bool add_worker() {
    workers_.push_back(std::make_unique<Worker>());
    try {
      std::thread([this, worker = workers_.back().get(), number = workers_.size()] {
        for (uint32_t seen = 0;; ++seen) {
          wait_while_equal(worker->ticket, seen);
          if (worker->claim(seen + 1)) finish(number);
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
  std::atomic<int64_t> next_ = 0;      // of the parts that belong to nobody
  std::atomic<uint32_t> pending_ = 0;  // helpers whose parts have not ended
  std::vector<std::unique_ptr<Worker>> workers_;
  std::mutex error_mutex_;
  std::exception_ptr error_;  // of the first part that failed
  int64_t failed_part_ = 0;
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

void detail::parallel_ranges(int64_t n, Grain grain, RangeFunction call, void* context) {
  if (inside) return call(context, 0, n);
  RegionTimer timer;
  const int64_t cells = (n + grain.unit - 1) / grain.unit;
  const int64_t parts = std::min({int64_t{num_threads()}, cells, n / grain.least});
  // The caller is one of the threads; a helper on its core still lets others go on elsewhere.
  const int64_t helpers = std::min<int64_t>(parts - 1, std::max(1, cores() - 1));
  const Job job{call, context, n, grain.unit, parts, static_cast<size_t>(helpers)};
  if (parts > 1 && pool().run(job, timer)) return;
  call(context, 0, n);
  timer.work_ended();
}

RegionWatch::RegionWatch() : began_(processor_time()) {
  invariant(!watched, "RegionWatch: this thread has one");
  watched = this;
}

RegionWatch::~RegionWatch() { watched = nullptr; }

RegionWatch::Times RegionWatch::times() const {
  Times t = times_;
  t.outside = processor_time() - began_;
  return t;
}

}  // namespace weft
