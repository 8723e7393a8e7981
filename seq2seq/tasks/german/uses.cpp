// Which words a sentence shows in which constructions: the verb or predicate in those of its
// clause, nouns and adjectives in the dative.
#include <weft/seq2seq/tasks/german/uses.h>

namespace weft::grammar {
namespace {

using enum Construction;

class Collector {
 public:
  void visit(const Clause& c, bool is_verb_final) {
    const auto note = [&](bool holds, Construction what) {
      if (holds) uses_.push_back({c.verb ? c.verb->english.base : c.predicate->english, what});
    };
    const bool perfect_tense = c.auxiliary && c.auxiliary->kind == Auxiliary::Kind::perfect;
    const bool with_modal = c.auxiliary && c.auxiliary->kind == Auxiliary::Kind::modal;
    note(c.front == Front::time || c.front == Front::place, fronting);
    note(c.question, question);
    note(c.negated, negation);
    note(with_modal, modal);
    note(perfect_tense, perfect);
    note(is_verb_final, verb_final);
    note(c.verb && !c.verb->german.prefix.empty(), separable);
    visit_phrases(c);
  }

  std::vector<Use> take() { return std::move(uses_); }

 private:
  void visit_phrases(const Clause& c) {
    visit(c.subject, Case::nominative);
    const bool dative_verb = c.verb && c.verb->frame == Frame::dative;
    if (c.object) visit(*c.object, dative_verb ? Case::dative : Case::accusative);
    if (c.recipient) visit(*c.recipient, Case::dative);
    if (c.place) visit(c.place->complement, c.place->preposition->governs);
  }

  void visit(const NounPhrase& np, Case c) {
    if (c == Case::dative && np.noun && !np.relative_pronoun) {
      uses_.push_back({np.noun->english, dative});
      if (np.adjective) uses_.push_back({np.adjective->english, dative});
    }
    if (np.relative_clause) visit(*np.relative_clause, true);
  }

  std::vector<Use> uses_;
};

}  // namespace

std::vector<Use> uses_of(const Sentence& s) {
  Collector collector;
  collector.visit(s.main, false);
  if (s.linker) collector.visit(s.linked, s.linker->kind != Linker::Kind::coordination);
  return collector.take();
}

}  // namespace weft::grammar
