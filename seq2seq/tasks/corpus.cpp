#include <weft/core/check.h>
#include <weft/seq2seq/tasks/corpus.h>
#include <weft/seq2seq/tasks/german/grammar.h>
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

Split read_split(const std::string& name, const std::filesystem::path& source,
                 const std::filesystem::path& target) {
  Split split{name, read_parallel(source, target), {}};
  split.removed = remove_empty_pairs(split.text);
  check(!split.text.source.empty(), "read_corpus: no pair of '{}' and '{}' has words on both sides",
        source.string(), target.string());
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
           {"ffn", "128"},
           {"dropout", "0"},
           {"max-tokens", "512"},
           {"warmup", "800"},
           {"clip", "1"},
           {"decay", "1.5"},
           {"epochs", "5"},
           {"metric", "bleu"}}};
}

Corpus read_corpus(const CorpusFiles& files) {
  Corpus corpus{read_split("train", files.train_source, files.train_target),
                read_split("valid", files.valid_source, files.valid_target),
                {},
                {}};
  corpus.defaults = {{"metric", are_mostly_words(corpus.valid.text.target) ? "exact" : "bleu"}};
  return corpus;
}

}  // namespace weft
