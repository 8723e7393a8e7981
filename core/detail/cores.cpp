#include <weft/core/detail/cores.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>
#include <thread>

namespace weft::detail {
namespace {

std::string line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Groups set limits on what is in them: those of this process's group and of all around it.
int limited_by_groups(int cores) {
  std::string group = line_of("/proc/self/cgroup");  // 0::/user.slice/of.somebody
  if (!group.starts_with("0::/")) return cores;
  for (group.erase(0, 3);; group.erase(group.rfind('/'))) {
    const auto limit = cores_of_quota(line_of("/sys/fs/cgroup" + group + "/cpu.max"));
    cores = std::min(cores, limit.value_or(cores));
    if (group.empty()) return cores;
  }
}

}  // namespace

std::optional<int> cores_of_quota(std::string_view cpu_max) {
  const char* const end = cpu_max.data() + cpu_max.size();
  int64_t quota = 0, period = 0;
  const auto [space, error] = std::from_chars(cpu_max.data(), end, quota);
  if (error != std::errc() || space == end) return {};  // "max", or no such file
  if (std::from_chars(space + 1, end, period).ec != std::errc() || quota < 1 || period < 1)
    return {};
  return static_cast<int>(std::clamp<int64_t>((quota - 1) / period + 1, 1, 1 << 20));
}

int usable_cores() {
#if defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__)
  const int cores = 1;  // whatever the browser counts
#else
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
#endif
  return std::max(1, limited_by_groups(cores));
}

}  // namespace weft::detail
