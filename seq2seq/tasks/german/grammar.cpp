// Makes the toy corpus: draws meanings, writes both languages, aligns, and deals out the splits.
#include <weft/core/detail/check.h>
#include <weft/core/parallel.h>
#include <weft/seq2seq/tasks/german/grammar.h>
#include <weft/seq2seq/tasks/german/sampler.h>
#include <weft/seq2seq/tasks/german/uses.h>

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_set>

namespace weft {
namespace {

using enum Construction;

constexpr size_t kMaxWords = 14;  // a sentence, with its punctuation

constexpr std::array<std::string_view, kConstructionCount> kNames{
    "fronting", "question", "negation", "modal", "perfect", "verb_final", "separable", "dative"};

/// Every form that these need in German also occurs outside the construction (none has a dative
/// plural of its own, say), so that a model has seen each word and only the combination is new.
const std::vector<Use> kHeldOut{
    {"aunt", dative},      {"girl", dative},    {"student", dative},  {"garden", dative},
    {"young", dative},     {"buy", verb_final}, {"help", verb_final}, {"visit", verb_final},
    {"tired", verb_final}, {"sing", negation},  {"invite", negation}, {"drink", modal},
    {"find", modal},       {"wait", question},  {"wash", question},   {"repair", fronting},
};

bool holds_out(const SentencePair& pair) {
  return std::any_of(pair.uses.begin(), pair.uses.end(), [](const Use& use) {
    return std::find(kHeldOut.begin(), kHeldOut.end(), use) != kHeldOut.end();
  });
}

/// Numbers of the generator's stream that belong to one sentence: far more than any needs.
constexpr int kNumbersOfSentence = 20;  // 2^20

std::string join(const std::vector<grammar::Word>& words) {
  std::string text;
  text.reserve(8 * words.size());
  for (const auto& word : words) text.append(text.empty() ? "" : " ").append(word.text);
  return text;
}

/// A pair that is longer than `max_words` on a side stays empty.
SentencePair sample_pair(Generator& generator, uint64_t seed, uint64_t number, size_t max_words) {
  generator.set_state(seed, number << kNumbersOfSentence);
  const grammar::Sentence sentence = grammar::Sampler(generator).sentence();
  const auto source = grammar::english(sentence), target = grammar::german(sentence);
  if (std::max(source.size(), target.size()) > max_words) return {};
  return {join(source), join(target), grammar::align(source, target), grammar::uses_of(sentence)};
}

struct Draft {
  SentencePair pair;
  size_t hash = 0;  // of the source
  bool held_out = false;
};

/// Sentences [first, first + kBlock); those that do not fit stay empty.
constexpr int64_t kBlock = 1 << 14, kBlockOfThread = 1 << 10;
std::vector<Draft> draft_block(uint64_t seed, uint64_t first) {
  std::vector<Draft> drafts(kBlock);
  parallel_for(kBlock, kBlockOfThread, [&](int64_t begin, int64_t end) {
    Generator generator(seed);
    for (int64_t i = begin; i < end; ++i) {
      Draft& draft = drafts[static_cast<size_t>(i)];
      draft.pair = sample_pair(generator, seed, first + static_cast<uint64_t>(i), kMaxWords);
      draft.hash = std::hash<std::string>()(draft.pair.source);
      draft.held_out = holds_out(draft.pair);
    }
  });
  return drafts;
}

/// Moves `count` random pairs out.
std::vector<SentencePair> take(std::vector<SentencePair>& pairs, int count, Generator& generator) {
  std::vector<SentencePair> taken;
  for (int i = 0; i < count; ++i) {
    std::swap(pairs.back(), pairs[static_cast<size_t>(generator.below(std::ssize(pairs)))]);
    taken.push_back(std::move(pairs.back()));
    pairs.pop_back();
  }
  return taken;
}

void check_sizes(const ToySizes& s) {
  for (const int size : {s.train, s.valid, s.test, s.compositional}) {
    check(size >= 0, "make_toy_corpus: sizes must not be negative; got {}", size);
  }
}

}  // namespace

std::string_view to_string(Construction c) { return kNames[static_cast<size_t>(c)]; }

bool SentencePair::has(Construction c) const {
  return std::any_of(uses.begin(), uses.end(), [&](const Use& u) { return u.construction == c; });
}

const std::vector<Use>& held_out_uses() { return kHeldOut; }

SentencePair sample_pair(uint64_t seed, uint64_t number) {
  Generator generator(seed);
  return sample_pair(generator, seed, number, std::numeric_limits<size_t>::max());
}

/// Distinct sentences are drawn until there are enough of both sorts. Short ones repeat soon, so
/// the later a sentence is drawn the longer it tends to be: the small splits take from anywhere.
ToyCorpus make_toy_corpus(uint64_t seed, const ToySizes& sizes) {
  check_sizes(sizes);
  const size_t wanted = static_cast<size_t>(sizes.train) + static_cast<size_t>(sizes.valid) +
                        static_cast<size_t>(sizes.test);
  std::vector<SentencePair> ordinary, held_out;
  std::unordered_set<size_t> sources;  // hashes: should two be equal, one sentence is lost
  sources.reserve(2 * wanted);
  for (uint64_t first = 0;
       ordinary.size() < wanted || held_out.size() < static_cast<size_t>(sizes.compositional);
       first += kBlock) {
    for (Draft& draft : draft_block(seed, first)) {
      if (draft.pair.source.empty() || !sources.insert(draft.hash).second) continue;
      (draft.held_out ? held_out : ordinary).push_back(std::move(draft.pair));
    }
  }
  ordinary.resize(wanted);
  ToyCorpus corpus;
  Generator generator(seed);
  corpus.compositional = take(held_out, sizes.compositional, generator);
  corpus.test = take(ordinary, sizes.test, generator);
  corpus.valid = take(ordinary, sizes.valid, generator);
  corpus.train = std::move(ordinary);
  return corpus;
}

}  // namespace weft
