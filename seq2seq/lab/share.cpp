#include <weft/core/detail/bytes.h>
#include <weft/seq2seq/lab/share.h>

namespace weft {

std::vector<std::string> all_here(int64_t n, const std::function<std::string(int64_t)>& f) {
  std::vector<std::string> all;
  for (int64_t i = 0; i < n; ++i) all.push_back(f(i));
  return all;
}

std::vector<double> share_numbers(const ShareOut& share, int64_t n,
                                  const std::function<double(int64_t)>& f) {
  std::vector<double> numbers;
  for (const std::string& bytes : share(n, [&](int64_t i) { return to_bytes(f(i)); }))
    numbers.push_back(FromBytes(bytes).get<double>());
  return numbers;
}

}  // namespace weft
