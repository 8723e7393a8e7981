// Byte-pair encoding whose merges are left out at random (BPE-dropout, Provilkov et al. 2020,
// arXiv:1910.13267): at each step every pair that could be merged is passed over with probability
// p, and the first of the others in the list of pieces is merged, until none is left.
#pragma once

#include <weft/core/random.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft {

class Merges {
 public:
  /// `pieces` have the ids kSpecials, kSpecials + 1, ..., merges that come first first; they must
  /// outlive it.
  explicit Merges(const std::vector<std::string>& pieces);

  /// Ids of a sentence. With `dropout` 0 those of SubwordCoder::encode, with 1 characters; the same
  /// for a generator that stands at the same place.
  std::vector<int64_t> encode(const std::string& text, double dropout, Generator& random) const;

 private:
  void append(std::string_view word, double dropout, Generator& random,
              std::vector<int64_t>& ids) const;

  std::unordered_map<std::string_view, int64_t> ids_;
};

}  // namespace weft
