#include <weft/core/allocator.h>
#include <weft/core/cpu.h>
#include <weft/core/detail/check.h>
#include <weft/core/parallel.h>

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <mutex>

namespace weft {
namespace {

// Size classes: four per power of two, from 64 bytes up. A freed block heads its class's list and
// stores the link to the next in its own first word.
constexpr int kSteps = 4;
constexpr int kClasses = kSteps * (sizeof(size_t) == 8 ? 48 : 25);
// A request may take a cached block of up to this many classes above its own (twice its size).
constexpr int kSpill = kSteps;
// Small blocks would waste more by spilling than a fresh one costs.
constexpr size_t kSpillFrom = size_t{1} << 20;
constexpr size_t kLargePage = size_t{2} << 20;

struct FreeBlock {
  FreeBlock* next;
};

size_t class_bytes(int c) {
  const size_t base = kAlignment << (c / kSteps);
  return base + base / kSteps * static_cast<size_t>(c % kSteps);
}

int class_of(size_t bytes) {
  if (bytes <= kAlignment) return 0;
  const size_t units = (bytes - 1) / kAlignment;
  const int power = static_cast<int>(std::bit_width(units)) - 1;
  int c = kSteps * power;
  while (class_bytes(c) < bytes) ++c;
  return c;
}

struct Cache {
  std::mutex mutex;
  std::array<FreeBlock*, kClasses> free{};
  AllocatorStats stats{};

  FreeBlock* pop(int c) {
    FreeBlock* block = free[static_cast<size_t>(c)];
    if (block) free[static_cast<size_t>(c)] = block->next;
    return block;
  }

  FreeBlock* pop_near(int c, int& found) {
    const int last = class_bytes(c) >= kSpillFrom ? std::min(c + kSpill, kClasses - 1) : c;
    for (found = c; found <= last; ++found)
      if (FreeBlock* block = pop(found)) return block;
    found = c;
    return nullptr;
  }
};

// Never destroyed: tensors with static lifetime may still be freed after main. Nobody forks while
// another thread is inside: the child would wait for that thread, which it does not have.
Cache& cache() {
  static Cache& c = []() -> Cache& {
    auto unlock = [] { cache().mutex.unlock(); };
    pthread_atfork([] { cache().mutex.lock(); }, unlock, unlock);
    return *new Cache;
  }();
  return c;
}

// Made before there are threads: a child forked while another thread makes it would wait for ever.
[[maybe_unused]] const Cache& made_early = cache();

/// Large blocks in large pages where the system has them: fewer faults when fresh, and fewer misses
/// of the address cache when rows are far apart. Only as far as `bytes` goes, since the whole of a
/// large page becomes resident at once.
void use_large_pages([[maybe_unused]] void* block, [[maybe_unused]] size_t bytes) {
#if defined(MADV_HUGEPAGE)
  if (bytes >= kLargePage) madvise(block, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
#endif
}

// The first tensor of a process comes by here: a program learns at once of settings that it got
// wrong, and where it can catch the Error.
void check_settings() {
  static const bool checked = [] {
    check_cpu_setting();
    return num_threads() > 0;
  }();
  static_cast<void>(checked);
}

void* from_system(size_t bytes, size_t capacity) {
  check_settings();
  const size_t alignment = capacity >= kLargePage ? kLargePage : kAlignment;
  const size_t whole = (capacity + alignment - 1) / alignment * alignment;
  void* p = std::aligned_alloc(alignment, whole);
  if (!p) {
    empty_cache();
    p = std::aligned_alloc(alignment, whole);
  }
  check(p != nullptr, "allocate: the system has no memory left; asked for {} bytes, {} are in use",
        bytes, allocator_stats().bytes_in_use);
  use_large_pages(p, bytes);
  return p;
}

}  // namespace

void* allocate(uint64_t wanted, size_t& capacity) {
  check(wanted <= class_bytes(kClasses - 1), "allocate: {} bytes is more than any machine has",
        wanted);
  const auto bytes = static_cast<size_t>(wanted);
  Cache& c = cache();
  std::unique_lock lock(c.mutex);
  int found = class_of(bytes);
  void* block = c.pop_near(found, found);
  capacity = class_bytes(found);
  if (!block) {
    lock.unlock();
    block = from_system(bytes, capacity);
    lock.lock();
    ++c.stats.system_calls;
    c.stats.bytes_reserved += capacity;
  }
  ++c.stats.allocations;
  c.stats.bytes_in_use += capacity;
  c.stats.peak_in_use = std::max(c.stats.peak_in_use, c.stats.bytes_in_use);
  return block;
}

void deallocate(void* block, size_t capacity) noexcept {
  Cache& c = cache();
  std::lock_guard lock(c.mutex);
  auto& head = c.free[static_cast<size_t>(class_of(capacity))];
  head = new (block) FreeBlock{head};
  c.stats.bytes_in_use -= capacity;
}

AllocatorStats allocator_stats() {
  Cache& c = cache();
  std::lock_guard lock(c.mutex);
  return c.stats;
}

void reset_peak() {
  Cache& c = cache();
  std::lock_guard lock(c.mutex);
  c.stats.peak_in_use = c.stats.bytes_in_use;
}

void empty_cache() {
  Cache& c = cache();
  std::lock_guard lock(c.mutex);
  for (int i = 0; i < kClasses; ++i)
    while (FreeBlock* block = c.pop(i)) {
      std::free(block);
      c.stats.bytes_reserved -= class_bytes(i);
    }
}

}  // namespace weft
