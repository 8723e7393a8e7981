// Memory for tensors: 64-byte aligned blocks, kept for reuse when freed. A training step asks for
// the same sizes again and again; fresh pages cost a fault each, reused ones nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft {

constexpr size_t kAlignment = 64;

struct AllocatorStats {
  size_t bytes_in_use;    ///< handed out and not yet freed
  size_t bytes_reserved;  ///< taken from the system, in use or cached
  size_t peak_in_use;     ///< the largest bytes_in_use since reset_peak()
  uint64_t allocations;   ///< calls of allocate
  uint64_t system_calls;  ///< of these, how many the cache could not serve
};

/// A block of at least `bytes`, aligned to kAlignment; its true size goes to `capacity`, which
/// deallocate() needs. Throws Error when the system has no memory left. Thread-safe.
void* allocate(uint64_t bytes, size_t& capacity);
void deallocate(void* block, size_t capacity) noexcept;

/// Memory for `n` numbers as long as the object lives.
template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t n)
      : data_(static_cast<T*>(allocate(static_cast<uint64_t>(n) * sizeof(T), capacity_))) {}
  ~Scratch() { deallocate(data_, capacity_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  T* data() const { return data_; }

 private:
  size_t capacity_ = 0;
  T* data_;
};

AllocatorStats allocator_stats();
/// Starts a new measurement of peak_in_use.
void reset_peak();
/// Gives cached blocks back to the system.
void empty_cache();

}  // namespace weft
