#pragma once

namespace weft {

/// True in a build with sanitizers, where code is ten times slower and a test of very many cases
/// takes fewer of them.
#ifdef WEFT_SCALAR_KERNELS
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace weft
