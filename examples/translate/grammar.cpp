// Makes the toy corpus: draws meanings, writes both languages, aligns, and deals out the splits.
#include <examples/translate/grammar.h>
#include <examples/translate/toy/sampler.h>
#include <examples/translate/toy/uses.h>
#include <weft/core/check.h>

#include <algorithm>
#include <array>
#include <unordered_set>

namespace translate {
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

std::vector<std::string> take_texts(std::vector<toy::Word> words) {
  std::vector<std::string> texts;
  texts.reserve(words.size());
  for (auto& word : words) texts.push_back(std::move(word.text));
  return texts;
}

SentencePair translate_meaning(const toy::Sentence& sentence) {
  auto source = toy::english(sentence), target = toy::german(sentence);
  SentencePair pair;
  pair.alignment = toy::align(source, target);
  pair.source = take_texts(std::move(source));
  pair.target = take_texts(std::move(target));
  pair.uses = toy::uses_of(sentence);
  return pair;
}

/// Fisher and Yates.
void shuffle(std::vector<SentencePair>& pairs, weft::Generator& generator) {
  for (size_t i = pairs.size(); i > 1; --i) {
    std::swap(pairs[i - 1], pairs[static_cast<size_t>(generator.below(static_cast<int64_t>(i)))]);
  }
}

/// Moves the last `count` pairs out.
std::vector<SentencePair> take_last(std::vector<SentencePair>& pairs, int count) {
  std::vector<SentencePair> taken(std::make_move_iterator(pairs.end() - count),
                                  std::make_move_iterator(pairs.end()));
  pairs.resize(pairs.size() - taken.size());
  return taken;
}

void check_sizes(const ToySizes& s) {
  for (const int size : {s.train, s.valid, s.test, s.compositional}) {
    weft::check(size >= 0, "make_toy_corpus: sizes must not be negative; got {}", size);
  }
}

}  // namespace

std::string_view to_string(Construction c) { return kNames[static_cast<size_t>(c)]; }

bool SentencePair::has(Construction c) const {
  return std::any_of(uses.begin(), uses.end(), [&](const Use& u) { return u.construction == c; });
}

const std::vector<Use>& held_out_uses() { return kHeldOut; }

std::string join_words(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text.append(text.empty() ? "" : " ").append(word);
  return text;
}

SentencePair sample_pair(weft::Generator& generator) {
  return translate_meaning(toy::Sampler(generator).sentence());
}

/// Distinct sentences are drawn until there are enough of both sorts. Short ones repeat soon, so
/// the later a sentence is drawn the longer it tends to be: shuffle before dealing out.
ToyCorpus make_toy_corpus(uint64_t seed, const ToySizes& sizes) {
  check_sizes(sizes);
  weft::Generator generator(seed);
  toy::Sampler sampler(generator);
  const size_t wanted = static_cast<size_t>(sizes.train) + static_cast<size_t>(sizes.valid) +
                        static_cast<size_t>(sizes.test);
  ToyCorpus corpus;
  std::unordered_set<std::string> sources;
  while (corpus.train.size() < wanted ||
         corpus.compositional.size() < static_cast<size_t>(sizes.compositional)) {
    SentencePair pair = translate_meaning(sampler.sentence());
    auto& pool = holds_out(pair) ? corpus.compositional : corpus.train;
    if (std::max(pair.source.size(), pair.target.size()) > kMaxWords) continue;
    if (sources.insert(join_words(pair.source)).second) pool.push_back(std::move(pair));
  }
  shuffle(corpus.train, generator);
  shuffle(corpus.compositional, generator);
  corpus.train.resize(wanted);
  corpus.compositional.resize(static_cast<size_t>(sizes.compositional));
  corpus.test = take_last(corpus.train, sizes.test);
  corpus.valid = take_last(corpus.train, sizes.valid);
  return corpus;
}

}  // namespace translate
