#include <examples/translate/corpus.h>
#include <examples/translate/grammar.h>

namespace translate {
namespace {

// The corpus is part of the task: every run, whatever its seed, is judged on the same sentences.
constexpr uint64_t kToySeed = 1;
// Many sentences seen a few times each teach more than a few seen often.
constexpr ToySizes kToySizes{.train = 120000};

Split to_split(const std::string& name, const std::vector<SentencePair>& pairs) {
  Split split{name, {}, {}};
  for (const SentencePair& pair : pairs) {
    split.text.source.push_back(join_words(pair.source));
    split.text.target.push_back(join_words(pair.target));
    split.gold.push_back(pair.alignment);
  }
  return split;
}

}  // namespace

Corpus toy_corpus() {
  const ToyCorpus toy = make_toy_corpus(kToySeed, kToySizes);
  return {to_split("train", toy.train),
          to_split("valid", toy.valid),
          {to_split("held-out", toy.test), to_split("compositional", toy.compositional)}};
}

Corpus read_corpus(const CorpusFiles& files) {
  return {{"train", read_parallel(files.train_source, files.train_target), {}},
          {"valid", read_parallel(files.valid_source, files.valid_target), {}},
          {}};
}

}  // namespace translate
