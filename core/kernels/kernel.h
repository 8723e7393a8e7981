// How a kernel is declared, defined and called.
//
// Files named in weft_kernels() are compiled once per instruction set, each copy in the namespace
// WEFT_ISA. A kernel's header says, in weft::kernels,
//
//   /// Softmax of each row of x [rows, n].
//   WEFT_KERNEL(void, softmax_rows, const T* x, T* y, int64_t rows, int64_t n)
//
// (result, name and parameters, for any T), and such a file, in weft::kernels::WEFT_ISA,
//
//   template <class T>
//   void softmax_rows(const T* x, T* y, int64_t rows, int64_t n) { ... }
//   WEFT_INSTANTIATE(softmax_rows, float, double)
//
// Elsewhere softmax_rows<float>(x, y, rows, n) runs the copy that is best on this machine. Inside a
// copy the name means that copy's function.
//
// Such files must not instantiate inline functions with external linkage (std:: algorithms, say):
// the linker keeps one copy of those, perhaps the one with instructions that this CPU lacks.
#pragma once

#include <weft/core/cpu.h>

#define WEFT_KERNEL_COPY(isa, result, name, ...) \
  namespace isa {                                \
  template <class T>                             \
  result name(__VA_ARGS__);                      \
  }

#if defined(WEFT_ISA)

#define WEFT_KERNEL(result, name, ...) WEFT_KERNEL_COPY(WEFT_ISA, result, name, __VA_ARGS__)

#else

namespace weft::kernels {

template <class Signature>
struct Kernel;

/// The copies of a kernel for one T, by Isa. Called like a function of that signature.
template <class Result, class... Parameters>
struct Kernel<Result(Parameters...)> {
  Result (*copies[3])(Parameters...);

  Result operator()(Parameters... arguments) const {
    return copies[static_cast<int>(kCpuIsa)](arguments...);
  }
};

}  // namespace weft::kernels

#if defined(__x86_64__)
#define WEFT_KERNEL(result, name, ...)                  \
  WEFT_KERNEL_COPY(baseline, result, name, __VA_ARGS__) \
  WEFT_KERNEL_COPY(avx2, result, name, __VA_ARGS__)     \
  WEFT_KERNEL_COPY(avx512, result, name, __VA_ARGS__)   \
  template <class T>                                    \
  inline constexpr Kernel<result(__VA_ARGS__)> name{    \
      {baseline::name<T>, avx2::name<T>, avx512::name<T>}};
#else
#define WEFT_KERNEL(result, name, ...)                  \
  WEFT_KERNEL_COPY(baseline, result, name, __VA_ARGS__) \
  template <class T>                                    \
  inline constexpr Kernel<result(__VA_ARGS__)> name{{baseline::name<T>}};
#endif

#endif

/// Explicit instantiations of the function template `name` for up to four types.
#define WEFT_INSTANTIATE(name, T, ...) \
  template decltype(name<T>) name<T>;  \
  __VA_OPT__(WEFT_INSTANTIATE_2(name, __VA_ARGS__))
#define WEFT_INSTANTIATE_2(name, T, ...) \
  template decltype(name<T>) name<T>;    \
  __VA_OPT__(WEFT_INSTANTIATE_3(name, __VA_ARGS__))
#define WEFT_INSTANTIATE_3(name, T, ...) \
  template decltype(name<T>) name<T>;    \
  __VA_OPT__(WEFT_INSTANTIATE_4(name, __VA_ARGS__))
#define WEFT_INSTANTIATE_4(name, T) template decltype(name<T>) name<T>;
