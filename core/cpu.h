// Which of the per-CPU copies of a kernel to run.
//
// Files in core/kernels are compiled once per instruction set, each copy in the namespace WEFT_ISA.
// WEFT_KERNEL(void, softmax_rows, (const float* x, float* y, int64_t n)) declares every copy, and
// `softmax_rows` itself as a pointer to the best one for this machine.
// Such files must not instantiate inline functions with external linkage (std:: algorithms, say):
// the linker keeps one copy of those, perhaps the one with instructions that this CPU lacks.
#pragma once

namespace weft {

enum class Isa { baseline, avx2, avx512 };

/// The best instruction set of this machine; WEFT_CPU=baseline|avx2|avx512 in the environment
/// lowers it (for tests and comparisons), never raises it.
Isa cpu_isa();

template <class F>
F* pick_isa(F* baseline, F* avx2, F* avx512) {
  switch (cpu_isa()) {
    case Isa::avx512:
      return avx512;
    case Isa::avx2:
      return avx2;
    default:
      return baseline;
  }
}

}  // namespace weft

#if defined(__x86_64__)
#define WEFT_KERNEL(ret, name, params) \
  namespace baseline {                 \
  ret name params;                     \
  }                                    \
  namespace avx2 {                     \
  ret name params;                     \
  }                                    \
  namespace avx512 {                   \
  ret name params;                     \
  }                                    \
  inline ret(*const name) params = ::weft::pick_isa(baseline::name, avx2::name, avx512::name)
#else
#define WEFT_KERNEL(ret, name, params) \
  namespace baseline {                 \
  ret name params;                     \
  }                                    \
  inline ret(*const name) params = baseline::name
#endif
