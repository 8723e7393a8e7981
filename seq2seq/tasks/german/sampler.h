// Draws the meanings of random sentences: who does what, such that it makes sense.
#pragma once

#include <weft/core/random.h>
#include <weft/seq2seq/tasks/german/meaning.h>

namespace weft::grammar {

class Sampler {
 public:
  explicit Sampler(Generator generator) : generator_(std::move(generator)) {}

  /// A statement, a question or two joined clauses.
  Sentence sentence();

 private:
  bool chance(double p) { return generator_.uniform() < p; }
  /// A row of `table` that `accept` takes, each equally likely; null if there is none.
  template <class T, class Accept>
  const T* pick(std::span<const T> table, Accept accept);
  template <class T>
  const T* pick(std::span<const T> table) {
    return pick(table, [](const T&) { return true; });
  }

  Sentence statement();
  Sentence question();
  Sentence linked();
  Sentence report();

  void ask_who(Clause& c);
  void ask_what(Clause& c);
  void ask_which(Clause& c);
  void ask_when_or_where(Clause& c);

  Clause clause();
  Clause clause(const Verb& verb);
  Clause clause(const Adjective& predicate);
  void add_perfect_or_modal(Clause& c);
  void add_negation(Clause& c);
  void add_objects(Clause& c);
  void add_place(Clause& c);
  void add_adverb(Clause& c);

  void choose_front(Clause& c);
  void add_relative_clause(Clause& c);
  Clause relative_clause(const NounPhrase& head);

  NounPhrase subject(Kinds kinds, bool definite);
  NounPhrase participant(const Clause& c, Kinds kinds, References references);
  NounPhrase noun_phrase(Kinds kinds, References references, const Noun* except = nullptr);
  const Determiner* determiner(const Noun& noun, bool plural, References references);

  Generator generator_;
  double detail_ = 1;  // scales the chances of what could be left out
};

}  // namespace weft::grammar
