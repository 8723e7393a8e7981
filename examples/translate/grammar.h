// The built-in toy corpus: a synchronous grammar that writes one meaning in English and in German,
// with the gold word alignment. The German word order is its own: verb second in main clauses, verb
// last in subordinate ones, separable prefixes and participles at the end. See docs/toy-corpus.md.
#pragma once

#include <examples/translate/alignment.h>
#include <weft/core/random.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace translate {

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
  std::vector<std::string> source, target;  // English, German
  std::vector<Link> alignment;              // gold, sorted
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

/// A random sentence with its translation.
SentencePair sample_pair(weft::Generator& generator);

/// The same corpus for the same seed and sizes. Throws weft::Error if a size is negative.
ToyCorpus make_toy_corpus(uint64_t seed, const ToySizes& sizes = {});

/// The words with one space between them.
std::string join_words(const std::vector<std::string>& words);

}  // namespace translate
