// Which instruction set this CPU has, and with it which copy of each kernel runs.
#pragma once

namespace weft {

enum class Isa { baseline, avx2, avx512 };

/// The best instruction set of this machine; WEFT_CPU=baseline|avx2|avx512 in the environment
/// lowers it (for tests and comparisons), never raises it.
Isa cpu_isa();
/// An Error if WEFT_CPU has another value.
void check_cpu_setting();

/// Whether it has dot products of bfloat16 (AVX-512 BF16), and WEFT_CPU leaves them.
bool cpu_has_bf16();

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
