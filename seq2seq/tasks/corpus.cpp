#include <weft/core/detail/check.h>
#include <weft/seq2seq/tasks/corpus.h>
#include <weft/seq2seq/tasks/german/grammar.h>
#include <weft/seq2seq/tasks/hold_out.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <utility>

namespace weft {
namespace {

// The corpus is part of the task: every run, whatever its seed, is judged on the same sentences.
constexpr uint64_t kToySeed = 1;
// Many sentences seen a few times each teach more than a few seen often.
constexpr ToySizes kToySizes{.train = 60000};

Split to_split(const std::string& name, std::vector<SentencePair> pairs) {
  Split split{name, {}, {}};
  for (SentencePair& pair : pairs) {
    split.text.source.push_back(std::move(pair.source));
    split.text.target.push_back(std::move(pair.target));
    split.gold.push_back(std::move(pair.alignment));
  }
  return split;
}

void swap_sides(Split& split) {
  std::swap(split.text.source, split.text.target);
  for (std::vector<Link>& links : split.gold)
    for (Link& link : links) std::swap(link.source, link.target);
}

std::string names(const SplitFiles& files) {
  if (!files.pairs.empty()) return fmt::format("'{}'", files.pairs.string());
  return fmt::format("'{}' and '{}'", files.source.string(), files.target.string());
}

Split read_split(const std::string& name, const SplitFiles& files) {
  Split split{
      name,
      files.pairs.empty() ? read_parallel(files.source, files.target) : read_pairs(files.pairs),
      {}};
  split.removed = remove_empty_pairs(split.text);
  check(!split.text.source.empty(), "read_corpus: no pair of {} has words on both sides",
        names(files));
  return split;
}

bool are_mostly_words(const std::vector<std::string>& sentences) {
  const auto words = std::count_if(sentences.begin(), sentences.end(),
                                   [](const std::string& s) { return split_words(s).size() <= 1; });
  return 2 * words > std::ssize(sentences);
}

}  // namespace

Corpus german_corpus() {
  ToyCorpus toy = make_toy_corpus(kToySeed, kToySizes);
  return {to_split("train", std::move(toy.train)),
          to_split("valid", std::move(toy.valid)),
          {to_split("held-out", std::move(toy.test)),
           to_split("compositional", std::move(toy.compositional))},
          {{"tokens", "word"},
           {"d-model", "64"},
           {"heads", "2"},
           {"dropout", "0"},
           {"max-tokens", "512"},
           {"warmup", "800"},
           {"clip", "1"},
           {"decay", "1.5"},
           {"epochs", "8"},
           {"metric", "bleu"}}};
}

Corpus swap_sides(Corpus corpus) {
  swap_sides(corpus.train);
  swap_sides(corpus.valid);
  for (Split& test : corpus.tests) swap_sides(test);
  return corpus;
}

Corpus read_corpus(const CorpusFiles& files) {
  Corpus corpus{read_split("train", files.train), {"valid", {}, {}}, {}, {}};
  if (!files.valid.empty()) {
    corpus.valid = read_split("valid", files.valid);
  } else {
    corpus.valid.text = hold_out(corpus.train.text);
    corpus.held_out = std::ssize(corpus.valid.text.source);
  }
  if (!files.test.empty()) corpus.tests.push_back(read_split("test", files.test));
  corpus.defaults = {{"metric", are_mostly_words(corpus.valid.text.target) ? "exact" : "bleu"}};
  return corpus;
}

}  // namespace weft
