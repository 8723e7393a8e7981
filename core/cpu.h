// Which of the per-CPU copies of a kernel to run.
//
// Files named in weft_kernels() are compiled once per instruction set, each copy in the namespace
// WEFT_ISA. A kernel's header says
//
//   WEFT_KERNELS(template <class T> void softmax_rows(const T* x, T* y, int64_t rows, int64_t n);)
//   WEFT_DISPATCH(softmax_rows)
//
// which declares every copy, and `softmax_rows` as a function that calls the best one for this
// machine. Inside a copy only that copy is declared.
// Such files must not instantiate inline functions with external linkage (std:: algorithms, say):
// the linker keeps one copy of those, perhaps the one with instructions that this CPU lacks.
#pragma once

namespace weft {

enum class Isa { baseline, avx2, avx512 };

/// The best instruction set of this machine; WEFT_CPU=baseline|avx2|avx512 in the environment
/// lowers it (for tests and comparisons), never raises it.
Isa cpu_isa();
/// An Error if WEFT_CPU has another value.
void check_cpu_setting();

#if !defined(WEFT_ISA)  // a copy must not run anything by itself, not even this initializer
/// cpu_isa() without a call. Before its initializer has run it reads as baseline: slow, not wrong.
inline const Isa kCpuIsa = cpu_isa();
#endif

/// While one lives, this thread's arithmetic takes subnormal numbers (below 1.2e-38 in float32) for
/// zero. Gradients of saturated softmaxes are full of them, nothing they are added to changes by
/// them, and on many CPUs each costs over a hundred cycles. Does nothing on CPUs other than x86-64.
class FlushSubnormals {
 public:
#if defined(__x86_64__)
  FlushSubnormals() : before_(__builtin_ia32_stmxcsr()) {
    constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x40;
    __builtin_ia32_ldmxcsr(before_ | kFlushToZero | kDenormalsAreZero);
  }
  ~FlushSubnormals() { __builtin_ia32_ldmxcsr(before_); }
#else
  FlushSubnormals() {}
  ~FlushSubnormals() {}
#endif
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  [[maybe_unused]] unsigned before_ = 0;
};

}  // namespace weft

#if defined(WEFT_ISA)
#define WEFT_KERNELS(...) \
  namespace WEFT_ISA {    \
  __VA_ARGS__             \
  }
#define WEFT_DISPATCH(name)
#elif defined(__x86_64__)
#define WEFT_KERNELS(...) \
  namespace baseline {    \
  __VA_ARGS__             \
  }                       \
  namespace avx2 {        \
  __VA_ARGS__             \
  }                       \
  namespace avx512 {      \
  __VA_ARGS__             \
  }
#define WEFT_DISPATCH(name)                                                   \
  template <class... Args>                                                    \
  auto name(Args... args) {                                                   \
    if (::weft::kCpuIsa == ::weft::Isa::avx512) return avx512::name(args...); \
    if (::weft::kCpuIsa == ::weft::Isa::avx2) return avx2::name(args...);     \
    return baseline::name(args...);                                           \
  }
#else
#define WEFT_KERNELS(...) \
  namespace baseline {    \
  __VA_ARGS__             \
  }
#define WEFT_DISPATCH(name)         \
  template <class... Args>          \
  auto name(Args... args) {         \
    return baseline::name(args...); \
  }
#endif
