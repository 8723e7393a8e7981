// The built-in toy corpus: a synchronous grammar that writes one meaning in English and in German,
// with the gold word alignment. The German word order is its own: verb second in main clauses, verb
// last in subordinate ones, separable prefixes and participles at the end. See docs/toy-corpus.md.
#pragma once

#include <weft/seq2seq/metrics/alignment.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

/// What a word takes part in, beyond a plain statement in the present tense.
enum class Construction {
  fronting,  // an adverb or a place stands first
  question,
  negation,    // nicht, kein
  modal,       // the infinitive goes to the end
  perfect,     // the participle goes to the end
  verb_final,  // a subordinate or relative clause
  separable,   // a verb with a prefix that can leave it
  dative
};
inline constexpr int kConstructionCount = 8;

/// "verb_final"
std::string_view to_string(Construction construction);

/// A word (English lemma) in a construction.
struct Use {
  std::string_view word;
  Construction construction;
  bool operator==(const Use&) const = default;
};

struct SentencePair {
  std::string source, target;   // English, German: words with one space between them
  std::vector<Link> alignment;  // gold, of the words, sorted
  std::vector<Use> uses;

  bool has(Construction construction) const;
};

struct ToyCorpus {
  std::vector<SentencePair> train, valid, test;  // no source occurs twice
  std::vector<SentencePair> compositional;       // each with a use that training never shows
};

struct ToySizes {
  int train = 30000, valid = 1000, test = 1000, compositional = 1000;
};

/// The uses kept out of train, valid and test: training shows the word and shows the construction,
/// but never the two together.
const std::vector<Use>& held_out_uses();

/// Sentence `number` of the endless list that `seed` stands for, with its translation. Each has
/// random numbers of its own, so that any thread may make it.
SentencePair sample_pair(uint64_t seed, uint64_t number);

/// The same corpus for the same seed and sizes. Throws Error if a size is negative.
ToyCorpus make_toy_corpus(uint64_t seed, const ToySizes& sizes = {});

}  // namespace weft
