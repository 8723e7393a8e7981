#include <weft/core/detail/check.h>
#include <weft/seq2seq/metrics/lexical_links.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace weft {
namespace {

AttentionMap with_rows_of_one(const WordMap& sentence) {
  AttentionMap map = sentence.map;
  const int64_t rows = std::ssize(sentence.target), columns = std::ssize(sentence.source);
  check(map.rows == rows && map.columns == columns,
        "lexical_maps: expected a map [{}, {}], of target and source words; got [{}, {}]", rows,
        columns, map.rows, map.columns);
  for (auto row = map.weights.begin(); row != map.weights.end(); row += columns) {
    double total = 0;
    std::for_each(row, row + columns, [&](double& a) {
      a = std::isfinite(a) && a > 0 ? a : 0;
      total += a;
    });
    if (total > 0) std::for_each(row, row + columns, [&](double& a) { a /= total; });
  }
  return map;
}

struct Lexicon {
  std::map<std::pair<int64_t, int64_t>, double> pairs;  // of source and target word
  std::map<int64_t, double> sources;
};

// f(source word, target word, number) of every pair of positions.
template <class F>
void for_each_pair(const WordMap& sentence, AttentionMap& map, F f) {
  auto a = map.weights.begin();
  for (const int64_t target : sentence.target)
    for (const int64_t source : sentence.source) f(source, target, *a++);
}

}  // namespace

std::vector<AttentionMap> lexical_maps(std::span<const WordMap> sentences) {
  std::vector<AttentionMap> maps;
  Lexicon sums;
  for (const WordMap& sentence : sentences)
    for_each_pair(sentence, maps.emplace_back(with_rows_of_one(sentence)),
                  [&](int64_t source, int64_t target, double a) {
                    sums.pairs[{source, target}] += a;
                    sums.sources[source] += a;
                  });
  for (size_t i = 0; i < maps.size(); ++i)
    for_each_pair(sentences[i], maps[i], [&](int64_t source, int64_t target, double& a) {
      if (a > 0) a *= sums.pairs[{source, target}] / sums.sources[source];
    });
  return maps;
}

std::vector<Link> both_ways(std::span<const Link> links, std::span<const Link> reverse) {
  std::set<Link> all(links.begin(), links.end());
  for (const Link& link : reverse) all.insert({link.target, link.source});
  return {all.begin(), all.end()};
}

}  // namespace weft
