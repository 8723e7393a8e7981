#include <weft/core/parallel.h>
#include <weft/core/random.h>
#include <weft/seq2seq/text/pairs.h>

#include <algorithm>

namespace weft {
namespace {

constexpr int64_t kPairsPerThread = 1024;

// Words that Generator itself leaves over.
uint64_t seed_of(uint64_t seed, int64_t number) {
  const auto words = philox(seed, static_cast<uint64_t>(number));
  return uint64_t{words[3]} << 32 | words[2];
}

}  // namespace

Ids encode_source(const Vocabulary& vocabulary, const std::string& sentence) {
  return as_source(vocabulary.encode(sentence));
}

Ids as_source(Ids ids) {
  ids.resize(std::min(ids.size(), static_cast<size_t>(kLongestSource - 1)));
  ids.push_back(kEnd);
  return ids;
}

bool is_too_long(const Vocabulary& vocabulary, const std::string& sentence) {
  constexpr auto kRoom = static_cast<size_t>(kLongestSource - 1);
  if (sentence.size() < kRoom) return false;  // an id stands for a byte at least, or a blank before
  return vocabulary.encode(sentence).size() > kRoom;
}

Ids encode_target(const Vocabulary& vocabulary, const std::string& sentence) {
  return as_target(vocabulary.encode(sentence));
}

Ids as_target(Ids ids) {
  ids.insert(ids.begin(), kBegin);
  ids.push_back(kEnd);
  return ids;
}

std::vector<Pair> encode_pairs(const Vocabulary& vocabulary, const ParallelText& text) {
  std::vector<Pair> pairs(text.source.size());
  parallel_for(std::ssize(pairs), kPairsPerThread, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      pairs[i] = {encode_source(vocabulary, text.source[i]),
                  encode_target(vocabulary, text.target[i])};
  });
  return pairs;
}

std::vector<Pair> sample_pairs(const Vocabulary& vocabulary, const ParallelText& text,
                               double dropout, uint64_t seed, int64_t epoch) {
  const uint64_t of_epoch = seed_of(seed, epoch);
  std::vector<Pair> pairs(text.source.size());
  parallel_for(std::ssize(pairs), kPairsPerThread, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto at = static_cast<size_t>(i);
      Generator random(seed_of(of_epoch, i));
      pairs[at].source = as_source(vocabulary.sample(text.source[at], dropout, random));
      pairs[at].target = as_target(vocabulary.sample(text.target[at], dropout, random));
    }
  });
  return pairs;
}

}  // namespace weft
