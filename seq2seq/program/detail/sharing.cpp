#include <weft/seq2seq/program/detail/sharing.h>

namespace weft {

std::vector<Batch> dealt(int64_t n, const Ranks& ranks) {
  std::vector<Batch> groups(static_cast<size_t>(ranks.count()));
  for (int64_t i = 0; i < n; ++i) groups[static_cast<size_t>(i % ranks.count())].push_back(i);
  return groups;
}

ShareOut share_among(const Ranks& ranks) {
  return [&ranks](int64_t n, const std::function<std::string(int64_t)>& f) {
    return ranks.map(dealt(n, ranks), [&](const Batch& group) {
      std::vector<std::string> found;
      for (const int64_t i : group) found.push_back(f(i));
      return found;
    });
  };
}

}  // namespace weft
