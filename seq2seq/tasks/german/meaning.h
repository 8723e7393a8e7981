// What a sentence says, in no language: the tree from which english() and german() each write their
// words. Two words are aligned iff they speak for the same part of the tree, so every word carries
// the addresses of the parts that it means, and the gold alignment needs no rules of its own.
#pragma once

#include <weft/seq2seq/metrics/alignment.h>
#include <weft/seq2seq/tasks/german/lexicon.h>

#include <memory>
#include <optional>
#include <vector>

namespace weft::grammar {

struct Clause;

/// A noun with what belongs to it; or a pronoun; or, with `relative_pronoun`, the "who" or "which"
/// that stands for `noun` in a relative clause.
struct NounPhrase {
  const Determiner* determiner = nullptr;  // none: "children", "milk"
  const Adjective* adjective = nullptr;
  const Noun* noun = nullptr;
  const Pronoun* pronoun = nullptr;
  bool plural = false;
  bool relative_pronoun = false;
  std::unique_ptr<Clause> relative_clause;

  bool definite() const {
    return pronoun || relative_pronoun || (determiner && determiner->reference == kDefinite);
  }
  Person person() const {
    if (pronoun) return pronoun->person;
    return plural ? Person::plural : Person::third_singular;
  }
};

struct PrepositionalPhrase {
  const Preposition* preposition;
  NounPhrase complement;
};

/// What stands first in a German main clause, before the finite verb.
enum class Front { subject, object, time, place, nothing };

struct Clause {
  Front front = Front::subject;
  bool question = false;
  bool negated = false;
  const Auxiliary* auxiliary = nullptr;  // none: present tense
  const Verb* verb = nullptr;            // or else a predicate: "is tired"
  const Adjective* predicate = nullptr;
  NounPhrase subject;
  std::optional<NounPhrase> object, recipient;
  std::optional<PrepositionalPhrase> place;
  Adverb time{}, frequency{};
};

struct Sentence {
  Clause main;
  const Linker* linker = nullptr;  // with a second clause, which may come first
  Clause linked;
  bool linked_first = false;
  char comma = ',', stop = '.';  // parts of the tree, so that they are aligned too

  bool comma_in_english() const {
    return linked_first || linker->kind == Linker::Kind::coordination;
  }
};

/// One word of a sentence, with the parts of the tree that it means.
struct Word {
  std::string text;
  std::array<const void*, 2> means{};
};

std::vector<Word> english(const Sentence& sentence);
std::vector<Word> german(const Sentence& sentence);

/// The links between words that share a part, sorted.
std::vector<Link> align(const std::vector<Word>& source, const std::vector<Word>& target);

/// Collects the words of a sentence.
class Line {
 public:
  Line() { words_.reserve(16); }

  /// Adds the words of `text`, separated by spaces, all of the same meaning; nothing if empty.
  void add(string_view text, const void* meaning, const void* second = nullptr);
  /// Adds a comma unless there is one.
  void add_comma(const void* meaning);
  /// Ends the sentence; a comma before the stop goes.
  void add_stop(const char* stop);

  std::vector<Word>& words() { return words_; }

 private:
  std::vector<Word> words_;
};

}  // namespace weft::grammar
