#include <cxxabi.h>
#include <fmt/format.h>
#include <weft/autograd/inspect/detail/backtrace.h>

#include <array>
#include <cstdlib>
#include <memory>

#if __has_include(<execinfo.h>)  // musl and WebAssembly have none
#include <dlfcn.h>
#include <execinfo.h>
#define WEFT_BACKTRACE
#endif

namespace weft {

std::string demangled(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(symbol, nullptr, nullptr, &status), std::free);
  return status == 0 ? name.get() : symbol;
}

#if defined(WEFT_BACKTRACE)

namespace {

constexpr int kDeepest = 48;
constexpr size_t kShown = 16;

std::string describe_frame(void* frame) {
  Dl_info info{};
  if (!dladdr(frame, &info) || !info.dli_fname) return fmt::format("{}", frame);
  if (info.dli_sname) return demangled(info.dli_sname);
  const auto offset = static_cast<const char*>(frame) - static_cast<const char*>(info.dli_fbase);
  return fmt::format("{}(+{:#x})", info.dli_fname, offset);
}

bool is_machinery(const std::string& call) {
  for (const char* part : {"weft::call_frames", "weft::detail::notify", "weft::ObserverChain",
                           "weft::DetectAnomaly", "weft::record", "weft::detail::show"})
    if (call.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

std::vector<void*> call_frames() {
  std::array<void*, kDeepest> frames{};
  const int count = backtrace(frames.data(), kDeepest);
  return std::vector<void*>(frames.begin(), frames.begin() + count);
}

std::string describe_frames(const std::vector<void*>& frames) {
  std::string text;
  size_t shown = 0;
  for (void* frame : frames) {
    // A return address may be the first of the next function: look at the call before it.
    const std::string call = describe_frame(static_cast<char*>(frame) - 1);
    if (is_machinery(call)) continue;
    if (shown++ == kShown) break;
    text += fmt::format("\n  {}", call);
  }
  return text;
}

#else

std::vector<void*> call_frames() { return {}; }
std::string describe_frames(const std::vector<void*>&) { return ""; }

#endif

}  // namespace weft
