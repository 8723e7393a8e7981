#include <weft/core/detail/shortened.h>
#include <weft/core/nearest.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace weft {
namespace {

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);  // from a's first i characters to b's first j
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({replaced, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(const std::string& wanted, const std::vector<std::string>& known) {
  constexpr size_t kShown = 3, kCompared = 256;
  const std::string start = wanted.substr(0, kCompared);
  std::vector<std::pair<std::pair<bool, size_t>, std::string>> ranked;
  for (const std::string& name : known)
    ranked.push_back(
        {{name.find(wanted) == std::string::npos, edit_distance(start, name.substr(0, kCompared))},
         name});
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  for (size_t i = 0; i < std::min(kShown, ranked.size()); ++i)
    text += (i == 0 ? "; nearest: " : ", ") + shortened(ranked[i].second);
  return text;
}

}  // namespace weft
