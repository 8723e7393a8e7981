#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/bytes.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/lab/experiments/detail/word_links.h>
#include <weft/seq2seq/metrics/lexical_links.h>

#include <algorithm>

namespace weft {
namespace {

// The words' part of a map at a step; empty if the measure has none.
WordMap word_map(const Study& study, const Measured& taken, const AgreementTable::Row& at) {
  const Maps* cross = taken.at(Place::cross);
  if (!cross) return {};
  const NoGrad no_grad;
  const Tensor& heads = cross->layers[static_cast<size_t>(at.layer.value_or(0))];
  const Tensor map = at.head ? select(heads, 0, *at.head) : mean(heads, {0});  // [Tt, Ts]
  const int64_t rows = study.rows() - 1, columns = study.units(), step = int64_t(at.step);
  const Tensor words = slice(slice(map, 0, step, step + rows), 1, 0, columns);
  return {{study.source.begin(), study.source.end() - 1},
          {study.target.begin() + 1, study.target.end() - 1},
          {rows, columns, to(words, kFloat64).to_vector<double>()}};
}

std::vector<Link> links_of(const AttentionMap& map) {
  if (map.rows == 0) return {};
  return strongest_links(map, map.columns, map.rows, ReadAt::kProducingStep);
}

}  // namespace

std::span<const Measure> measure_called(const Subject& subject, const std::string& name) {
  for (const Measure& m : subject.measures)
    if (m.name == name) return {&m, 1};
  fail("alignment: expected a measure called {}; got none", name);
}

WordLinks word_links(const Subject& subject, const AgreementTable::Row& at, int64_t count) {
  const std::span<const Measure> measure = measure_called(subject, at.measure);
  const ParallelText& text = subject.sentences.text;
  const auto one = [&](int64_t sentence) {
    const auto i = static_cast<size_t>(sentence);
    const Study study(subject.model, encode_source(subject.vocabulary, text.source[i]),
                      encode_target(subject.vocabulary, text.target[i]));
    const WordMap m = word_map(study, take(measure, study, false)[0], at);
    return to_bytes(m.source, m.target, m.map.rows, m.map.columns, m.map.weights);
  };
  std::vector<WordMap> maps;
  for (const std::string& bytes : subject.share(count, one)) {
    WordMap& m = maps.emplace_back();
    FromBytes(bytes).take_all(m.source, m.target, m.map.rows, m.map.columns, m.map.weights);
  }
  WordLinks found;
  for (const WordMap& m : maps) found.strongest.push_back(links_of(m.map));
  for (const AttentionMap& m : lexical_maps(maps)) found.lexical.push_back(links_of(m));
  return found;
}

LinksOfSentences both_ways(const LinksOfSentences& links, const LinksOfSentences& reverse) {
  LinksOfSentences all;
  for (size_t i = 0; i < links.size(); ++i) all.push_back(both_ways(links[i], reverse[i]));
  return all;
}

}  // namespace weft
