#include <weft/core/cpu.h>
#include <weft/core/detail/check.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace weft {
namespace {

Isa best_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  return avx512 ? Isa::avx512 : avx2 ? Isa::avx2 : Isa::baseline;
#else
  return Isa::baseline;
#endif
}

std::string_view setting() {
  const char* value = std::getenv("WEFT_CPU");
  return value ? value : "";
}

// Called before main(), where an Error would end the process without a word.
Isa requested_isa() {
  const std::string_view name = setting();
  return name == "baseline" ? Isa::baseline : name == "avx2" ? Isa::avx2 : Isa::avx512;
}

}  // namespace

Isa cpu_isa() {
  static const Isa isa = std::min(best_isa(), requested_isa());
  return isa;
}

bool cpu_has_bf16() {
#if defined(__x86_64__)
  static const bool has = cpu_isa() == Isa::avx512 && __builtin_cpu_supports("avx512bf16");
  return has;
#else
  return false;
#endif
}

void check_cpu_setting() {
  const std::string_view name = setting();
  check(name.empty() || name == "baseline" || name == "avx2" || name == "avx512",
        "WEFT_CPU: expected baseline, avx2 or avx512; got '{}'", name);
}

}  // namespace weft
